//! `docs/microcontroller.md`: what a device learns after a drift, from `story.json` and `draws.json`.

use super::{Sections, says};
use simloss_tests::{
    Outcome,
    documents::{self, Section, Table, percent},
};
use simloss_train::compare::statistics::{Summary, holm, paired};
use std::{collections::BTreeMap, error::Error};

const DOCUMENT: &str = "docs/microcontroller.md";

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
    before: BTreeMap<String, Scores>,
    drifted: BTreeMap<String, Scores>,
    tuned: Vec<Tuned>,
}

#[derive(Debug, serde::Deserialize)]
struct Tuned {
    loss: String,
    r: Option<f64>,
    rate: f64,
    rounds_kept: Vec<usize>,
    adapted: BTreeMap<String, Scores>,
    #[serde(default)]
    against: BTreeMap<String, Against>,
}

/// One metric over the draws.
#[derive(Debug, serde::Deserialize)]
struct Scores {
    mean: f64,
    std: f64,
    draws: Vec<f64>,
}

/// One metric compared with that of cross entropy.
#[derive(Debug, serde::Deserialize)]
struct Against {
    difference: f64,
    std: f64,
    p: Option<f64>,
    holm: Option<f64>,
}

const METRICS: [&str; 4] = ["accuracy", "mae", "median_mae", "nll"];

fn stories() -> Result<BTreeMap<String, Story>, Box<dyn Error>> {
    Ok(serde_json::from_str(&documents::record("story.json")?)?)
}

fn draws() -> Result<BTreeMap<String, Drawn>, Box<dyn Error>> {
    let drawn: BTreeMap<String, Drawn> = serde_json::from_str(&documents::record("draws.json")?)?;
    assert!(drawn.keys().eq(["faces", "wine"]), "{:?}", drawn.keys());
    Ok(drawn)
}

fn story(stories: &BTreeMap<String, Story>) -> Table {
    let mut table =
        Table::new(&["", "before drift", "after drift", "after adaptation", "rounds kept", "million instructions"]);
    for (name, Story { drift, rounds, plays, .. }) in stories {
        for told in plays {
            // A drift that does no harm has nothing to tell.
            assert!(
                told.drifted.mae > told.before.mae && told.drifted.accuracy < told.before.accuracy,
                "{drift}: {told:?}"
            );
            let Told { trained, tuned, before, drifted, adapted, rounds_kept, instructions } = told;
            let [before, drifted, adapted] = [before, drifted, adapted]
                .map(|Figures { accuracy, mae }| format!("{}, {mae:.3}", percent(*accuracy, 1)));
            table.row([
                format!("{name}: {trained}, tuned by {tuned}"),
                before,
                drifted,
                adapted,
                format!("{rounds_kept} of {rounds}"),
                format!("{:.0}", *instructions as f64 / 1e6),
            ]);
        }
    }
    table
}

/// How many draws have a lower MAE than without tuning.
fn below_untuned(tuned: &Tuned, network: &Drifted) -> usize {
    let draws = |scores: &BTreeMap<String, Scores>| scores["mae"].draws.clone();
    draws(&tuned.adapted).iter().zip(draws(&network.drifted)).filter(|(mae, untuned)| **mae < *untuned).count()
}

/// Means and standard deviations of the four metrics.
fn cells(scores: &BTreeMap<String, Scores>) -> [String; 4] {
    METRICS.map(|metric| {
        let Scores { mean, std, .. } = &scores[metric];
        match metric {
            "accuracy" => format!("{:.1} ({:.1})%", 100.0 * mean, 100.0 * std),
            "nll" => format!("{mean:.2} ({std:.2})"),
            _ => format!("{mean:.3} ({std:.3})"),
        }
    })
}

fn against(test: Option<&Against>) -> String {
    let Some(test) = test else { return String::new() };
    let p = match test.holm {
        None => "no test".to_owned(),
        Some(p) if p < 0.001 => "p < 0.001".to_owned(),
        Some(p) => format!("p = {p:.3}"),
    };
    format!("{:+.3}, {p}", test.difference)
}

fn ten_draws(drawn: &BTreeMap<String, Drawn>) -> Table {
    let mut table = Table::new(&[
        "",
        "accuracy",
        "MAE",
        "against cross entropy",
        "MAE of the median",
        "against cross entropy",
        "NLL",
        "draws below untuned MAE",
    ]);
    for (name, Drawn { networks, .. }) in drawn {
        for network in networks {
            let Drifted { trained, before, drifted, tuned } = network;
            for (what, scores) in [("before drift", before), ("after drift", drifted)] {
                let [accuracy, mae, median, nll] = cells(scores);
                let none = String::new();
                table.row([
                    format!("{name}, {trained}: {what}"),
                    accuracy,
                    mae,
                    none.clone(),
                    median,
                    none.clone(),
                    nll,
                    none,
                ]);
            }
            for one in tuned {
                let [accuracy, mae, median, nll] = cells(&one.adapted);
                let r = one.r.map_or(String::new(), |r| format!(", r = {r}"));
                table.row([
                    format!("{name}, {trained}: {}{r}, rate {}", one.loss, one.rate),
                    accuracy,
                    mae,
                    against(one.against.get("mae")),
                    median,
                    against(one.against.get("median_mae")),
                    nll,
                    format!("{} of {}", below_untuned(one, network), one.adapted["mae"].draws.len()),
                ]);
            }
        }
    }
    table
}

pub fn sections() -> Sections {
    let stories = stories()?;
    assert!(stories.contains_key("wine") && stories.contains_key("faces"), "{:?}", stories.keys());
    Ok(vec![Section::new(DOCUMENT, "story", story(&stories)), Section::new(DOCUMENT, "draws", ten_draws(&draws()?))])
}

#[test]
fn sentences_on_the_drift_quote_the_records() -> Outcome {
    for Story { samples, judged, .. } in stories()?.values() {
        says(DOCUMENT, &[format!("{samples} samples"), format!("{judged} others")])?;
    }
    let drawn = draws()?;
    let of = |name: &str| -> Result<[usize; 2], Box<dyn Error>> {
        let network = drawn[name].networks.iter().find(|network| network.trained == "order").ok_or("no network")?;
        let tuned = network.tuned.iter().find(|tuned| tuned.loss == "SimLoss").ok_or("no SimLoss")?;
        Ok([tuned.rounds_kept.iter().filter(|&&kept| kept == 0).count(), below_untuned(tuned, network)])
    };
    let ([of_faces, falls], [of_wines, also]) = (of("faces")?, of("wine")?);
    assert_eq!(falls, also);
    says(
        DOCUMENT,
        &[
            format!(
                "in {of_faces} of 10 draws of the faces, draw 1 among them, and in {of_wines} of 10 draws of the wines"
            ),
            format!("MAE falls in {falls} of 10 draws of each"),
            format!("({:.2} on the faces, {:.2} on the wines)", drawn["faces"].overlap, drawn["wine"].overlap),
        ],
    )
}

/// The record has six decimals.
fn near(a: f64, b: f64, digits: i32) -> bool {
    (a - b).abs() <= 10f64.powi(-digits)
}

fn tests_agree(tuned: &[Tuned], overlap: f64) -> Outcome {
    let (reference, others) = tuned.split_first().ok_or("nothing was tuned")?;
    assert!(reference.loss == "cross entropy" && reference.against.is_empty());
    for metric in METRICS {
        let values = |tuned: &Tuned| tuned.adapted[metric].draws.clone();
        let tests: Vec<_> = others.iter().map(|one| paired(&values(one), &values(reference), overlap)).collect();
        let mut corrected = holm(&tests.iter().flatten().map(|test| test.p).collect::<Vec<_>>()).into_iter();
        for (test, one) in tests.iter().zip(others) {
            let Against { difference, std, p, holm } = &one.against[metric];
            assert!(near(one.adapted[metric].mean - reference.adapted[metric].mean, *difference, 5));
            assert_eq!(p.is_some(), test.is_some(), "{one:?}");
            let (Some(test), Some(p), Some(holm)) = (test, p, holm) else { continue };
            assert!(near(*difference, test.difference.mean, 5) && near(*std, test.difference.deviation, 5));
            assert!(near(*p, test.p, 3) && near(*holm, corrected.next().ok_or("no p")?, 2), "{one:?}");
        }
    }
    Ok(())
}

/// Means, standard deviations and tests follow from the values beside them, and draw 1 is what the device did.
#[test]
fn the_record_of_draws_agrees_with_itself() -> Outcome {
    let stories = stories()?;
    for (name, Drawn { seeds, samples, judged, rounds, overlap, networks }) in &draws()? {
        assert!(seeds.iter().copied().eq(1..=10) && samples.len() == 10 && judged.len() == 10);
        let sums = [samples, judged].map(|all| all.iter().sum::<usize>() as f64);
        assert!(near(*overlap, sums[0] / sums[1], 6));
        let story = &stories[name];
        assert_eq!((samples[0], judged[0], *rounds), (story.samples, story.judged, story.rounds));
        for Drifted { trained, before, drifted, tuned } in networks {
            for scores in [before, drifted].into_iter().chain(tuned.iter().map(|tuned| &tuned.adapted)) {
                assert!(scores.len() == METRICS.len());
                for Scores { mean, std, draws } in scores.values() {
                    let summary = Summary::of(draws).ok_or("no draws")?;
                    assert!(draws.len() == 10 && near(*mean, summary.mean, 5) && near(*std, summary.deviation, 5));
                }
            }
            tests_agree(tuned, *overlap)?;
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
