//! Memory of the boards: all of them start their flash at 0 and their RAM at 0x2000_0000.

use std::{env, fs, path::PathBuf};

fn main() {
    // What is built for the host, too, has no such memory.
    if env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        return;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    // The microbit's own sizes; for the mps2 boards, which have 4 MB of each, those of an STM32F4-class part.
    let (flash, ram) = if env::var_os("CARGO_FEATURE_SMALL").is_some() { ("256K", "16K") } else { ("1M", "192K") };
    let memory = format!(
        "MEMORY {{ FLASH : ORIGIN = 0x00000000, LENGTH = {flash}\n RAM : ORIGIN = 0x20000000, LENGTH = {ram} }}\n"
    );
    fs::write(out.join("memory.x"), memory).expect("OUT_DIR can be written");
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    println!("cargo:rerun-if-changed=build.rs");
}
