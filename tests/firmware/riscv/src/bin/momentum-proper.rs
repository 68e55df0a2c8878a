#![no_std]
#![no_main]
simloss_riscv::budget!(Momentum, Proper);
