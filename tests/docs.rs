//! Documents and records say the same.

use simloss_bench::record::{self, Row};
use simloss_tests::Outcome;
use std::fmt::Write;

const NUMERICS: &str = include_str!("../docs/numerics.md");
const STABILITY: &str = include_str!("../docs/records/stability.json");
const MICROCONTROLLER: &str = include_str!("../docs/microcontroller.md");
const FIRMWARE: &str = include_str!("../docs/records/firmware.json");
const PEERS: &str = include_str!("../docs/records/peers-stability.json");

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

/// One binary on one board.
#[derive(Debug, serde::Deserialize)]
struct Firmware {
    target: String,
    board: String,
    binary: String,
    features: usize,
    classes: usize,
    instructions_per_step: usize,
    text_bytes: usize,
    rodata_bytes: usize,
    static_ram_bytes: usize,
}

/// What the formula of the document says of a binary's RAM.
fn ram(row: &Firmware) -> Option<usize> {
    let (optimizer, loss) = row.binary.split_once('-')?;
    let (f, c) = (row.features, row.classes);
    let parameters = (f + 1) * c;
    let moments = ["sgd", "momentum", "adam"].iter().position(|name| *name == optimizer)?;
    let similarity = match loss {
        "cce" => 0,
        "order" => 2 * c - 1,
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
    let rows: Vec<Firmware> = serde_json::from_str(FIRMWARE)?;
    assert!(rows.len() >= 72, "{}", rows.len());
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
    let rows: Vec<Firmware> = serde_json::from_str(FIRMWARE)?;
    let of = |board: &str, target: &str, binary: &str| {
        let fits = |row: &&Firmware| row.board == board && row.target == target && row.binary == binary;
        rows.iter().find(fits).filter(|row| row.classes == 90).ok_or(format!("{binary} on {board}"))
    };
    let cores = [
        ("Cortex-M4F", "mps2-an386", "thumbv7em-none-eabihf"),
        ("Cortex-M7", "mps2-an500", "thumbv7em-none-eabihf"),
        ("Cortex-M3", "mps2-an385", "thumbv7m-none-eabi"),
        ("Cortex-M0", "mps2-an385", "thumbv6m-none-eabi"),
        ("RISC-V, no FPU", "virt", "riscv32imac-unknown-none-elf"),
    ];
    let binaries = ["sgd-cce", "sgd-order", "momentum-order", "adam-cce", "adam-order"];
    let head = format!("| 80 -> 90 | {} |\n|---|{}\n", binaries.join(" | "), "---|".repeat(binaries.len()));
    let (mut flash, mut time) = (head.clone(), head);
    for (core, board, target) in cores {
        write!(flash, "| {core} |")?;
        write!(time, "| {core} |")?;
        for binary in binaries {
            let row = of(board, target, binary)?;
            write!(flash, " {} |", row.text_bytes + row.rodata_bytes)?;
            write!(time, " {} |", row.instructions_per_step)?;
        }
        flash.push('\n');
        time.push('\n');
    }
    for (name, expected) in [("flash", flash), ("time", time)] {
        let found = between(MICROCONTROLLER, name);
        assert!(found == expected, "docs/microcontroller.md should have, at '{name}':\n{expected}");
    }
    Ok(())
}

/// What the device must not exceed: an 80 -> 90 head on a Cortex-M4F.
#[test]
fn recorded_costs_are_within_the_budget() -> Outcome {
    let rows: Vec<Firmware> = serde_json::from_str(FIRMWARE)?;
    let m4f = |binary: &str| rows.iter().find(|row| row.board == "mps2-an386" && row.binary == binary);
    for (optimizer, most) in [("sgd", 95_000), ("momentum", 130_000), ("adam", 213_000)] {
        let baseline = m4f(&format!("{optimizer}-cce")).ok_or("no cross entropy")?.instructions_per_step;
        for loss in ["cce", "order", "sparse", "dense"] {
            let row = m4f(&format!("{optimizer}-{loss}")).ok_or("no such binary")?;
            assert!(row.instructions_per_step <= most, "{row:?}");
            assert!(within(row.instructions_per_step, baseline, 2), "{row:?}");
            assert!(optimizer != "sgd" || row.text_bytes <= 8 * 1024, "{row:?}");
        }
    }
    Ok(())
}
