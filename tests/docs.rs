//! Documents and records say the same.

use simloss_bench::record::{self, Row};
use simloss_tests::Outcome;
use std::fmt::Write;

const NUMERICS: &str = include_str!("../docs/numerics.md");
const STABILITY: &str = include_str!("../docs/records/stability.json");
const PEERS: &str = include_str!("../docs/records/peers-stability.json");

/// The text between `<!-- name -->` and the next `<!-- end -->`.
fn between(name: &str) -> &'static str {
    let after = NUMERICS.split_once(&format!("<!-- {name} -->\n")).map_or("", |(_, after)| after);
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
            !rows.is_empty() && between(name) == expected,
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
