//! `docs/numerics.md`: errors of this crate and of other implementations, and their defects.

use super::Sections;
use simloss_bench::record::{self, Row};
use simloss_tests::{
    Outcome,
    documents::{self, Section, Table},
};

const DOCUMENT: &str = "docs/numerics.md";

/// Defects of other libraries, and the test that this one does not have them: file and name.
const DEFECTS: [(&str, &str, &str); 10] = [
    ("the gradient for integer labels is wrong for the other classes", "tests/gradients.rs", "of_a_sample"),
    ("the exponential is off by 5.8%", "tests/exponential.rs", "samples_and_edges_are_within_the_bound"),
    (
        "the gradient is clamped to 2e-4 of its value at a gap of 20 logits",
        "tests/gradients.rs",
        "of_a_sample_at_any_gap",
    ),
    (
        "the \"mean\" over an accumulated batch multiplies the learning rate",
        "tests/device.rs",
        "a_mean_does_not_multiply_the_rate",
    ),
    ("a label out of range reads out of bounds", "tests/inputs.rs", "labels_are_below_the_number_of_classes"),
    (
        "the same, for a network with fewer classes than the labels",
        "tests/training.rs",
        "a_rejected_batch_leaves_the_model_alone",
    ),
    (
        "one NaN among the features makes all weights NaN",
        "tests/training.rs",
        "a_rejected_sample_leaves_the_model_alone",
    ),
    ("a smaller last batch is dropped", "tests/resume.rs", "a_smaller_last_batch_is_trained_on"),
    ("resumed training loses the optimizer's state", "tests/resume.rs", "a_resumed_run_matches_an_uninterrupted_run"),
    ("the same, on a device", "tests/flash.rs", "a_cut_anywhere_leaves_the_old_state_or_the_new_one"),
];

/// Whether the implementation is this crate's, and so has to keep its bound.
fn is_ours(row: &Row) -> bool {
    ["simloss", "cce"].contains(&row.implementation.as_str())
}

fn errors(rows: &[&Row]) -> String {
    let mut table = Table::new(&[
        "quantity",
        "implementation",
        "format",
        "inputs",
        "worst error, ulp",
        "bound, ulp",
        "worst relative error",
    ]);
    let short = |x: f64| if x < 1e4 { format!("{x:.2}") } else { format!("{x:.1e}") };
    for Row { quantity, implementation, scalar, inputs, bound_ulp, max_ulp, max_rel, .. } in rows {
        table.row([
            quantity.clone(),
            implementation.clone(),
            scalar.clone(),
            inputs.to_string(),
            short(*max_ulp),
            bound_ulp.to_string(),
            format!("{max_rel:.1e}"),
        ]);
    }
    table.into()
}

pub fn sections() -> Sections {
    let (machine, rows) = record::read::<Row>(&documents::record("stability.json")?)?;
    let (other, peers) = record::read::<Row>(&documents::record("peers-stability.json")?)?;
    for machine in [machine, other] {
        assert!(!machine.processor.is_empty() && machine.rustc.starts_with("rustc 1."), "{machine:?}");
    }
    let (ours, others): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| is_ours(row));
    let others: Vec<&Row> = others.into_iter().chain(&peers).collect();
    assert!(!ours.is_empty() && !others.is_empty());
    let mut defects = Table::new(&["defect", "test"]);
    for (defect, file, name) in DEFECTS {
        defects.row([defect.to_owned(), format!("`{file}`: `{name}`")]);
    }
    Ok(vec![
        Section::new(DOCUMENT, "ours", errors(&ours)),
        Section::new(DOCUMENT, "others", errors(&others)),
        Section::new(DOCUMENT, "defects", defects),
    ])
}

#[test]
fn our_recorded_errors_are_within_their_bounds() -> Outcome {
    let (_, rows) = record::read::<Row>(&documents::record("stability.json")?)?;
    for row in rows {
        assert_eq!(row.within, row.max_ulp <= row.bound_ulp);
        assert!(row.within == is_ours(&row), "{row:?}");
    }
    Ok(())
}

#[test]
fn every_defect_of_others_has_its_test() -> Outcome {
    for (_, file, name) in DEFECTS {
        // A file that was split has the test in its folder.
        let folder = documents::path(file.trim_end_matches(".rs"));
        let mut texts = vec![documents::read(file)?];
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            texts.push(std::fs::read_to_string(entry?.path())?);
        }
        let test = format!("#[test]\nfn {name}()");
        assert!(texts.iter().any(|text| text.contains(&test)), "{file} has no test {name}");
    }
    Ok(())
}
