//! Documents and records say the same.

use simloss_bench::{
    curve::{self, Line},
    record::{self, Row},
};
use simloss_tests::Outcome;
use simloss_train::{
    compare::statistics::{SIGNIFICANCE, Summary, holm, paired},
    compute::network::Kind,
    model::firmware::{Frozen, Head},
    report::{
        picture,
        records::{self, Results, Run},
    },
    run::record::Selection,
    similarity::spec::{Link, LossKind, Truth},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

const NUMERICS: &str = include_str!("../docs/numerics.md");
const STABILITY: &str = include_str!("../docs/records/stability.json");
const MICROCONTROLLER: &str = include_str!("../docs/microcontroller.md");
const FIRMWARE: &str = include_str!("../docs/records/firmware.json");
/// One vector a line.
const VECTORS: &str = include_str!("firmware/golden/vectors.txt");
const STORY: &str = include_str!("../docs/records/story.json");
const DRAWS: &str = include_str!("../docs/records/draws.json");
const PEERS: &str = include_str!("../docs/records/peers-stability.json");
const PERFORMANCE: &str = include_str!("../docs/performance.md");
const THROUGHPUT: &str = include_str!("../docs/records/throughput.json");
const THROUGHPUT_AVX2: &str = include_str!("../docs/records/throughput-avx2.json");
const LOAD: &str = include_str!("../docs/records/load.json");
const CURVE: &str = include_str!("../docs/records/curve.json");
const CURVE_PLOT: &str = include_str!("../docs/records/curve.svg");
/// One JSON object a line: one that says how the ratios were made, and [`Beside`].
const SIDE_BY_SIDE: &str = include_str!("../docs/records/peers-speed.json");
const TIMES: &str = include_str!("../docs/records/benches.json");
const BENCH: &str = include_str!("../simloss-bench/src/lib.rs");
const README: &str = include_str!("../README.md");
const REPRODUCTION: &str = include_str!("../docs/reproduction.md");
/// Comparisons on images, as `simloss train` writes them to `results.json`.
const DIGITS: (&str, &str) = ("folder-digits", include_str!("../docs/records/folder-digits.json"));
const FEW_FACES: [(&str, &str); 2] = [
    ("age-utkface4k", include_str!("../docs/records/age-utkface4k.json")),
    ("age-utkface4k-batch1024", include_str!("../docs/records/age-utkface4k-batch1024.json")),
];

/// Finished runs of the full grids, as `simloss report --record` writes them.
const CIFAR100: &str = include_str!("../docs/records/cifar100.json");
const AGE: &str = include_str!("../docs/records/age.json");
/// The family of losses: on the wine of the demo, on few faces, and on the digits.
const WINE: &str = include_str!("../docs/records/wine.json");
const FAMILY_PLOT: &str = include_str!("../docs/records/family.svg");
const FACES_FAMILY: &str = include_str!("../docs/records/utkface4k.json");
const DIGITS_FAMILY: &str = include_str!("../docs/records/digits.json");

/// The text between `<!-- name -->` and the next `<!-- end -->`.
fn between(document: &'static str, name: &str) -> &'static str {
    let after = document.split_once(&format!("<!-- {name} -->\n")).map_or("", |(_, after)| after);
    after.split_once("<!-- end -->").map_or("", |(table, _)| table)
}

fn short(x: f64) -> String {
    if x < 1e4 { format!("{x:.2}") } else { format!("{x:.1e}") }
}

fn table(rows: &[Row]) -> Result<String, std::fmt::Error> {
    let mut table = String::from("| quantity | of | in | inputs | worst ulp | bound | worst relative error |\n");
    table += "|---|---|---|---|---|---|---|\n";
    for row in rows {
        let Row { quantity, implementation, scalar, inputs, bound_ulp, .. } = row;
        let (ulp, relative) = (short(row.max_ulp), format!("{:.1e}", row.max_rel));
        writeln!(table, "| {quantity} | {implementation} | {scalar} | {inputs} | {ulp} | {bound_ulp} | {relative} |")?;
    }
    Ok(table)
}

#[test]
fn the_tables_of_numerics_are_those_of_the_records() -> Outcome {
    let (machine, rows) = record::read::<Row>(STABILITY)?;
    let (other, peers) = record::read::<Row>(PEERS)?;
    for machine in [machine, other] {
        assert!(!machine.processor.is_empty() && machine.rustc.starts_with("rustc 1."), "{machine:?}");
    }
    let is_ours = |row: &Row| ["simloss", "cce"].contains(&row.implementation.as_str());
    let (ours, mut others): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_ours);
    others.extend(peers);
    for (name, rows) in [("ours", ours), ("others", others)] {
        let expected = table(&rows)?;
        assert!(
            !rows.is_empty() && between(NUMERICS, name) == expected,
            "docs/numerics.md should have, at '{name}':\n{expected}"
        );
    }
    Ok(())
}

#[test]
fn what_is_recorded_of_ours_is_within_its_bounds() -> Outcome {
    let (_, rows) = record::read::<Row>(STABILITY)?;
    for row in rows {
        let ours = ["simloss", "cce"].contains(&row.implementation.as_str());
        assert_eq!(row.within, row.max_ulp <= row.bound_ulp);
        assert!(row.within == ours, "{row:?}");
    }
    Ok(())
}

#[test]
fn defects_of_others_are_tests_here() -> Outcome {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../");
    let mut tests = 0;
    for row in between(NUMERICS, "defects").lines().skip(2) {
        let [_, file, _, name, _] = row.split('`').collect::<Vec<_>>()[..] else { return Err(row.into()) };
        let text = std::fs::read_to_string(format!("{folder}{file}")).map_err(|e| format!("{file}: {e}"))?;
        assert!(text.contains(&format!("#[test]\nfn {name}()")), "{file} has no test {name}");
        tests += 1;
    }
    assert_eq!(tests, 10);
    Ok(())
}

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

/// The programs by the functions that `device::Head` calls: what the tables say; `tests/front.rs` compares those by the head.
fn firmware() -> Result<Vec<Firmware>, serde_json::Error> {
    let rows: Vec<Firmware> = serde_json::from_str(FIRMWARE)?;
    Ok(rows.into_iter().filter(|row| row.api == "raw").collect())
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

/// Name, board of QEMU and target of the cores that are measured. That of a Cortex-M0 is too small for most.
const CORES: [(&str, &str, &str); 5] = [
    ("Cortex-M4F", "mps2-an386", "thumbv7em-none-eabihf"),
    ("Cortex-M7", "mps2-an500", "thumbv7em-none-eabihf"),
    ("Cortex-M3", "mps2-an385", "thumbv7m-none-eabi"),
    ("Cortex-M0", "mps2-an385", "thumbv6m-none-eabi"),
    ("RISC-V, no FPU", "virt", "riscv32imac-unknown-none-elf"),
];

/// Thousands apart: 89,200.
fn grouped(n: usize) -> String {
    match n / 1000 {
        0 => n.to_string(),
        thousands => format!("{},{:03}", grouped(thousands), n % 1000),
    }
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
fn the_budget_formula_is_right_within_five_percent() -> Outcome {
    let rows = firmware()?;
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

#[test]
fn the_tables_of_the_microcontroller_are_those_of_the_record() -> Outcome {
    let rows = firmware()?;
    let of = |board: &str, target: &str, binary: &str| {
        let fits = |row: &&Firmware| row.board == board && row.target == target && row.binary == binary;
        rows.iter().find(fits).filter(|row| row.classes == 90).ok_or(format!("{binary} on {board}"))
    };
    let binaries = [
        "sgd-cce",
        "sgd-order",
        "sgd-proper",
        "accumulate-order",
        "momentum-order",
        "adam-cce",
        "adam-order",
        "adam-proper",
    ];
    let head = format!("| 80 -> 90 | {} |\n|---|{}\n", binaries.join(" | "), "---|".repeat(binaries.len()));
    let (mut flash, mut time) = (head.clone(), head);
    for (core, board, target) in CORES {
        write!(flash, "| {core} |")?;
        write!(time, "| {core} |")?;
        for binary in binaries {
            let row = of(board, target, binary)?;
            write!(flash, " {} |", row.code())?;
            write!(time, " {} |", row.instructions_per_step)?;
        }
        flash.push('\n');
        time.push('\n');
    }
    flash += "| Cortex-M0, 16 -> 8 |";
    for binary in binaries {
        let row = rows.iter().find(|row| row.board == "microbit" && row.binary == binary).ok_or("no binary")?;
        write!(flash, " {} |", row.code())?;
    }
    flash.push('\n');
    let optimizers = ["sgd", "momentum", "adam", "accumulate"];
    let mut stack = format!("| 80 -> 90 | {} |\n|---|{}\n", optimizers.join(" | "), "---|".repeat(optimizers.len()));
    for (core, board, target) in CORES {
        write!(stack, "| {core} |")?;
        for optimizer in optimizers {
            let of =
                rows.iter().filter(|row| (&*row.board, &*row.target, row.optimizer()) == (board, target, optimizer));
            let bytes: Vec<usize> = of.map(|row| row.stack_bytes).collect();
            let (least, most) = bytes.iter().min().zip(bytes.iter().max()).ok_or("no binary")?;
            match least == most {
                true => write!(stack, " {most} |")?,
                false => write!(stack, " {least} to {most} |")?,
            }
        }
        stack.push('\n');
    }
    let mut eight = String::from("| core | head | binary, and its bytes with the vector table |\n|---|---|---|\n");
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
        writeln!(eight, "| {core} | {features} -> {classes} | {fit} |")?;
    }
    for (name, expected) in [("flash", flash), ("time", time), ("stack", stack), ("eight", eight)] {
        let found = between(MICROCONTROLLER, name);
        assert!(found == expected, "docs/microcontroller.md should have, at '{name}':\n{expected}");
    }
    Ok(())
}

/// The first table that anybody reads.
#[test]
fn the_front_page_has_the_figures_of_the_records() -> Outcome {
    let (_, rows) = record::read::<Row>(STABILITY)?;
    let loss = |of: &str| {
        let is_it = |row: &&Row| (&*row.quantity, &*row.implementation, &*row.scalar) == ("loss", of, "f32");
        rows.iter().find(is_it).ok_or(format!("no {of}"))
    };
    let (ours, published) = (loss("simloss")?, loss("published")?);
    assert!(published.max_rel >= 1.0, "{published:?}");
    let firmware = firmware()?;
    let m4f = |binary: &str| {
        let is_it = |row: &&Firmware| row.board == "mps2-an386" && row.binary == binary;
        firmware.iter().find(is_it).ok_or(format!("no {binary}"))
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
    let optimizers: BTreeSet<&str> =
        firmware.iter().map(Firmware::optimizer).filter(|of| *of != "accumulate").collect();
    let losses: BTreeSet<&str> = firmware.iter().filter_map(|row| Some(row.binary.split_once('-')?.1)).collect();
    let record = |name: &str| format!("[{name}](docs/records/{name})");
    let (stability, costs) = (record("stability.json"), record("firmware.json"));
    let expected = format!(
        "| | | record |\n|---|---|---|\n\
        | worst error of the loss, {} hard cases, `f32` | {:.1} ulp (published formula: no correct digit) | {stability} |\n\
        | one training step of an {} -> {} head on a Cortex-M4F, SGD | {steps} instructions, {code} bytes of code and \
        constants, {ram} bytes of static RAM, of them {parameters} parameters | {costs} |\n\
        | what SimLoss adds to that step over cross entropy | {more} instructions | {costs} |\n\
        | the same bits | x86-64, Cortex-M3, M4F, M7, RISC-V, and code for the Cortex-M0: {} vectors, {} optimizers, \
        {} losses | `./tests/run.sh firmware` |\n",
        grouped(ours.inputs as usize),
        ours.max_ulp,
        order.features,
        order.classes,
        VECTORS.lines().count(),
        optimizers.len(),
        losses.len(),
    );
    assert!(between(README, "measured") == expected, "README.md should have, at 'measured':\n{expected}");
    Ok(())
}

/// What lies before a head of one layer: of which two networks the document says how much it takes.
#[test]
fn sizes_of_frozen_layers_are_those_of_the_networks() -> Outcome {
    let sizes = |network: &Kind| -> Result<[usize; 2], Box<dyn std::error::Error>> {
        let frozen = Frozen::of(network, &Head::of(network, 1)?, None)?;
        let module = frozen.module();
        let (_, memory) = module.split_once("pub const MEMORY: usize = ").ok_or("no memory")?;
        let memory: usize = memory.split(';').next().unwrap_or_default().parse()?;
        Ok([4 * frozen.shape().parameters, 4 * (frozen.shape().inputs + memory)])
    };
    let [flash, ram] = sizes(&Kind::LeNet { classes: 96 })?.map(|bytes| (bytes as f64 / 1e3).round());
    assert!(MICROCONTROLLER.contains(&format!("{flash} KB of flash and {ram} KB of RAM")), "{flash} {ram}");
    let [flash, _] = sizes(&Kind::Ages { classes: 90 })?;
    assert!(MICROCONTROLLER.contains(&format!("{:.2} MB of flash", flash as f64 / 1e6)), "{flash}");
    Ok(())
}

/// What `tests/story.rs` writes of one drift.
#[derive(Debug, serde::Deserialize)]
struct Story {
    drift: String,
    samples: usize,
    judged: usize,
    rounds: usize,
    plays: Vec<Told>,
}

#[derive(Debug, serde::Deserialize)]
struct Told {
    trained: String,
    tuned: String,
    before: Figures,
    drifted: Figures,
    adapted: Figures,
    rounds_kept: usize,
    instructions: u64,
}

#[derive(Debug, serde::Deserialize)]
struct Figures {
    accuracy: f64,
    mae: f64,
}

#[test]
fn the_story_is_that_of_the_record() -> Outcome {
    let stories: BTreeMap<String, Story> = serde_json::from_str(STORY)?;
    assert!(stories.contains_key("wine") && stories.contains_key("faces"), "{:?}", stories.keys());
    let mut table = String::from(
        "| | before drift | after drift | after adaptation | rounds kept | million instructions |\n|---|---|---|---|---|---|\n",
    );
    for (name, story) in &stories {
        let Story { drift, samples, judged, rounds, plays } = story;
        assert!(
            MICROCONTROLLER.contains(&format!("{samples} samples"))
                && MICROCONTROLLER.contains(&format!("{judged} others"))
        );
        for told in plays {
            // A drift that does no harm has nothing to tell.
            assert!(
                told.drifted.mae > told.before.mae && told.drifted.accuracy < told.before.accuracy,
                "{drift}: {told:?}"
            );
            let Told { trained, tuned, before, drifted, adapted, rounds_kept, instructions } = told;
            write!(table, "| {name}: {trained}, tuned by {tuned} |")?;
            for Figures { accuracy, mae } in [before, drifted, adapted] {
                write!(table, " {:.1} %, {mae:.3} |", 100.0 * accuracy)?;
            }
            writeln!(table, " {rounds_kept} of {rounds} | {:.0} |", *instructions as f64 / 1e6)?;
        }
    }
    let found = between(MICROCONTROLLER, "story");
    assert!(found == table, "docs/microcontroller.md should have, at 'story':\n{table}");
    Ok(())
}

/// What `tests/draws.rs` writes of one story.
#[derive(Debug, serde::Deserialize)]
struct Drawn {
    seeds: Vec<u64>,
    samples: Vec<usize>,
    judged: Vec<usize>,
    rounds: usize,
    overlap: f64,
    networks: Vec<Drifted>,
}

#[derive(Debug, serde::Deserialize)]
struct Drifted {
    trained: String,
    before: BTreeMap<String, Drawings>,
    drifted: BTreeMap<String, Drawings>,
    tuned: Vec<Tuned>,
}

#[derive(Debug, serde::Deserialize)]
struct Tuned {
    loss: String,
    r: Option<f64>,
    rate: f64,
    rounds_kept: Vec<usize>,
    adapted: BTreeMap<String, Drawings>,
    #[serde(default)]
    against: BTreeMap<String, Against>,
}

/// One measure over the draws.
#[derive(Debug, serde::Deserialize)]
struct Drawings {
    mean: f64,
    std: f64,
    draws: Vec<f64>,
}

/// One measure against that of cross entropy.
#[derive(Debug, serde::Deserialize)]
struct Against {
    difference: f64,
    std: f64,
    p: Option<f64>,
    holm: Option<f64>,
}

const MEASURES: [&str; 4] = ["accuracy", "mae", "median_mae", "nll"];

#[test]
fn the_draws_are_those_of_the_record() -> Outcome {
    let drawn: BTreeMap<String, Drawn> = serde_json::from_str(DRAWS)?;
    assert!(drawn.keys().eq(["faces", "wine"]), "{:?}", drawn.keys());
    let mut table = String::from(
        "| | accuracy | MAE | against cross entropy | MAE of the median | against cross entropy | NLL | draws below untuned MAE |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    let spread = |scores: &Drawings, factor: f64, digits: usize| {
        format!("{:.digits$} ({:.digits$})", factor * scores.mean, factor * scores.std)
    };
    for (name, Drawn { networks, .. }) in &drawn {
        for network in networks {
            let Drifted { trained, before, drifted, tuned } = network;
            for (what, scores) in [("before drift", before), ("after drift", drifted)] {
                let [accuracy, mae, median, nll] = MEASURES.map(|measure| &scores[measure]);
                let (accuracy, nll) = (spread(accuracy, 100.0, 1), spread(nll, 1.0, 2));
                let [mae, median] = [mae, median].map(|scores| spread(scores, 1.0, 3));
                writeln!(table, "| {name}, {trained}: {what} | {accuracy} % | {mae} | | {median} | | {nll} | |")?;
            }
            for Tuned { loss, r, rate, adapted, against, .. } in tuned {
                let [accuracy, mae, median, nll] = MEASURES.map(|measure| &adapted[measure]);
                let below = mae.draws.iter().zip(&drifted["mae"].draws).filter(|(mae, untuned)| mae < untuned).count();
                let below = format!("{below} of {}", mae.draws.len());
                let (accuracy, nll) = (spread(accuracy, 100.0, 1), spread(nll, 1.0, 2));
                let [mae, median] = [mae, median].map(|scores| spread(scores, 1.0, 3));
                let [of_mae, of_median] = ["mae", "median_mae"].map(|measure| {
                    against.get(measure).map_or(String::new(), |test| {
                        let p = test.holm.map_or("no test".to_owned(), |p| {
                            if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") }
                        });
                        format!("{:+.3}, {p}", test.difference)
                    })
                });
                let r = r.map_or(String::new(), |r| format!(", r = {r}"));
                writeln!(
                    table,
                    "| {name}, {trained}: {loss}{r}, rate {rate} | {accuracy} % | {mae} | {of_mae} | {median} | {of_median} \
                     | {nll} | {below} |"
                )?;
            }
        }
    }
    // What the text says of SimLoss.
    let of = |name: &str| -> Result<[usize; 2], Box<dyn std::error::Error>> {
        let network = drawn[name].networks.iter().find(|network| network.trained == "order").ok_or("no network")?;
        let tuned = network.tuned.iter().find(|tuned| tuned.loss == "SimLoss").ok_or("no SimLoss")?;
        let pairs = tuned.adapted["mae"].draws.iter().zip(&network.drifted["mae"].draws);
        Ok([tuned.rounds_kept.iter().filter(|&&kept| kept == 0).count(), pairs.filter(|(mae, un)| mae < un).count()])
    };
    let ([of_faces, falls], [of_wines, also]) = (of("faces")?, of("wine")?);
    assert_eq!(falls, also);
    let text = MICROCONTROLLER.split_whitespace().collect::<Vec<_>>().join(" ");
    for claim in [
        format!(
            "in {of_faces} of 10 draws of the faces, draw 1 among them, and in {of_wines} of 10 draws of the wines"
        ),
        format!("MAE falls in {falls} of 10 draws of each"),
        format!("({:.2} on the faces, {:.2} on the wines)", drawn["faces"].overlap, drawn["wine"].overlap),
    ] {
        assert!(text.contains(&claim), "docs/microcontroller.md should say: {claim}");
    }
    let found = between(MICROCONTROLLER, "draws");
    assert!(found == table, "docs/microcontroller.md should have, at 'draws':\n{table}");
    Ok(())
}

/// Means, spreads and tests are those of the values beside them, and draw 1 is what the device did.
#[test]
fn the_record_of_draws_agrees_with_itself() -> Outcome {
    let drawn: BTreeMap<String, Drawn> = serde_json::from_str(DRAWS)?;
    let stories: BTreeMap<String, Story> = serde_json::from_str(STORY)?;
    // The record has six decimals.
    let near = |a: f64, b: f64, digits: i32| (a - b).abs() <= 10f64.powi(-digits);
    for (name, Drawn { seeds, samples, judged, rounds, overlap, networks }) in &drawn {
        assert!(seeds.iter().copied().eq(1..=10) && samples.len() == 10 && judged.len() == 10);
        let sums = [samples, judged].map(|all| all.iter().sum::<usize>() as f64);
        assert!(near(*overlap, sums[0] / sums[1], 6));
        let story = &stories[name];
        assert_eq!((samples[0], judged[0], *rounds), (story.samples, story.judged, story.rounds));
        for Drifted { trained, before, drifted, tuned } in networks {
            for scores in [before, drifted].into_iter().chain(tuned.iter().map(|tuned| &tuned.adapted)) {
                assert!(scores.len() == MEASURES.len());
                for Drawings { mean, std, draws } in scores.values() {
                    let summary = Summary::of(draws).ok_or("no draws")?;
                    assert!(draws.len() == 10 && near(*mean, summary.mean, 5) && near(*std, summary.deviation, 5));
                }
            }
            let (reference, others) = tuned.split_first().ok_or("nothing was tuned")?;
            assert!(reference.loss == "cross entropy" && reference.against.is_empty());
            for measure in MEASURES {
                let values = |tuned: &Tuned| tuned.adapted[measure].draws.clone();
                let tests: Vec<_> =
                    others.iter().map(|one| paired(&values(one), &values(reference), *overlap)).collect();
                let mut corrected = holm(&tests.iter().flatten().map(|test| test.p).collect::<Vec<_>>()).into_iter();
                for (test, one) in tests.iter().zip(others) {
                    let Against { difference, std, p, holm } = &one.against[measure];
                    assert!(one.adapted[measure].mean - reference.adapted[measure].mean - difference < 1e-5);
                    assert_eq!(p.is_some(), test.is_some(), "{one:?}");
                    let (Some(test), Some(p), Some(holm)) = (test, p, holm) else { continue };
                    assert!(near(*difference, test.difference.mean, 5) && near(*std, test.difference.deviation, 5));
                    assert!(near(*p, test.p, 3) && near(*holm, corrected.next().ok_or("no p")?, 2), "{one:?}");
                }
            }
            for told in story.plays.iter().filter(|told| told.trained == *trained) {
                let loss = if told.tuned == "cce" { "cross entropy" } else { "SimLoss" };
                let tuned = tuned.iter().find(|tuned| tuned.loss == loss).ok_or("a loss that was not drawn")?;
                assert_eq!(tuned.rounds_kept[0], told.rounds_kept);
                for (figures, scores) in
                    [(&told.before, before), (&told.drifted, drifted), (&told.adapted, &tuned.adapted)]
                {
                    assert!(near(figures.accuracy, scores["accuracy"].draws[0], 6));
                    assert!(near(figures.mae, scores["mae"].draws[0], 6));
                }
            }
        }
    }
    Ok(())
}

/// What the device must not exceed: an 80 -> 90 head on a Cortex-M4F.
#[test]
fn recorded_costs_are_within_the_budget() -> Outcome {
    let rows = firmware()?;
    let m4f = |binary: &str| rows.iter().find(|row| row.board == "mps2-an386" && row.binary == binary);
    for (optimizer, most) in [("sgd", 95_000), ("momentum", 130_000), ("adam", 213_000)] {
        let baseline = m4f(&format!("{optimizer}-cce")).ok_or("no cross entropy")?.instructions_per_step;
        for loss in ["cce", "order", "sparse", "dense"] {
            let row = m4f(&format!("{optimizer}-{loss}")).ok_or("no such binary")?;
            assert!(row.instructions_per_step <= most, "{row:?}");
            // The goal is 2 %; SGD with stored similarities misses it, at 2.2 % (dense) and 2.4 % (sparse) of a step that got faster.
            let most = if optimizer == "sgd" && ["dense", "sparse"].contains(&loss) { 3 } else { 2 };
            assert!(within(row.instructions_per_step, baseline, most), "{row:?}");
            assert!(optimizer != "sgd" || row.text_bytes <= 8 * 1024, "{row:?}");
        }
        // At most 36,000 instructions more than a step of SimLoss; the goal, a quarter more, is missed, and the document says so.
        let (order, proper) = (m4f(&format!("{optimizer}-order")), m4f(&format!("{optimizer}-proper")));
        let (order, proper) = order.zip(proper).ok_or("no proper SimLoss")?;
        assert!(proper.instructions_per_step <= order.instructions_per_step + 36_000, "{proper:?}");
        assert!(proper.text_bytes <= order.text_bytes + 7 * 1024, "{proper:?}");
    }
    Ok(())
}

/// Figures of comparisons on images, the means over the seeds of each loss. `folder` leads to the records. Measures that
/// none of them has are left out.
fn images(folder: &str, records: &[(&str, &str)]) -> Result<String, Box<dyn std::error::Error>> {
    let head =
        ["record", "loss", "seeds", "epoch kept", "accuracy", "MAE", "MAE of the expected value", "SA", "FSA", "NLL"];
    let mut rows = vec![];
    for (name, text) in records {
        let results: Results = serde_json::from_str(text)?;
        assert!(!results.runs.is_empty(), "{name} has no runs");
        for runs in results.runs.chunk_by(|a, b| a.loss == b.loss) {
            let mean = |of: &dyn Fn(&Run) -> Option<f64>| {
                let values: Option<Vec<f64>> = runs.iter().map(of).collect();
                values.map(|values| values.iter().sum::<f64>() / runs.len() as f64)
            };
            let percent = |x: Option<f64>| x.map_or(String::new(), |x| format!("{:.1} %", 100.0 * x));
            let number = |x: Option<f64>| x.map_or(String::new(), |x| format!("{x:.2}"));
            // Distances between classes without an order mean nothing.
            let ordered = |x: Option<f64>| number(x.filter(|_| results.settings.selection == Selection::Mae));
            let loss = &runs[0].loss;
            rows.push([
                format!("[{name}]({folder}/{name}.json)"),
                match with_parameter(&loss.similarity, loss.reduction_factor, loss.lower_bound) {
                    plain if plain == "none" => "cross entropy".to_owned(),
                    of => format!("SimLoss, {of}"),
                },
                runs.len().to_string(),
                mean(&|run| Some(run.best_epoch as f64)).map_or(String::new(), |x| format!("{x:.0}")),
                percent(mean(&|run| run.test.scores.argmax.accuracy)),
                ordered(mean(&|run| run.test.scores.argmax.mae)),
                ordered(mean(&|run| run.test.expectation.mae)),
                percent(mean(&|run| run.superclass_accuracy)),
                percent(mean(&|run| run.failed_superclass_accuracy)),
                number(mean(&|run| run.test.scores.likelihood)),
            ]);
        }
    }
    let is_known = |column: &usize| rows.iter().any(|row: &[String; 10]| !row[*column].is_empty());
    let columns: Vec<usize> = (0..head.len()).filter(is_known).collect();
    let mut table = format!("|{}\n", columns.iter().map(|&c| format!(" {} |", head[c])).collect::<String>());
    writeln!(table, "|{}", "---|".repeat(columns.len()))?;
    for row in &rows {
        writeln!(table, "|{}", columns.iter().map(|&c| format!(" {} |", row[c])).collect::<String>())?;
    }
    Ok(table)
}

#[test]
fn figures_of_images_are_those_of_the_records() -> Outcome {
    for (text, name, folder, records) in [
        (README, "README.md", "docs/records", &[DIGITS][..]),
        (REPRODUCTION, "docs/reproduction.md", "records", &FEW_FACES),
    ] {
        let expected = images(folder, records)?;
        assert!(between(text, "images") == expected, "{name} should have, at 'images':\n{expected}");
    }
    Ok(())
}

/// A similarity with what it was made with.
fn with_parameter(similarity: &str, r: Option<f64>, l: Option<f64>) -> String {
    match (r, l) {
        (Some(r), _) => format!("{similarity}, r = {r}"),
        (_, Some(l)) => format!("{similarity}, l = {l}"),
        _ => similarity.to_owned(),
    }
}

/// A line's loss, in words.
fn loss(line: &records::Line) -> String {
    let of = match line.link {
        Link::Threshold => with_parameter(&line.similarity, line.r, line.l),
        Link::Exp(b) => format!("{}, b = {b}", line.similarity),
        Link::Hull => format!("{}, hull", with_parameter(&line.similarity, line.r, line.l)),
    };
    match line.loss {
        LossKind::SimLoss => {}
        LossKind::Proper => return format!("proper, {of}"),
        LossKind::Emd => return "squared EMD".to_owned(),
    }
    match line.truth {
        Truth::Class if line.similarity == "none" => "cross entropy".to_owned(),
        Truth::Class => of,
        Truth::Soft => format!("soft labels, {of}"),
        Truth::Smoothed(share) => format!("label smoothing {share}"),
    }
}

/// What a measure is called in a table, and whether it is in per cent there. Those that are, are better if greater.
#[derive(Clone, Copy)]
struct Shown(&'static str, &'static str, bool);

/// A loss of a comparison: means and standard deviations over its seeds, a cell a measure.
struct Means {
    comparison: String,
    loss: String,
    seeds: usize,
    epochs: f64,
    cells: String,
    /// Measures with a star that are better.
    gains: Vec<&'static str>,
}

/// Where a paired test says, after Holm's correction over the losses of the comparison, that a mean is not that of cross
/// entropy on the same data, a star says so.
fn means(record: &str, shown: &[Shown]) -> Result<Vec<Means>, Box<dyn std::error::Error>> {
    let all: Vec<records::Line> = serde_json::from_str(record)?;
    let mut found = vec![];
    for lines in all.chunk_by(|a, b| a.comparison == b.comparison) {
        let comparison = &lines[0].comparison;
        let losses: Vec<&[records::Line]> = lines.chunk_by(|a, b| loss(a) == loss(b)).collect();
        let mut cells = vec![(String::new(), vec![]); losses.len()];
        // Of whichever comparison: it knows no similarity.
        let is_plain = |line: &records::Line| loss(line) == "cross entropy";
        let plain: Vec<&records::Line> =
            all.iter().filter(|line| is_plain(line) && line.is_comparable(&lines[0])).collect();
        assert!(!plain.is_empty(), "{comparison} has no cross entropy");
        for &Shown(key, name, percent) in shown {
            let by_seed = |runs: &[&records::Line]| -> Result<BTreeMap<u64, f64>, Box<dyn std::error::Error>> {
                let found = runs.iter().map(|run| Some((run.seed, *run.test.get(key)?)));
                let found: BTreeMap<u64, f64> =
                    found.collect::<Option<_>>().ok_or(format!("{}: no {key}", loss(runs[0])))?;
                assert_eq!(found.len(), runs.len(), "{}: a seed is there twice", loss(runs[0]));
                Ok(found)
            };
            let reference = by_seed(&plain)?;
            let values = losses.iter().map(|runs| by_seed(&runs.iter().collect::<Vec<_>>()));
            let values = values.collect::<Result<Vec<_>, _>>()?;
            let test = |values: &BTreeMap<u64, f64>| {
                let both = values.iter().filter_map(|(seed, x)| Some((*x, *reference.get(seed)?)));
                let (a, b): (Vec<f64>, Vec<f64>) = both.unzip();
                paired(&a, &b, lines[0].samples[2] as f64 / lines[0].samples[0] as f64)
            };
            let tests = losses.iter().zip(&values).map(|(runs, values)| (!is_plain(&runs[0])).then(|| test(values))?);
            let tests: Vec<_> = tests.collect();
            let mut corrected = holm(&tests.iter().flatten().map(|test| test.p).collect::<Vec<_>>()).into_iter();
            let tested = tests.iter().map(|test| test.and_then(|_| corrected.next()));
            let significant: Vec<bool> = tested.map(|p| p.is_some_and(|p| p < SIGNIFICANCE)).collect();
            for (((cell, gains), values), significant) in cells.iter_mut().zip(&values).zip(significant) {
                // Of the seeds that both have, which are those that were tested.
                let gain: f64 = values.iter().filter_map(|(seed, x)| Some(x - reference.get(seed)?)).sum();
                if significant && (gain > 0.0) == percent {
                    gains.push(name);
                }
                let values: Vec<f64> = values.values().map(|x| if percent { 100.0 * x } else { *x }).collect();
                let Summary { count, mean, deviation } = Summary::of(&values).ok_or("no runs")?;
                let digits = if percent { 1 } else { 3 };
                let spread = if count > 1 { format!(" ± {deviation:.digits$}") } else { String::new() };
                let unit = if percent { " %" } else { "" };
                write!(cell, " {mean:.digits$}{spread}{unit}{} |", if significant { " *" } else { "" })?;
            }
        }
        found.extend(losses.iter().zip(cells).map(|(runs, (cells, gains))| Means {
            comparison: comparison.clone(),
            loss: loss(&runs[0]),
            seeds: runs.len(),
            epochs: runs.iter().map(|run| run.epochs as f64).sum::<f64>() / runs.len() as f64,
            cells,
            gains,
        }));
    }
    Ok(found)
}

/// What the whole grids show of ages.
const OF_AGES: [Shown; 9] = [
    Shown("accuracy", "accuracy", true),
    Shown("mae", "MAE", false),
    Shown("mae_expectation", "MAE of the expected value", false),
    Shown("mae_median", "MAE of the median", false),
    Shown("mse", "MSE", false),
    Shown("mse_expectation", "MSE of the expected value", false),
    Shown("nll", "NLL", false),
    Shown("ece", "ECE", false),
    Shown("ece_scaled", "ECE, scaled", false),
];
/// What tells the family of losses apart, of classes in an order.
const OF_FAMILY: [Shown; 7] = [
    Shown("accuracy", "accuracy", true),
    Shown("mae", "MAE", false),
    Shown("mae_median", "MAE of the median", false),
    Shown("rps", "RPS", false),
    Shown("nll", "NLL", false),
    Shown("ece", "ECE", false),
    Shown("ece_scaled", "ECE, scaled", false),
];
/// And of classes in groups.
const OF_GROUPS: [Shown; 7] = [
    Shown("accuracy", "accuracy", true),
    Shown("sa", "SA", true),
    Shown("fsa", "FSA", true),
    Shown("nll", "NLL", false),
    Shown("nll_scaled", "NLL, scaled", false),
    Shown("ece", "ECE", false),
    Shown("ece_scaled", "ECE, scaled", false),
];
/// And of CIFAR-100.
const OF_CIFAR100: [Shown; 7] = [
    Shown("accuracy", "accuracy", true),
    Shown("sa", "SA", true),
    Shown("sa_least_risk", "SA of least risk", true),
    Shown("fsa", "FSA", true),
    Shown("nll", "NLL", false),
    Shown("ece", "ECE", false),
    Shown("ece_scaled", "ECE, scaled", false),
];

fn head(before: &str, shown: &[Shown]) -> String {
    let names: String = shown.iter().map(|&Shown(_, name, _)| format!(" {name} |")).collect();
    let columns = before.matches('|').count() - 1 + shown.len();
    format!("{before}{names}\n|{}\n", "---|".repeat(columns))
}

/// A whole record.
fn grid(all: &[Means], shown: &[Shown]) -> Result<String, std::fmt::Error> {
    let mut table = head("| comparison | loss | seeds | epochs |", shown);
    for Means { comparison, loss, seeds, epochs, cells, .. } in all {
        writeln!(table, "| {comparison} | {loss} | {seeds} | {epochs:.0} |{cells}")?;
    }
    Ok(table)
}

/// These losses of one comparison of a record, in this order, and these of the measures of its grid.
fn some(
    record: &str,
    (comparison, losses): (&str, &[&str]),
    (shown, measures): (&[Shown], &[&str]),
) -> Result<String, Box<dyn std::error::Error>> {
    let shown: Vec<Shown> = shown.iter().filter(|shown| measures.contains(&shown.1)).copied().collect();
    let all = means(record, &shown)?;
    let mut table = head("| loss | seeds |", &shown);
    for wanted in losses {
        let found = all.iter().find(|row| row.comparison == comparison && row.loss == *wanted);
        let Means { loss, seeds, cells, .. } = found.ok_or(format!("no {wanted}"))?;
        writeln!(table, "| {loss} | {seeds} |{cells}")?;
    }
    Ok(table)
}

#[test]
fn the_full_grids_are_those_of_their_records() -> Outcome {
    let lines: Vec<records::Line> = serde_json::from_str(AGE)?;
    for line in lines {
        let images: usize = line.samples.iter().sum();
        let said = format!("{},{:03} images of ages 1 to 90", images / 1000, images % 1000);
        assert!(REPRODUCTION.contains(&said), "docs/reproduction.md should say: {said}");
    }
    let mut gains = String::new();
    for (name, record, shown) in [("age", AGE, &OF_AGES[..]), ("cifar100", CIFAR100, &OF_CIFAR100)] {
        let all = means(record, shown)?;
        let expected = grid(&all, shown)?;
        assert!(between(REPRODUCTION, name) == expected, "docs/reproduction.md should have, at '{name}':\n{expected}");
        for Means { loss, gains: measures, .. } in all.iter().filter(|row| !row.gains.is_empty()) {
            writeln!(gains, "- {loss}: {}", measures.join(", "))?;
        }
    }
    assert!(between(REPRODUCTION, "gains") == gains, "docs/reproduction.md should have, at 'gains':\n{gains}");
    Ok(())
}

#[test]
fn the_picture_is_drawn_from_its_record() -> Outcome {
    let lines: Vec<records::Line> = serde_json::from_str(WINE)?;
    let metrics = ["nll", "mae"].map(str::to_owned);
    let drawn = picture::draw(&lines, None, &metrics)?;
    assert!(drawn == FAMILY_PLOT, "docs/records/family.svg is not the drawing of docs/records/wine.json");
    assert!(README.lines().count() <= 140, "README.md has {} lines, more than 140", README.lines().count());
    Ok(())
}

#[test]
fn the_family_of_losses_is_that_of_its_records() -> Outcome {
    for (name, record, shown) in
        [("wine", WINE, &OF_FAMILY), ("utkface4k", FACES_FAMILY, &OF_FAMILY), ("digits", DIGITS_FAMILY, &OF_GROUPS)]
    {
        let expected = grid(&means(record, shown)?, shown)?;
        assert!(between(REPRODUCTION, name) == expected, "docs/reproduction.md should have, at '{name}':\n{expected}");
    }
    Ok(())
}

/// The figures of the claims, as the text has them: comparison, loss, measure.
const CLAIMED: [(&str, &str, &str); 34] = [
    // Claim 1.
    ("glove", "glove, l = 0.5", "FSA"),
    ("wordnet", "wordnet, l = 0.5", "FSA"),
    ("superclass", "superclass, r = 0.5", "FSA"),
    ("glove", "cross entropy", "FSA"),
    // Claim 2.
    ("glove", "glove, l = 0.9", "accuracy"),
    ("wordnet", "wordnet, l = 0.8", "accuracy"),
    ("glove", "cross entropy", "accuracy"),
    ("googlenews", "googlenews, l = 0.5", "accuracy"),
    ("googlenews", "cross entropy", "accuracy"),
    // Claim 3.
    ("glove", "glove, l = 0.3", "SA"),
    ("glove", "cross entropy", "SA"),
    ("glove", "glove, l = 0.5", "SA"),
    ("superclass", "superclass, r = 0.5", "SA"),
    ("glove", "glove, l = 0.5", "accuracy"),
    ("wordnet", "wordnet, l = 0.5", "accuracy"),
    ("glove", "cross entropy", "SA of least risk"),
    // Claim 4.
    ("order", "order, r = 0.8", "MAE"),
    ("order", "order, r = 0.8", "MSE"),
    ("order", "cross entropy", "MAE"),
    ("order", "cross entropy", "MSE"),
    ("order", "order, r = 0.8", "accuracy"),
    ("order", "cross entropy", "accuracy"),
    ("order", "order, r = 0.9", "accuracy"),
    ("order", "cross entropy", "MAE of the median"),
    ("order", "cross entropy", "MSE of the expected value"),
    ("order", "order, r = 0.8", "MAE of the expected value"),
    ("order", "order, r = 0.7", "MSE of the expected value"),
    ("order", "soft labels, order, r = 0.8", "MAE"),
    ("order", "soft labels, order, r = 0.5", "MAE"),
    ("order", "soft labels, order, r = 0.8", "accuracy"),
    ("order", "soft labels, order, r = 0.5", "accuracy"),
    ("order", "soft labels, order, r = 0.8", "NLL"),
    ("order", "soft labels, order, r = 0.5", "NLL"),
    ("order", "cross entropy", "NLL"),
];

#[test]
fn figures_of_the_front_page_are_those_of_the_full_grids() -> Outcome {
    let ages = ["accuracy", "MAE", "MAE of the median", "MSE", "MSE of the expected value", "NLL"];
    let cifar100 = ["accuracy", "SA", "FSA", "NLL"];
    let order = [
        "cross entropy",
        "order, r = 0.3",
        "order, r = 0.5",
        "order, r = 0.8",
        "order, r = 0.9",
        "soft labels, order, r = 0.8",
    ];
    let glove = ["cross entropy", "glove, l = 0.9", "glove, l = 0.5", "glove, l = 0.3"];
    for (name, expected) in [
        ("age", some(AGE, ("order", &order), (&OF_AGES, &ages))?),
        ("cifar100", some(CIFAR100, ("glove", &glove), (&OF_CIFAR100, &cifar100))?),
    ] {
        assert!(between(README, name) == expected, "README.md should have, at '{name}':\n{expected}");
    }
    Ok(())
}

#[test]
fn what_is_said_of_the_claims_is_in_the_full_grids() -> Outcome {
    let grids = [(means(CIFAR100, &OF_CIFAR100)?, &OF_CIFAR100[..]), (means(AGE, &OF_AGES)?, &OF_AGES)];
    let figure = |(comparison, loss, measure): (&str, &str, &str)| -> Option<String> {
        let mut rows = grids.iter().flat_map(|(rows, shown)| rows.iter().map(move |row| (row, shown)));
        let (row, shown) = rows.find(|(row, _)| row.comparison == comparison && row.loss == loss)?;
        let at = shown.iter().position(|shown| shown.1 == measure)?;
        Some(row.cells.split('|').nth(at)?.split_whitespace().next()?.to_owned())
    };
    // Numbers with a decimal point; one behind "=" is a parameter.
    let words: Vec<&str> = between(REPRODUCTION, "claims").split_whitespace().collect();
    let mut said = vec![];
    for (i, word) in words.iter().enumerate() {
        let number = word.trim_matches(|c: char| !c.is_ascii_digit());
        if !number.contains('.') {
            continue;
        }
        if let [name, "="] = words[..i][i.saturating_sub(2)..] {
            let parameter = format!("{} = {number}", name.trim_start_matches('('));
            let is_known = grids.iter().any(|(rows, _)| rows.iter().any(|row| row.loss.ends_with(&parameter)));
            assert!(is_known, "docs/reproduction.md says {parameter} of the claims, which no loss has");
        } else {
            said.push(number);
        }
    }
    for (i, &claimed) in CLAIMED.iter().enumerate() {
        let expected = figure(claimed).ok_or(format!("no table has {claimed:?}"))?;
        let found = said.get(i).copied().unwrap_or("nothing");
        assert!(
            found == expected,
            "docs/reproduction.md says {found}, not {expected}, as figure {i} of the claims: {claimed:?}"
        );
    }
    assert_eq!(said.len(), CLAIMED.len(), "figures of the claims in docs/reproduction.md, and in CLAIMED");
    Ok(())
}

#[test]
fn what_is_said_of_digits_is_in_their_record() -> Outcome {
    let results: Results = serde_json::from_str(DIGITS.1)?;
    let ratio = results.data.samples[2] as f64 / results.data.samples[0] as f64;
    let [plain, others @ ..] = &results.runs.chunks(5).collect::<Vec<_>>()[..] else { return Err("no runs".into()) };
    // Corrected over both losses, that of r = 0.5 last.
    let corrected = |of: &dyn Fn(&Run) -> Option<f64>| {
        let values = |runs: &[Run]| runs.iter().filter_map(of).collect::<Vec<_>>();
        let tests = others.iter().filter_map(|runs| paired(&values(runs), &values(plain), ratio));
        holm(&tests.map(|test| test.p).collect::<Vec<_>>())
    };
    let (fsa, accuracy) =
        (corrected(&|run| run.failed_superclass_accuracy), corrected(&|run| run.test.scores.argmax.accuracy));
    assert_eq!((fsa.len(), accuracy.len()), (2, 2));
    assert!(fsa[0] >= SIGNIFICANCE && fsa[1] < SIGNIFICANCE, "{fsa:?}");
    assert!(accuracy.iter().all(|&p| p >= SIGNIFICANCE), "{accuracy:?}");
    let likelihood = |runs: &[Run]| runs.iter().filter_map(|run| run.test.scores.likelihood).sum::<f64>();
    assert!(others.iter().all(|runs| likelihood(runs) > likelihood(plain)));
    Ok(())
}

/// A line of the record of throughput.
#[derive(serde::Deserialize)]
#[serde(tag = "bench", rename_all = "lowercase")]
enum Speed {
    Loss { loss: String, classes: usize, ns_per_logit: f64, value_ns_per_logit: Option<f64> },
    Train { net: String, threads: usize, images_per_s: f64, serial: f64, of_simloss: Option<f64> },
    Profile { net: String, layer: String, phase: String, us_per_image: f64, gflops: f64, peak_gflops: f64 },
}

#[test]
fn the_tables_of_performance_are_those_of_the_records() -> Outcome {
    let (machine, speeds) = record::read::<Speed>(THROUGHPUT)?;
    let mut loss = String::from("| classes | cross entropy | SimLoss | ratio |\n|---|---|---|---|\n");
    let mut training =
        String::from("| network | threads | images a second | of peak | serial |\n|---|---|---|---|---|\n");
    let mut profile =
        String::from("| network | layer | phase | us an image | GFLOP/s | of peak |\n|---|---|---|---|---|---|\n");
    let mut cce = 0.0;
    for speed in &speeds {
        match speed {
            Speed::Loss { loss, ns_per_logit, .. } if loss == "cce" => cce = *ns_per_logit,
            Speed::Loss { loss: name, classes, ns_per_logit: ns, .. } if name == "simloss" => {
                writeln!(loss, "| {classes} | {cce:.2} | {ns:.2} | {:.2} |", ns / cce)?;
            }
            Speed::Loss { .. } => {}
            Speed::Train { net, threads, images_per_s, serial, .. } => {
                // Multiplications and additions of its layers for an image, in billions, and what a thread can do.
                let (mut work, mut peak) = (0.0, 0.0);
                for speed in &speeds {
                    if let Speed::Profile { net: of, us_per_image, gflops, peak_gflops, .. } = speed
                        && net.split(',').next() == Some(of)
                    {
                        work += gflops * us_per_image * 1e-6;
                        peak = *peak_gflops;
                    }
                }
                let of_peak = 100.0 * images_per_s * work / (*threads as f64 * peak);
                let serial = 100.0 * serial;
                writeln!(training, "| {net} | {threads} | {images_per_s:.0} | {of_peak:.0} % | {serial:.1} % |")?;
            }
            Speed::Profile { net, layer, phase, us_per_image: us, gflops, peak_gflops } => {
                let of_peak = format!("{:.0} %", 100.0 * gflops / peak_gflops);
                let (gflops, of_peak) =
                    if *gflops > 0.0 { (format!("{gflops:.0}"), of_peak) } else { (String::new(), String::new()) };
                writeln!(profile, "| {net} | {layer} | {phase} | {us:.2} | {gflops} | {of_peak} |")?;
            }
        }
    }
    let processor = format!("{}, {} cores, {}.\n", machine.processor, machine.cores, machine.rustc);
    for (name, expected) in [("machine", processor), ("loss", loss), ("training", training), ("profile", profile)] {
        assert!(
            speeds.len() > 8 && between(PERFORMANCE, name) == expected,
            "docs/performance.md should have, at '{name}':\n{expected}"
        );
    }
    let (_, times) = record::read::<record::Time>(TIMES)?;
    let exponential =
        times.iter().find(|time| time.bench == "4096 exponentials/core, in lanes/f32").ok_or("no bench")?;
    let said = format!("one exponential for each logit ({:.2} ns)", exponential.ns);
    assert!(PERFORMANCE.contains(&said), "docs/performance.md should say: {said}");
    // Rows by themselves, SimLoss beside cross entropy.
    let ratios = times.iter().filter_map(|plain| {
        let bench = plain.bench.strip_prefix("one row/cce/")?;
        Some(times.iter().find(|time| time.bench == format!("one row/simloss/{bench}"))?.ns / plain.ns)
    });
    let (least, most) = ratios.fold((f64::INFINITY, 0.0), |(least, most), ratio| (ratio.min(least), ratio.max(most)));
    let said = format!("it takes {least:.1} to {most:.1} times as long");
    assert!(BENCH.contains(&said), "simloss-bench/src/lib.rs should say: {said}");
    assert!(times.len() >= 50 && times.iter().all(|time| time.interval[0] <= time.ns && time.ns <= time.interval[1]));
    Ok(())
}

#[test]
fn what_the_family_costs_is_in_the_record_of_avx2() -> Outcome {
    let (machine, speeds) = record::read::<Speed>(THROUGHPUT_AVX2)?;
    let mut family = String::from(
        "| classes | loss | with its gradient | of cross entropy | alone | of cross entropy |\n|---|---|---|---|---|---|\n",
    );
    let mut of_cce = (0.0, 0.0);
    let mut step = None;
    for speed in &speeds {
        match speed {
            Speed::Loss { loss, classes, ns_per_logit: ns, value_ns_per_logit: value } => {
                let value = value.ok_or("no loss alone")?;
                let name = match &**loss {
                    "cce" => {
                        of_cce = (*ns, value);
                        "cross entropy"
                    }
                    "simloss" => "SimLoss",
                    "proper" => "proper SimLoss",
                    "emd" => "squared EMD",
                    other => return Err(format!("no loss is called {other}").into()),
                };
                let (ratio, of_value) = (ns / of_cce.0, value / of_cce.1);
                writeln!(family, "| {classes} | {name} | {ns:.2} | {ratio:.2} | {value:.2} | {of_value:.2} |")?;
            }
            Speed::Train { of_simloss: Some(ratio), .. } => step = Some(ratio),
            _ => {}
        }
    }
    let found = between(PERFORMANCE, "family");
    assert!(found == family, "docs/performance.md should have, at 'family':\n{family}");
    let said = format!("takes {:.1} % longer", 100.0 * (step.ok_or("no step with proper SimLoss")? - 1.0));
    assert!(PERFORMANCE.contains(&said), "docs/performance.md should say: {said}");
    let said = format!("{}, {} cores, {}, AVX2", machine.processor, machine.cores, machine.rustc);
    assert!(PERFORMANCE.replace('\n', " ").contains(&said), "docs/performance.md should say: {said}");
    Ok(())
}

#[test]
fn the_cost_curve_is_that_of_its_record() -> Outcome {
    let (_, lines) = record::read::<Line>(CURVE)?;
    let mut steps = String::from(
        "| network | classes | batch | step, 1 thread | 2 threads | evaluation, 1 thread | 2 threads |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let mut epochs = String::from(
        "| network | threads | training image | of that, data | validation image | metrics, of the epoch |\n\
         |---|---|---|---|---|---|\n",
    );
    let mut memory = String::from("| network | images | epochs | needed | peak | ratio |\n|---|---|---|---|---|---|\n");
    for line in &lines {
        match line {
            Line::Step { net, classes, batch, threads: 1, us, evaluation_us: evaluation } => {
                let same = |other: &&Line| {
                    matches!(other, Line::Step { net: n, classes: c, batch: b, threads: 2, .. }
                        if (n, c, b) == (net, classes, batch))
                };
                let Some(Line::Step { us: us_2, evaluation_us: evaluation_2, .. }) = lines.iter().find(same) else {
                    return Err(format!("{net}, {batch}: no line of two threads").into());
                };
                let times = [us, us_2, evaluation, evaluation_2].map(|us| format!("{us:.1}"));
                writeln!(steps, "| {net} | {classes} | {batch} | {} |", times.join(" | "))?;
                // Evaluation is at least 2.5 times as fast as a step, where there is more than a few images.
                assert!(*batch < 64 || us / evaluation >= 2.5, "{line:?}");
            }
            Line::Step { .. } => {}
            Line::Epoch { net, threads, us, data, validation_us, metrics, .. } => {
                let [data, metrics] = [data, metrics].map(|share| format!("{:.1} %", 100.0 * share));
                writeln!(epochs, "| {net} | {threads} | {us:.1} | {data} | {validation_us:.1} | {metrics} |")?;
            }
            Line::Memory { net, images, epochs, peak_bytes: peak, needed_bytes: needed, .. } => {
                let ratio = *peak as f64 / *needed as f64;
                let [needed, peak] = [needed, peak].map(|bytes| format!("{:.1} MB", *bytes as f64 / 1e6));
                writeln!(memory, "| {net} | {images} | {epochs} | {needed} | {peak} | {ratio:.2} |")?;
            }
        }
    }
    for (name, expected) in [("curve", steps), ("epochs", epochs), ("memory", memory)] {
        assert!(
            lines.len() > 30 && between(PERFORMANCE, name) == expected,
            "docs/performance.md should have, at '{name}':\n{expected}"
        );
    }
    assert!(curve::plot(&lines)? == CURVE_PLOT, "docs/records/curve.svg is not the drawing of docs/records/curve.json");
    Ok(())
}

/// How many times as fast as PyTorch: the median, least and greatest of the rounds.
#[derive(serde::Deserialize)]
struct Beside {
    what: String,
    median: f64,
    min: f64,
    max: f64,
}

/// A large input.
#[derive(serde::Deserialize)]
struct Load {
    load: String,
    seconds: f64,
    peak_bytes: u64,
    needed_bytes: u64,
    most_bytes: u64,
}

#[test]
fn large_inputs_are_those_of_their_record() -> Outcome {
    let (_, loads) = record::read::<Load>(LOAD)?;
    let mut expected = String::from("| | seconds | must be held | peak | bound |\n|---|---|---|---|---|\n");
    for Load { load, seconds, peak_bytes, needed_bytes, most_bytes } in &loads {
        let [needed, peak, most] = [needed_bytes, peak_bytes, most_bytes].map(|&bytes| bytes as f64 / 1e6);
        assert!(peak <= most, "{load}");
        writeln!(expected, "| {load} | {seconds:.0} | {needed:.0} MB | {peak:.0} MB | {most:.0} MB |")?;
    }
    assert!(between(PERFORMANCE, "load") == expected, "docs/performance.md should have, at 'load':\n{expected}");
    assert_eq!(loads.len(), 4);
    Ok(())
}

#[test]
fn ratios_to_pytorch_are_those_of_the_record() -> Outcome {
    let (about, rows) = SIDE_BY_SIDE.split_once('\n').unwrap_or_default();
    let about: serde_json::Value = serde_json::from_str(about)?;
    assert!(["command", "version", "pytorch", "processor"].iter().all(|key| about[key].is_string()), "{about}");
    let mut table = String::from("| | median | least | most |\n|---|---|---|---|\n");
    for row in rows.lines() {
        let Beside { what, median, min, max } = serde_json::from_str(row)?;
        writeln!(table, "| {what} | {median:.2} | {min:.2} | {max:.2} |")?;
    }
    assert!(between(PERFORMANCE, "pytorch") == table, "docs/performance.md should have, at 'pytorch':\n{table}");
    assert_eq!(rows.lines().count(), 10);
    Ok(())
}
