//! `docs/performance.md`: speed and memory, from the records that `simloss-bench` writes.

use super::Sections;
use simloss_bench::{
    curve::{self, Line},
    record::{self, Time},
};
use simloss_tests::{
    Outcome,
    documents::{self, Section, Table, paragraph, percent},
};
use std::{collections::BTreeMap, error::Error};

const DOCUMENT: &str = "docs/performance.md";

/// A line of the record of throughput.
#[derive(serde::Deserialize)]
#[serde(tag = "bench", rename_all = "lowercase")]
enum Speed {
    Loss { loss: String, classes: usize, ns_per_logit: f64, value_ns_per_logit: Option<f64> },
    Train { net: String, threads: usize, images_per_s: f64, serial: f64, of_simloss: Option<f64> },
    Profile { net: String, layer: String, phase: String, us_per_image: f64, gflops: f64, peak_gflops: f64 },
}

/// Times of SimLoss divided by those of cross entropy, by classes.
fn ratios(speeds: &[Speed]) -> BTreeMap<usize, f64> {
    let time = |wanted: &str| -> BTreeMap<usize, f64> {
        let times = speeds.iter().filter_map(|speed| match speed {
            Speed::Loss { loss, classes, ns_per_logit, .. } if loss == wanted => Some((*classes, *ns_per_logit)),
            _ => None,
        });
        times.collect()
    };
    let plain = time("cce");
    time("simloss").into_iter().filter_map(|(classes, ns)| Some((classes, ns / plain.get(&classes)?))).collect()
}

fn losses(speeds: &[Speed]) -> Table {
    let mut table = Table::new(&["classes", "cross entropy, ns", "SimLoss, ns", "ratio"]);
    let mut cce = 0.0;
    for speed in speeds {
        match speed {
            Speed::Loss { loss, ns_per_logit, .. } if loss == "cce" => cce = *ns_per_logit,
            Speed::Loss { loss, classes, ns_per_logit: ns, .. } if loss == "simloss" => {
                table.row([classes.to_string(), format!("{cce:.2}"), format!("{ns:.2}"), format!("{:.2}", ns / cce)]);
            }
            _ => {}
        }
    }
    table
}

/// Billions of operations of a network's layers for an image, and the peak of one thread.
fn work(speeds: &[Speed], network: &str) -> (f64, f64) {
    let (mut work, mut peak) = (0.0, 0.0);
    for speed in speeds {
        if let Speed::Profile { net, us_per_image, gflops, peak_gflops, .. } = speed
            && net == network
        {
            work += gflops * us_per_image * 1e-6;
            peak = *peak_gflops;
        }
    }
    (work, peak)
}

fn training(speeds: &[Speed]) -> Table {
    let mut table = Table::new(&["network", "threads", "images per second", "of peak", "serial"]);
    for speed in speeds {
        let Speed::Train { net, threads, images_per_s, serial, .. } = speed else { continue };
        let (work, peak) = work(speeds, net.split(',').next().unwrap_or_default());
        let of_peak = images_per_s * work / (*threads as f64 * peak);
        table.row([
            net.clone(),
            threads.to_string(),
            format!("{images_per_s:.0}"),
            percent(of_peak, 0),
            percent(*serial, 1),
        ]);
    }
    table
}

fn profile(speeds: &[Speed]) -> Table {
    let mut table = Table::new(&["network", "layer", "phase", "us per image", "GFLOP/s", "of peak"]);
    for speed in speeds {
        let Speed::Profile { net, layer, phase, us_per_image, gflops, peak_gflops } = speed else { continue };
        let (speed, of_peak) = match *gflops > 0.0 {
            true => (format!("{gflops:.0}"), percent(gflops / peak_gflops, 0)),
            false => (String::new(), String::new()),
        };
        table.row([net.clone(), layer.clone(), phase.clone(), format!("{us_per_image:.2}"), speed, of_peak]);
    }
    table
}

type Measured = (Vec<Section>, BTreeMap<usize, f64>);

/// Sections on this crate's speed, and the times of SimLoss divided by those of cross entropy.
fn throughput() -> Result<Measured, Box<dyn Error>> {
    let (machine, speeds) = record::read::<Speed>(&documents::record("throughput.json")?)?;
    assert!(speeds.len() > 8);
    let (_, times) = record::read::<Time>(&documents::record("benches.json")?)?;
    let exponential =
        times.iter().find(|time| time.bench == "4096 exponentials/core, in lanes/f32").ok_or("no bench")?;
    let exponential = paragraph(&format!(
        "Reading and writing every logit once takes 0.31 ns at the memory bandwidth of the machine on which the goals were \
         set. The exponential takes {:.2} ns per logit ([measured](records/benches.json) on a Xeon). The rest is the exact \
         difference from the largest logit, two compensated sums, and the transposition of rows into lanes and back. Each \
         sample also takes a division and `log1p`.",
        exponential.ns
    ));
    let ratios = ratios(&speeds);
    let [few, many @ ..] = &ratios.values().copied().collect::<Vec<_>>()[..] else { return Err("no ratio".into()) };
    let most = many.iter().copied().fold(0.0, f64::max);
    let verdict = paragraph(&format!(
        "**SimLoss takes {few:.2} times as long as cross entropy for {} classes, and at most {most:.2} times for more.** The \
         table has loss and gradient of 1,024 rows of logits on one thread, in nanoseconds per logit. SimLoss uses a class \
         order with r = 0.8.",
        ratios.keys().next().ok_or("no classes")?
    ));
    let processor = format!("{}, {} cores, {}\n", machine.processor, machine.cores, machine.rustc);
    let sections = vec![
        Section::new(DOCUMENT, "machine", processor),
        Section::new(DOCUMENT, "loss-verdict", verdict),
        Section::new(DOCUMENT, "loss", losses(&speeds)),
        Section::new(DOCUMENT, "exponential", exponential),
        Section::new(DOCUMENT, "training", training(&speeds)),
        Section::new(DOCUMENT, "profile", profile(&speeds)),
    ];
    Ok((sections, ratios))
}

/// What the losses related to SimLoss cost, on a machine with AVX2.
fn family() -> Sections {
    let (machine, speeds) = record::read::<Speed>(&documents::record("throughput-avx2.json")?)?;
    let mut table = Table::new(&[
        "classes",
        "loss",
        "loss and gradient, ns",
        "ratio to cross entropy",
        "loss only, ns",
        "ratio to cross entropy",
    ]);
    let (mut of_cce, mut step) = ((0.0, 0.0), None);
    let (mut with_gradient, mut alone) = (vec![], vec![]);
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
                if loss == "proper" {
                    with_gradient.push(ratio);
                    alone.push(of_value);
                }
                table.row([
                    classes.to_string(),
                    name.to_owned(),
                    format!("{ns:.2}"),
                    format!("{ratio:.2}"),
                    format!("{value:.2}"),
                    format!("{of_value:.2}"),
                ]);
            }
            Speed::Train { of_simloss: Some(ratio), .. } => step = Some(ratio - 1.0),
            _ => {}
        }
    }
    let least = |ratios: &[f64]| ratios.iter().copied().fold(f64::INFINITY, f64::min);
    let most = |ratios: &[f64]| ratios.iter().copied().fold(0.0, f64::max);
    let verdict = paragraph(&format!(
        "**Without the gradient, proper SimLoss takes {:.1} to {:.1} times as long as cross entropy; with it, {:.1} to {:.1} \
         times. The goal was 3.** Its two products with `S` and one division per class take the time. A training step of \
         LeNet with 96 classes takes {} longer than with SimLoss (median of 39 pairs of steps; the goal was 3%). The machine \
         differs from that of the rest of this page: {}, {} cores, {}, AVX2 ([record](records/throughput-avx2.json)).",
        least(&alone),
        most(&alone),
        least(&with_gradient),
        most(&with_gradient),
        percent(step.ok_or("no step with proper SimLoss")?, 1),
        machine.processor,
        machine.cores,
        machine.rustc,
    ));
    Ok(vec![Section::new(DOCUMENT, "family-verdict", verdict), Section::new(DOCUMENT, "family", table)])
}

fn lines() -> Result<Vec<Line>, Box<dyn Error>> {
    let (_, lines) = record::read::<Line>(&documents::record("curve.json")?)?;
    assert!(lines.len() > 30);
    Ok(lines)
}

fn cost_curve() -> Sections {
    let lines = lines()?;
    let mut steps = Table::new(&[
        "network",
        "classes",
        "batch",
        "step, 1 thread",
        "step, 2 threads",
        "evaluation, 1 thread",
        "evaluation, 2 threads",
    ]);
    let mut epochs = Table::new(&[
        "network",
        "threads",
        "training image, us",
        "data, of that",
        "validation image, us",
        "metrics, of the epoch",
    ]);
    let mut memory = Table::new(&["network", "images", "epochs", "needed", "peak", "ratio"]);
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
                steps.row([net.clone(), classes.to_string(), batch.to_string()].into_iter().chain(times));
                // Evaluation is at least 2.5 times as fast as a step, where there is more than a few images.
                assert!(*batch < 64 || us / evaluation >= 2.5, "{line:?}");
            }
            Line::Step { .. } => {}
            Line::Epoch { net, threads, us, data, validation_us, metrics, .. } => epochs.row([
                net.clone(),
                threads.to_string(),
                format!("{us:.1}"),
                percent(*data, 1),
                format!("{validation_us:.1}"),
                percent(*metrics, 1),
            ]),
            Line::Memory { net, images, epochs, peak_bytes: peak, needed_bytes: needed, .. } => {
                let ratio = *peak as f64 / *needed as f64;
                let [needed, peak] = [needed, peak].map(|bytes| format!("{:.1} MB", *bytes as f64 / 1e6));
                let counts = [images.to_string(), epochs.to_string()];
                memory.row([net.clone()].into_iter().chain(counts).chain([needed, peak, format!("{ratio:.2}")]));
            }
        }
    }
    Ok(vec![
        Section::new(DOCUMENT, "curve", steps),
        Section::new(DOCUMENT, "epochs", epochs),
        Section::new(DOCUMENT, "memory", memory),
    ])
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

fn large_inputs() -> Result<Section, Box<dyn Error>> {
    let (_, loads) = record::read::<Load>(&documents::record("load.json")?)?;
    assert_eq!(loads.len(), 4);
    let mut table = Table::new(&["input", "seconds", "needed", "peak", "bound"]);
    for Load { load, seconds, peak_bytes, needed_bytes, most_bytes } in loads {
        assert!(peak_bytes <= most_bytes, "{load}");
        let megabytes = [needed_bytes, peak_bytes, most_bytes].map(|bytes| format!("{:.0} MB", bytes as f64 / 1e6));
        table.row([load, format!("{seconds:.0}")].into_iter().chain(megabytes));
    }
    Ok(Section::new(DOCUMENT, "load", table))
}

/// PyTorch's time divided by this crate's: the median, least and greatest of the rounds.
#[derive(serde::Deserialize)]
struct Beside {
    what: String,
    median: f64,
    min: f64,
    max: f64,
}

/// Goals that were set: what, at least, and the second goal of the loss.
const GOALS: [(&str, f64, Option<f64>); 6] = [
    ("loss and gradient, cross entropy, 10 classes", 10.0, Some(20.0)),
    ("loss and gradient, SimLoss, 10 classes", 10.0, Some(20.0)),
    ("loss and gradient, cross entropy, 96 classes", 1.2, Some(2.0)),
    ("loss and gradient, SimLoss, 96 classes", 2.0, Some(4.0)),
    ("training step, agenet", 3.0, None),
    ("training step, lenet", 4.0, None),
];

/// SimLoss may take this much of cross entropy's time.
const AT_MOST: f64 = 1.25;

fn pytorch(ratios: &BTreeMap<usize, f64>) -> Sections {
    let text = documents::record("peers-speed.json")?;
    let (about, rows) = text.split_once('\n').unwrap_or_default();
    let about: serde_json::Value = serde_json::from_str(about)?;
    assert!(["command", "version", "pytorch", "processor"].iter().all(|key| about[key].is_string()), "{about}");
    let rows: Vec<Beside> = rows.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    assert_eq!(rows.len(), 10);
    let mut table = Table::new(&["PyTorch's time / this crate's", "median", "least", "most"]);
    for Beside { what, median, min, max } in &rows {
        table.row([what.clone(), format!("{median:.2}"), format!("{min:.2}"), format!("{max:.2}")]);
    }
    let reached = |goal: bool| if goal { "reached" } else { "missed" };
    let mut goals = Table::new(&["", "goal", "measured", "", "second goal", ""]);
    let (mut missed, mut second_missed) = (vec![], vec![]);
    for (what, goal, second) in GOALS {
        let Beside { median, .. } = rows.iter().find(|row| row.what == what).ok_or(format!("no {what}"))?;
        assert!(*median >= goal, "{what}");
        second_missed.extend(second.filter(|second| median < second).map(|_| what));
        let of_second = second.map_or(String::new(), |second| reached(*median >= second).to_owned());
        goals.row([
            what.to_owned(),
            format!("at least {goal} times PyTorch's speed"),
            format!("{median:.2}"),
            reached(true).to_owned(),
            second.map_or(String::new(), |second| second.to_string()),
            of_second,
        ]);
    }
    for (classes, ratio) in ratios {
        let empty = String::new();
        let what = format!("SimLoss, {classes} classes");
        missed.extend((*ratio > AT_MOST).then(|| classes.to_string()));
        goals.row([
            what,
            format!("at most {AT_MOST} times cross entropy's time"),
            format!("{ratio:.2}"),
            reached(*ratio <= AT_MOST).to_owned(),
            empty.clone(),
            empty,
        ]);
    }
    assert!(second_missed.len() == GOALS.iter().filter(|goal| goal.2.is_some()).count(), "{second_missed:?}");
    let verdict = paragraph(&format!(
        "**The first goals are reached, except the ratio of SimLoss to cross entropy at {} classes. All second goals of the \
         loss are missed.**",
        missed.join(" and ")
    ));
    Ok(vec![
        Section::new(DOCUMENT, "goals-verdict", verdict),
        Section::new(DOCUMENT, "pytorch", table),
        Section::new(DOCUMENT, "goals", goals),
    ])
}

pub fn sections() -> Sections {
    let (mut sections, ratios) = throughput()?;
    sections.extend(family()?);
    sections.extend(cost_curve()?);
    sections.push(large_inputs()?);
    sections.extend(pytorch(&ratios)?);
    Ok(sections)
}

#[test]
fn the_cost_curve_is_drawn_from_its_record() -> Outcome {
    let stored = documents::record("curve.svg")?;
    assert!(curve::plot(&lines()?)? == stored, "docs/records/curve.svg is not the drawing of docs/records/curve.json");
    Ok(())
}

/// The times by single rows are quoted in the documentation of `simloss-bench`.
#[test]
fn recorded_medians_lie_in_their_intervals() -> Outcome {
    let (_, times) = record::read::<Time>(&documents::record("benches.json")?)?;
    let ratios = times.iter().filter_map(|plain| {
        let bench = plain.bench.strip_prefix("one row/cce/")?;
        Some(times.iter().find(|time| time.bench == format!("one row/simloss/{bench}"))?.ns / plain.ns)
    });
    let (least, most) = ratios.fold((f64::INFINITY, 0.0), |(least, most), ratio| (ratio.min(least), ratio.max(most)));
    let said = format!("{least:.1} to {most:.1} times as long");
    assert!(
        documents::read("simloss-bench/src/lib.rs")?.contains(&said),
        "simloss-bench/src/lib.rs should say: {said}"
    );
    assert!(times.len() >= 50 && times.iter().all(|time| time.interval[0] <= time.ns && time.ns <= time.interval[1]));
    Ok(())
}
