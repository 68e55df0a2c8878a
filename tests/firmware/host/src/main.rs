//! Prints on the host what the firmware prints on its targets.

use simloss_program::{Sink, head};

struct Print;

impl Sink for Print {
    fn line(&mut self, name: &str, bits: &[u32]) {
        print!("{name}");
        for bits in bits {
            print!(" {bits:08x}");
        }
        println!();
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut memory = Box::new(head::Memory::new());
    head::all(&mut memory, |step| step(), &mut Print)?;
    Ok(())
}
