//! The same bits whatever computes them: any instruction set, any number of threads, debug or release, in one piece or
//! after a kill.
//!
//! What comes out is held against `golden/same_bits.json`, which every build and machine shares. After a change that is
//! meant to change bits, the message of a failing test says what to write there.

use serde::Deserialize;
use sha2::{Digest, Sha256};
use simloss_core::Random;
use simloss_train::{compute::lanes::InstructionSet, model::Model, run::record::Record};
use std::{
    collections::BTreeMap,
    error::Error,
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

type Outcome = Result<(), Box<dyn Error>>;

const GOLDEN: &str = include_str!("golden/same_bits.json");

/// SHA-256 over the parameters of the best epoch, and over all that the record says of epochs and test.
#[derive(Debug, PartialEq, Deserialize)]
struct Bits {
    parameters: String,
    results: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bits(run: &Path) -> Result<Bits, Box<dyn Error>> {
    let mut parameters = Sha256::new();
    for p in Model::load(&run.join("model.safetensors"))?.parameters {
        parameters.update(p.to_bits().to_le_bytes());
    }
    let record = Record::load(&run.join("record.json"))?;
    let results = serde_json::to_string(&(&record.epochs, &record.result))?;
    Ok(Bits { parameters: hex(&parameters.finalize()), results: hex(&Sha256::digest(results)) })
}

/// CIFAR-100 of noise, lighter or darker by class: `images` to train and validate, an eighth of that to test.
fn cifar(dir: &Path, images: usize) -> Outcome {
    let mut random = Random::new(7);
    let mut records = |images: usize| -> Vec<u8> {
        let mut bytes = vec![];
        for i in 0..images {
            let class = (i % 100) as u8;
            bytes.extend([class / 5, class]);
            bytes.extend((0..3072).map(|_| class + random.below(128) as u8));
        }
        bytes
    };
    let lines = |n: usize, letter: char| (0..n).map(|i| format!("{letter}{i:02}\n")).collect::<String>();
    let dir = dir.join("cifar");
    fs::create_dir(&dir)?;
    fs::write(dir.join("train.bin"), records(images))?;
    fs::write(dir.join("test.bin"), records(images / 8))?;
    fs::write(dir.join("fine_label_names.txt"), lines(100, 'n'))?;
    Ok(fs::write(dir.join("coarse_label_names.txt"), lines(20, 'g'))?)
}

fn simloss(dir: &Path, arguments: &str, set: &str, out: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_simloss"));
    command.current_dir(dir).env("SIMLOSS_SIMD", set).stdout(Stdio::null()).stderr(Stdio::null());
    command.args("train cifar100 cifar --similarity none --seed 5".split(' ')).args(arguments.split(' '));
    command.args(["--out", out]);
    command
}

const RUN: &str = "runs/cross-entropy/seed-5";

fn golden(size: &str) -> Result<Bits, Box<dyn Error>> {
    let mut golden: BTreeMap<String, Bits> = serde_json::from_str(GOLDEN)?;
    golden.remove(size).ok_or_else(|| format!("golden/same_bits.json has no {size}").into())
}

/// Every instruction set of this processor, on one thread and on two.
fn everywhere(size: &str, images: usize, arguments: &str) -> Outcome {
    let dir = TempDir::new()?;
    let dir = dir.path();
    cifar(dir, images)?;
    for set in InstructionSet::available() {
        for threads in [1, 2] {
            let out = format!("{}-{threads}", set.name());
            let status = simloss(dir, &format!("{arguments} --threads {threads}"), set.name(), &out).status()?;
            assert!(status.success(), "{out}: {status}");
            assert_eq!(bits(&dir.join(&out).join(RUN))?, golden(size)?, "{size}: {out} differs from the golden bits");
        }
    }
    Ok(())
}

#[test]
fn two_epochs_have_the_golden_bits_everywhere() -> Outcome {
    everywhere("short", 320, "--epochs 2 --batch 96")
}

const LONG: (usize, &str) = (4096, "--epochs 3 --batch 1024");

#[test]
#[ignore = "trains for minutes: ./tests/run.sh deep-bits"]
fn three_epochs_have_the_golden_bits_everywhere() -> Outcome {
    everywhere("long", LONG.0, LONG.1)
}

#[test]
#[ignore = "trains for minutes: ./tests/run.sh deep-bits"]
fn a_killed_run_resumes_to_the_golden_bits() -> Outcome {
    let dir = TempDir::new()?;
    let dir = dir.path();
    cifar(dir, LONG.0)?;
    let set = InstructionSet::chosen()?.name();
    let run = dir.join("killed").join(RUN);
    let mut child = simloss(dir, LONG.1, set, "killed").spawn()?;
    let begun = Instant::now();
    while !run.join("state.safetensors").exists() {
        assert!(begun.elapsed() < Duration::from_secs(300), "no epoch within five minutes");
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill()?;
    child.wait()?;
    assert_eq!(Record::load(&run.join("record.json"))?.result, None, "it ended before it was killed");
    let status = simloss(dir, &format!("{} --resume", LONG.1), set, "killed").status()?;
    assert!(status.success(), "{status}");
    assert_eq!(bits(&run)?, golden("long")?, "the killed run differs from the golden bits");
    Ok(())
}
