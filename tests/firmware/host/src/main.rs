//! Prints on the host what the firmware prints on its targets: `vectors`, or the run of every optimizer and loss.

use simloss_host::{NoClock, Print};
use simloss_program::{checkpoints, device, empty, memory, metrics, name, proper, train, vectors};
use std::{env, error::Error};

macro_rules! runs {
    ($($mover:ident $judge:ident)*) => {$(
        let mut memory = Box::new(<memory!(f32, $mover, $judge)>::new(0.0, empty!(f32, $judge)));
        train!(f32, $mover, $judge)(name!($mover, $judge), &mut memory, &mut NoClock, &mut Print)?;
    )*};
}

fn main() -> Result<(), Box<dyn Error>> {
    match env::args().nth(1).as_deref() {
        Some("vectors") => {
            vectors::all(&mut Box::new(vectors::Memory::new(0.0f32)), &mut Print)?;
            proper::all(&mut Box::new(proper::Memory::new(0.0f32)), &mut Print)?;
            metrics::all::<f32>(&mut Print)?;
            checkpoints::all(&mut Print)?;
            device::all::<f32>(&mut Print)?;
        }
        Some("head") => {
            runs! {
                Sgd Cce Sgd Order Sgd Sparse Sgd Dense
                Momentum Cce Momentum Order Momentum Sparse Momentum Dense
                Adam Cce Adam Order Adam Sparse Adam Dense
                Accumulate Order
                Sgd Proper Momentum Proper Adam Proper
            }
        }
        _ => return Err("usage: simloss-host vectors|head".into()),
    }
    Ok(())
}
