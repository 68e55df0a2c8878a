//! The story on the host: what the device must print, but for its instructions.

use simloss_host::{NoClock, Print};
use simloss_story::{Memory, tune};

fn main() -> Result<(), simloss_core::Error> {
    tune(&mut Box::new(Memory::new()), &mut NoClock, &mut Print)
}
