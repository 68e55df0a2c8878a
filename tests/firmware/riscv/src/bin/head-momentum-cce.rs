#![no_std]
#![no_main]
simloss_riscv::front!(Momentum, Cce);
