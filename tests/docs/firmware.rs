//! `docs/microcontroller.md` and README: what firmware costs, from `firmware.json`.

use super::{Sections, says};
use simloss_bench::record::{self, Row};
use simloss_tests::{
    Outcome,
    documents::{self, Section, Table, grouped},
};
use simloss_train::{
    compute::network::Kind,
    model::firmware::{Frozen, Head},
};
use std::{collections::BTreeSet, error::Error};

const DOCUMENT: &str = "docs/microcontroller.md";

/// One binary on one board.
#[derive(Debug, serde::Deserialize)]
struct Firmware {
    target: String,
    board: String,
    binary: String,
    api: String,
    features: usize,
    classes: usize,
    #[serde(default)]
    instructions_per_step: usize,
    text_bytes: usize,
    rodata_bytes: usize,
    static_ram_bytes: usize,
    stack_bytes: usize,
}

impl Firmware {
    /// Text and constants.
    fn code(&self) -> usize {
        self.text_bytes + self.rodata_bytes
    }

    fn optimizer(&self) -> &str {
        self.binary.split_once('-').map_or("", |(optimizer, _)| optimizer)
    }
}

/// The programs of the functions that `device::Head` calls; `tests/front.rs` compares those of the head with them.
fn rows() -> Result<Vec<Firmware>, Box<dyn Error>> {
    let rows: Vec<Firmware> = serde_json::from_str(&documents::record("firmware.json")?)?;
    Ok(rows.into_iter().filter(|row| row.api == "raw").collect())
}

/// Name, board of QEMU and target of the cores that are measured. That of a Cortex-M0 is too small for most.
const CORES: [(&str, &str, &str); 5] = [
    ("Cortex-M4F", "mps2-an386", "thumbv7em-none-eabihf"),
    ("Cortex-M7", "mps2-an500", "thumbv7em-none-eabihf"),
    ("Cortex-M3", "mps2-an385", "thumbv7m-none-eabi"),
    ("Cortex-M0", "mps2-an385", "thumbv6m-none-eabi"),
    ("RISC-V, no FPU", "virt", "riscv32imac-unknown-none-elf"),
];

/// Binaries that the document shows.
const BINARIES: [&str; 8] = [
    "sgd-cce",
    "sgd-order",
    "sgd-proper",
    "accumulate-order",
    "momentum-order",
    "adam-cce",
    "adam-order",
    "adam-proper",
];

/// A figure of the binaries for 80 -> 90: a row a core.
fn by_core(rows: &[Firmware], figure: &dyn Fn(&Firmware) -> usize) -> Result<Table, Box<dyn Error>> {
    let head: Vec<&str> = [&["80 -> 90"], &BINARIES[..]].concat();
    let mut table = Table::new(&head);
    for (core, board, target) in CORES {
        let mut cells = vec![core.to_owned()];
        for binary in BINARIES {
            let fits =
                |row: &&Firmware| (&*row.board, &*row.target, &*row.binary, row.classes) == (board, target, binary, 90);
            let row = rows.iter().find(fits).ok_or(format!("{binary} on {board}"))?;
            cells.push(figure(row).to_string());
        }
        table.row(cells);
    }
    Ok(table)
}

fn flash(rows: &[Firmware]) -> Result<Table, Box<dyn Error>> {
    let mut table = by_core(rows, &Firmware::code)?;
    let mut cells = vec!["Cortex-M0, 16 -> 8".to_owned()];
    for binary in BINARIES {
        let row = rows.iter().find(|row| row.board == "microbit" && row.binary == binary).ok_or("no binary")?;
        cells.push(row.code().to_string());
    }
    table.row(cells);
    Ok(table)
}

fn stack(rows: &[Firmware]) -> Result<Table, Box<dyn Error>> {
    let optimizers = ["sgd", "momentum", "adam", "accumulate"];
    let head: Vec<&str> = [&["80 -> 90"], &optimizers[..]].concat();
    let mut table = Table::new(&head);
    for (core, board, target) in CORES {
        let mut cells = vec![core.to_owned()];
        for optimizer in optimizers {
            let of = |row: &&Firmware| (&*row.board, &*row.target, row.optimizer()) == (board, target, optimizer);
            let bytes: Vec<usize> = rows.iter().filter(of).map(|row| row.stack_bytes).collect();
            let (least, most) = bytes.iter().min().zip(bytes.iter().max()).ok_or("no binary")?;
            cells.push(if least == most { most.to_string() } else { format!("{least} to {most}") });
        }
        table.row(cells);
    }
    Ok(table)
}

/// What fits in 8 KB of flash.
fn eight(rows: &[Firmware]) -> Result<Table, Box<dyn Error>> {
    let mut table = Table::new(&["core", "head", "binary, and its bytes with the vector table"]);
    let small = CORES.iter().filter(|core| core.0 == "Cortex-M0").map(|&(core, _, target)| (core, "microbit", target));
    for (core, board, target) in CORES.into_iter().chain(small) {
        let vectors = match target {
            "thumbv6m-none-eabi" => 192,
            "riscv32imac-unknown-none-elf" => 0,
            _ => 1024,
        };
        let of = rows.iter().filter(|row| row.board == board && row.target == target);
        let mut fit: Vec<(usize, &Firmware)> = of.clone().map(|row| (row.code() + vectors, row)).collect();
        fit.retain(|(bytes, _)| *bytes <= 8 * 1024);
        fit.sort_by_key(|(bytes, _)| *bytes);
        let fit: Vec<String> = fit.iter().map(|(bytes, row)| format!("{} {}", row.binary, grouped(*bytes))).collect();
        let Firmware { features, classes, .. } = of.clone().next().ok_or("no binary")?;
        let fit = if fit.is_empty() { "none".to_owned() } else { fit.join(", ") };
        table.row([core.to_owned(), format!("{features} -> {classes}"), fit]);
    }
    Ok(table)
}

/// The first table of README.
fn measured(rows: &[Firmware]) -> Result<Table, Box<dyn Error>> {
    let (_, errors) = record::read::<Row>(&documents::record("stability.json")?)?;
    let loss = |of: &str| {
        let is_it = |row: &&Row| (&*row.quantity, &*row.implementation, &*row.scalar) == ("loss", of, "f32");
        errors.iter().find(is_it).ok_or(format!("no {of}"))
    };
    let (ours, published) = (loss("simloss")?, loss("published")?);
    assert!(published.max_rel >= 1.0, "{published:?}");
    let m4f = |binary: &str| {
        let is_it = |row: &&Firmware| row.board == "mps2-an386" && row.binary == binary;
        rows.iter().find(is_it).ok_or(format!("no {binary}"))
    };
    let (order, plain) = (m4f("sgd-order")?, m4f("sgd-cce")?);
    let [steps, code, ram, parameters, more] = [
        order.instructions_per_step,
        order.code(),
        order.static_ram_bytes,
        4 * (order.features + 1) * order.classes,
        order.instructions_per_step - plain.instructions_per_step,
    ]
    .map(grouped);
    let optimizers: BTreeSet<&str> = rows.iter().map(Firmware::optimizer).filter(|of| *of != "accumulate").collect();
    let losses: BTreeSet<&str> = rows.iter().filter_map(|row| Some(row.binary.split_once('-')?.1)).collect();
    let vectors = documents::read("tests/firmware/golden/vectors.txt")?.lines().count();
    let record = |name: &str| format!("[{name}](docs/records/{name})");
    let (stability, costs) = (record("stability.json"), record("firmware.json"));
    let Firmware { features, classes, .. } = order;
    let mut table = Table::new(&["", "measured", "record"]);
    table.row([
        format!("worst error of the `f32` loss, {} hard cases", grouped(ours.inputs as usize)),
        format!("{:.1} ulp (published formula: no correct digit)", ours.max_ulp),
        stability,
    ]);
    table.row([
        format!("one SGD step of an {features} -> {classes} head, Cortex-M4F"),
        format!(
            "{steps} instructions, {code} bytes of code and constants, {ram} bytes of static RAM, of which {parameters} \
             are parameters"
        ),
        costs.clone(),
    ]);
    table.row([
        "SimLoss in that step, compared with cross entropy".to_owned(),
        format!("{more} more instructions"),
        costs,
    ]);
    table.row([
        "bit-identical results".to_owned(),
        format!(
            "x86-64, Cortex-M3, M4F, M7, RISC-V, and code for the Cortex-M0: {vectors} vectors, {} optimizers, {} losses",
            optimizers.len(),
            losses.len()
        ),
        "`./tests/run.sh firmware`".to_owned(),
    ]);
    Ok(table)
}

pub fn sections() -> Sections {
    let rows = rows()?;
    Ok(vec![
        Section::new("README.md", "measured", measured(&rows)?),
        Section::new(DOCUMENT, "flash", flash(&rows)?),
        Section::new(DOCUMENT, "time", by_core(&rows, &|row| row.instructions_per_step)?),
        Section::new(DOCUMENT, "stack", stack(&rows)?),
        Section::new(DOCUMENT, "eight", eight(&rows)?),
    ])
}

/// What the formula of the document says of a binary's RAM.
fn ram(row: &Firmware) -> Option<usize> {
    let (optimizer, loss) = row.binary.split_once('-')?;
    let (f, c) = (row.features, row.classes);
    let parameters = (f + 1) * c;
    // The gradient of a mean takes as much as a moment.
    let moments = if optimizer == "accumulate" {
        1
    } else {
        ["sgd", "momentum", "adam"].iter().position(|name| *name == optimizer)?
    };
    let similarity = match loss {
        "cce" => 0,
        "order" => 2 * c - 1,
        "proper" => 2 * c - 1 + 4 * c,
        "dense" => c * c,
        "sparse" => c * (2 * 4 + 1) + c,
        _ => return None,
    };
    Some(4 * (parameters * (1 + moments) + 2 * c + f + similarity))
}

fn within(a: usize, b: usize, percent: usize) -> bool {
    100 * a.abs_diff(b) <= percent * b
}

#[test]
fn the_memory_formula_is_right_within_five_percent() -> Outcome {
    let rows = rows()?;
    assert!(rows.len() >= 78, "{}", rows.len());
    for row in &rows {
        let formula = ram(row).ok_or("a binary without a formula")?;
        assert!(within(formula, row.static_ram_bytes, 5), "{formula} bytes for {row:?}");
        // A smaller head has no more text.
        let twin =
            |other: &&Firmware| other.target == row.target && other.binary == row.binary && other.classes < row.classes;
        if let Some(other) = rows.iter().find(twin) {
            assert!(other.text_bytes <= row.text_bytes, "{row:?} {other:?}");
        }
    }
    Ok(())
}

/// The layers before a head of one layer, of two networks.
#[test]
fn sizes_of_frozen_layers_are_as_documented() -> Outcome {
    let sizes = |network: &Kind| -> Result<[usize; 2], Box<dyn Error>> {
        let frozen = Frozen::of(network, &Head::of(network, 1)?, None)?;
        let module = frozen.module();
        let (_, memory) = module.split_once("pub const MEMORY: usize = ").ok_or("no memory")?;
        let memory: usize = memory.split(';').next().unwrap_or_default().parse()?;
        Ok([4 * frozen.shape().parameters, 4 * (frozen.shape().inputs + memory)])
    };
    let [flash, ram] = sizes(&Kind::LeNet { classes: 96 })?.map(|bytes| (bytes as f64 / 1e3).round());
    let [ages, _] = sizes(&Kind::Ages { classes: 90 })?;
    says(
        DOCUMENT,
        &[format!("{flash} KB of flash and {ram} KB of RAM"), format!("{:.2} MB of flash", ages as f64 / 1e6)],
    )
}

/// What the device must not exceed: an 80 -> 90 head on a Cortex-M4F.
#[test]
fn recorded_costs_are_within_the_budget() -> Outcome {
    let rows = rows()?;
    let m4f = |binary: &str| rows.iter().find(|row| row.board == "mps2-an386" && row.binary == binary);
    for (optimizer, most) in [("sgd", 95_000), ("momentum", 130_000), ("adam", 213_000)] {
        let baseline = m4f(&format!("{optimizer}-cce")).ok_or("no cross entropy")?.instructions_per_step;
        for loss in ["cce", "order", "sparse", "dense"] {
            let row = m4f(&format!("{optimizer}-{loss}")).ok_or("no such binary")?;
            assert!(row.instructions_per_step <= most, "{row:?}");
            // The goal is 2%. SGD with stored similarities misses it: 2.2% (dense) and 2.4% (sparse) of a faster step.
            let most = if optimizer == "sgd" && ["dense", "sparse"].contains(&loss) { 3 } else { 2 };
            assert!(within(row.instructions_per_step, baseline, most), "{row:?}");
            assert!(optimizer != "sgd" || row.text_bytes <= 8 * 1024, "{row:?}");
        }
        // At most 36,000 instructions more than SimLoss's step. The goal, a quarter more, is missed; the document says so.
        let (order, proper) = (m4f(&format!("{optimizer}-order")), m4f(&format!("{optimizer}-proper")));
        let (order, proper) = order.zip(proper).ok_or("no proper SimLoss")?;
        assert!(proper.instructions_per_step <= order.instructions_per_step + 36_000, "{proper:?}");
        assert!(proper.text_bytes <= order.text_bytes + 7 * 1024, "{proper:?}");
    }
    Ok(())
}
