//~ docs/microcontroller.md: mod frozen { include!("../device/frozen.rs"); }
fn features() -> Result<(), simloss_core::Error> {
    let (sample, mut memory, mut features) = ([0.0; 4], [0.0; 10], [0.0; 5]);
    // SNIPPET
    Ok(())
}

fn main() {
    let _refused = features();
}
