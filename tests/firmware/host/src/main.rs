//! Prints on the host what the firmware prints on its targets: `vectors`, or the run of every optimizer and loss.

use simloss_program::{
    Clock, Sink, checkpoints, device, empty, head, memory, metrics, name, optimizers, similarities, vectors,
};
use std::{env, error::Error};

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

/// The host's instructions are nobody's business.
struct NoClock;

impl Clock for NoClock {
    fn start(&mut self) {}
    fn stop(&mut self) -> u32 {
        0
    }
}

macro_rules! train {
    ($($mover:ident $judge:ident)*) => {$(
        let mut memory = Box::new(<memory!(f32, $mover, $judge)>::new(0.0, empty!(f32, $judge)));
        head::train::<f32, optimizers::$mover, similarities::$judge, _, _>(
            name!($mover, $judge), &mut memory, &mut NoClock, &mut Print,
        )?;
    )*};
}

fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1).as_deref() {
        Some("vectors") => {
            vectors::all(&mut Box::new(vectors::Memory::new(0.0f32)), &mut Print)?;
            metrics::all::<f32>(&mut Print)?;
            checkpoints::all(&mut Print)?;
            device::all::<f32>(&mut Print)?;
        }
        Some("head") => {
            train! {
                Sgd Cce Sgd Order Sgd Sparse Sgd Dense
                Momentum Cce Momentum Order Momentum Sparse Momentum Dense
                Adam Cce Adam Order Adam Sparse Adam Dense
            }
        }
        _ => return Err("usage: simloss-host vectors|head".into()),
    }
    Ok(())
}
