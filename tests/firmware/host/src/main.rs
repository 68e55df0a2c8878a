//! Prints on the host what the firmware prints on its targets: `vectors`, or the run of every optimizer and loss.

use simloss_host::{NoClock, Print};
use simloss_program::{
    Sink, accumulate, checkpoints, device, empty, front, front_numbers, head, memory, metrics, name, optimizers,
    proper, similarities, store, train, vectors,
};
use std::{env, error::Error};

macro_rules! runs {
    ($($mover:ident $judge:ident)*) => {$(
        let mut memory = Box::new(<memory!(f32, $mover, $judge)>::new(0.0, empty!(f32, $judge)));
        train!(f32, $mover, $judge)(name!($mover, $judge), &mut memory, &mut NoClock, &mut Print)?;
    )*};
}

/// The same by `device::Head`, which must have printed the same lines.
macro_rules! fronts {
    ($($mover:ident $judge:ident)*) => {$(
        let mut memory = Box::new([0.0; front_numbers!($mover, $judge)]);
        let (mut found, mut expected) = (Lines::default(), Lines::default());
        let mut x = front::EMPTY;
        front::train::<optimizers::$mover, similarities::$judge, _>("", &mut memory, &mut x, &mut NoClock, &mut found)?;
        let mut raw = Box::new(<memory!(f32, $mover, $judge)>::new(0.0, empty!(f32, $judge)));
        train!(f32, $mover, $judge)("", &mut raw, &mut NoClock, &mut expected)?;
        if found.0.is_empty() || found.0 != expected.0 {
            return Err(concat!("a head has other bits than the functions it calls: ", name!($mover, $judge)).into());
        }
    )*};
}

/// Lines, to compare.
#[derive(Default)]
struct Lines(Vec<Vec<u32>>);

impl Sink for Lines {
    fn line(&mut self, _: &str, bits: &[u32]) {
        self.0.push(bits.to_vec());
    }
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
            fronts! {
                Sgd Cce Sgd Order Sgd Proper Sgd Dense
                Momentum Cce Momentum Order Momentum Proper Momentum Dense
                Adam Cce Adam Order Adam Proper Adam Dense
            }
            let (mut found, mut expected) = (Lines::default(), Lines::default());
            let (mut memory, mut gradient) = ([0.0; front_numbers!(Sgd, Order)], [0.0; head::PARAMETERS]);
            front::accumulate::<optimizers::Sgd, similarities::Order, _>(
                "",
                &mut memory,
                &mut gradient,
                &mut [(front::EMPTY, 0); accumulate::BATCH as usize],
                &mut NoClock,
                &mut found,
            )?;
            let mut raw = Box::new(<memory!(f32, Accumulate, Order)>::new(0.0, empty!(f32, Order)));
            train!(f32, Accumulate, Order)("", &mut raw, &mut NoClock, &mut expected)?;
            if found.0.is_empty() || found.0 != expected.0 {
                return Err("a head has other bits than the accumulator".into());
            }
            store::run(
                "store simloss-order",
                &mut memory,
                &mut [0; store::FLASH],
                &mut front::EMPTY.clone(),
                &mut NoClock,
                &mut Print,
            )?;
        }
        _ => return Err("usage: simloss-host vectors|head".into()),
    }
    Ok(())
}
