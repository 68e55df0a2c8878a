//! `simloss`: parse, run, and say what went wrong.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | something failed: a folder that cannot be written, a disk that is full, a training that diverged |
//! | 2 | what was given does not fit: options, or what a file holds |
//! | 130 | interrupted by Ctrl-C or a signal |

use clap::Parser;
use simloss_train::{
    Error,
    cli::{Cli, commands},
};
use std::{
    io::Write,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
};

static STOP: AtomicBool = AtomicBool::new(false);
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // The first Ctrl-C asks to stop between two batches, the second one does not ask.
    let handler = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED.into());
        }
    });
    if let Err(error) = handler {
        eprintln!("note: Ctrl-C will end the program at once: {error}");
    }
    let result = commands::run(cli, &STOP);
    match result {
        Ok(text) => {
            // Whoever stops reading early (`simloss | head`) has seen enough.
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {}", commands::with_causes(&error));
            ExitCode::from(exit_code(&error))
        }
    }
}

fn exit_code(error: &Error) -> u8 {
    match error {
        Error::Interrupted { .. } => INTERRUPTED,
        Error::Usage(_)
        | Error::Setting { .. }
        | Error::Feature { .. }
        | Error::Data { .. }
        | Error::Format { .. }
        | Error::OtherRun { .. }
        | Error::Exists { .. }
        | Error::Checked { .. }
        | Error::InstructionSet { .. }
        | Error::Text(_)
        | Error::Table(_)
        | Error::Similarity(_)
        | Error::Image(_)
        | Error::File { action: "read", .. } => 2,
        _ => 1,
    }
}
