#![no_std]
#![no_main]
simloss_cortex_m::front!(Momentum, Dense);
