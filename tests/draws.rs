//! The story over several draws of the device's samples, tuned by each loss, on the host: the rounds are those that the
//! device runs (`tuning`), and draw 1 must give the figures that `docs/records/story.json` has of the device.

mod samples;
mod show;

use crate::{
    HELD_OUT, LONGEST, Outcome, RATE, ROUNDS, SEED, Story,
    tuning::{self, Memory, Settings, Watch},
};
use serde::{Deserialize, Serialize};
use simloss_core::{
    Error, Label,
    decoders::{Probabilities, argmax, median},
    device::Round,
    layers::{Dense, Layer},
    loss::{Criterion, CrossEntropy, Loss, ProperSimLoss, SimLoss, SquaredEmd, Targets, soft_label_into, softmax_into},
    metrics::{ConfusionTable, Mean},
    similarity::OrderTable,
    train::{Evaluation, Network, RowMajor, Serial, Work, eval_step},
};
use simloss_train::{
    VERSION,
    compare::statistics::{Summary, holm, paired},
};
use std::{collections::BTreeMap, fs, path::Path};

const DRAWS: usize = 10;
/// What the device does.
const DEVICE: &str = include_str!("../docs/records/story.json");

/// Which samples a device gets, and which judge it.
struct Deal {
    seen: Vec<u32>,
    judged: Vec<u32>,
}

/// What the head of one network gets of all samples, before and after the drift.
struct Features {
    trained: &'static str,
    parameters: Vec<f32>,
    widths: Vec<usize>,
    before: Vec<f32>,
    after: Vec<f32>,
}

/// All that is drawn from.
struct Samples {
    labels: Vec<Label>,
    values: Vec<f32>,
    deals: Vec<Deal>,
    starts: Vec<Features>,
    drift: String,
}

/// A loss that tunes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tuning {
    CrossEntropy,
    SimLoss(f32),
    /// Cross entropy with the soft labels of the class order.
    Sord(f32),
    Proper(f32),
    SquaredEmd,
}

impl Tuning {
    fn name(self) -> &'static str {
        match self {
            Tuning::CrossEntropy => "cross entropy",
            Tuning::SimLoss(_) => "SimLoss",
            Tuning::Sord(_) => "SORD",
            Tuning::Proper(_) => "proper SimLoss",
            Tuning::SquaredEmd => "squared EMD",
        }
    }

    fn reduction_factor(self) -> Option<f32> {
        match self {
            Tuning::SimLoss(r) | Tuning::Sord(r) | Tuning::Proper(r) => Some(r),
            Tuning::CrossEntropy | Tuning::SquaredEmd => None,
        }
    }
}

/// The losses and their learning rates. Proper SimLoss is of the order of `1 - r`: it also gets the rate that
/// its documentation recommends, where that is another one.
fn tunings(factors: &[f32]) -> Vec<(Tuning, f32)> {
    let first = factors[0];
    let mut all = vec![(Tuning::CrossEntropy, RATE), (Tuning::SimLoss(first), RATE), (Tuning::Sord(first), RATE)];
    for &r in factors {
        let recommended = RATE * rounded(1.0 / (2.0 * (1.0 - rounded(f64::from(r))))) as f32;
        all.push((Tuning::Proper(r), RATE));
        if recommended != RATE {
            all.push((Tuning::Proper(r), recommended));
        }
    }
    all.push((Tuning::SquaredEmd, RATE));
    all
}

/// As many digits as the record has.
fn rounded(x: f64) -> f64 {
    (x * 1e6).round() / 1e6
}

/// Of samples that judge, by the core's decoders and metrics.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Figures {
    accuracy: f64,
    mae: f64,
    median_mae: f64,
    nll: f64,
}

/// What the record has of one story.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Drawn {
    version: String,
    drift: String,
    seeds: Vec<u64>,
    /// Of each draw.
    samples: Vec<usize>,
    judged: Vec<usize>,
    every: usize,
    rounds: usize,
    clip: f64,
    /// The second term of the corrected resampled t test: `n / m`, with `n` samples of the device and `m` that judge. Two
    /// draws share `n / (n + m)` of the device's samples.
    overlap: f64,
    networks: Vec<Drifted>,
}

/// Of one network.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Drifted {
    trained: String,
    before: Scores,
    drifted: Scores,
    tuned: Vec<Tuned>,
}

/// Of one network that one loss tuned.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tuned {
    loss: String,
    r: Option<f64>,
    rate: f64,
    rounds_kept: Vec<usize>,
    adapted: Scores,
    /// Against cross entropy; absent for itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    against: Option<Tests>,
}

/// Each measure over the draws.
type Scores = BTreeMap<String, Score>;
/// Each measure against that of cross entropy.
type Tests = BTreeMap<String, Test>;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Score {
    mean: f64,
    std: f64,
    draws: Vec<f64>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Test {
    difference: f64,
    std: f64,
    /// Before correction; absent where no test is possible.
    p: Option<f64>,
    /// Holm's correction over the losses.
    holm: Option<f64>,
}

/// A measure: its name in the record, and where it stands.
type Measure = (&'static str, fn(&Figures) -> f64);

const MEASURES: [Measure; 4] =
    [("accuracy", |f| f.accuracy), ("mae", |f| f.mae), ("median_mae", |f| f.median_mae), ("nll", |f| f.nll)];

fn scores(of: &[Figures]) -> Outcome<Scores> {
    let score = |(name, get): &(&str, fn(&Figures) -> f64)| {
        let draws: Vec<f64> = of.iter().map(get).collect();
        let Summary { mean, deviation, .. } = Summary::of(&draws).ok_or("no draws")?;
        let draws = draws.into_iter().map(rounded).collect();
        Ok(((*name).to_owned(), Score { mean: rounded(mean), std: rounded(deviation), draws }))
    };
    MEASURES.iter().map(score).collect()
}

/// Each of `all` against the first.
fn tests(all: &[Vec<Figures>], overlap: f64) -> Outcome<Vec<Tests>> {
    let mut tests: Vec<Tests> = all.iter().skip(1).map(|_| BTreeMap::new()).collect();
    for (name, get) in MEASURES {
        let of = |figures: &[Figures]| figures.iter().map(get).collect::<Vec<f64>>();
        let reference = of(&all[0]);
        let results: Vec<_> = all.iter().skip(1).map(|one| paired(&of(one), &reference, overlap)).collect();
        let mut corrected = holm(&results.iter().flatten().map(|test| test.p).collect::<Vec<_>>()).into_iter();
        for ((result, to), one) in results.iter().zip(&mut tests).zip(&all[1..]) {
            let differences: Vec<f64> = of(one).iter().zip(&reference).map(|(a, b)| a - b).collect();
            let Summary { mean, deviation, .. } = Summary::of(&differences).ok_or("no draws")?;
            let test = Test {
                difference: rounded(mean),
                std: rounded(deviation),
                p: result.map(|test| rounded(test.p)),
                holm: result.and_then(|_| corrected.next()).map(rounded),
            };
            to.insert(name.to_owned(), test);
        }
    }
    Ok(tests)
}

/// The device's samples, in its order.
struct Seen<'a> {
    rows: Vec<f32>,
    width: usize,
    labels: Vec<Label>,
    /// Of each class, where a loss is trained with soft labels.
    soft: Option<&'a [f32]>,
    truth: [Option<Label>; 1],
}

impl tuning::Samples for Seen<'_> {
    fn load(&mut self, i: usize) -> Result<(&[f32], Targets<'_, f32>), Error> {
        let label = self.labels[i];
        self.truth = [Some(label)];
        let targets = match self.soft {
            Some(soft) => Targets::soft(&soft[label.index() * label.classes()..][..label.classes()]),
            None => Targets::labels(&self.truth),
        };
        Ok((&self.rows[i * self.width..][..self.width], targets))
    }
}

/// Counts the rounds that were kept.
struct Kept(usize);

impl Watch for Kept {
    fn end(&mut self, round: &Round<f32>) {
        self.0 += usize::from(round.kept);
    }
}

/// Rows `of` some features.
fn rows(features: &[f32], width: usize, of: &[u32]) -> Vec<f32> {
    of.iter().flat_map(|&i| &features[i as usize * width..][..width]).copied().collect()
}

/// A head and the samples that it is tuned and judged with.
struct Play<'a, N> {
    layers: N,
    samples: &'a Samples,
    start: &'a Features,
    deal: &'a Deal,
}

impl<N: Layer<f32> + Copy> Play<'_, N> {
    fn labels(&self, of: &[u32]) -> Vec<Label> {
        of.iter().map(|&i| self.samples.labels[i as usize]).collect()
    }

    /// Figures of the samples that judge.
    fn judge(&self, features: &[f32], parameters: &[f32]) -> Outcome<Figures> {
        let Play { layers, samples, deal, .. } = self;
        let (classes, width) = (samples.values.len(), layers.shape().inputs);
        let network = Network::new(*layers, Criterion::new(CrossEntropy::new(classes)?))?;
        let scratch = network.scratch::<f32>(false, true);
        let (mut scalars, mut values) = (vec![0.0; scratch.scalars], vec![0.0; scratch.values]);
        let work = Work::<f32> { scalars: &mut scalars, values: &mut values };
        let mut engine = Serial { token: (), network: &network, work, group: &mut [] };

        let labels = self.labels(&deal.judged);
        let truth: Vec<Option<Label>> = labels.iter().copied().map(Some).collect();
        let rows = rows(features, width, &deal.judged);
        let (mut losses, mut logits) = (vec![0.0; labels.len()], vec![0.0; labels.len() * classes]);
        let evaluation = Evaluation {
            features: &RowMajor::new(&rows, width)?,
            targets: Targets::labels(&truth),
            losses: &mut losses,
            logits: &mut logits,
        };
        eval_step(&mut engine, parameters, evaluation)?;

        let table = || ConfusionTable::in_memory(vec![0; classes * classes], classes);
        let (mut most, mut middle, mut nll) = (table()?, table()?, Mean::new());
        let mut p = vec![0.0; classes];
        for ((&label, &loss), logits) in labels.iter().zip(&losses).zip(logits.chunks_exact(classes)) {
            softmax_into(logits, &mut p)?;
            most.update(label, argmax(logits)?)?;
            middle.update(label, median(Probabilities::new(&p)?))?;
            nll.update(loss)?;
        }
        let mae = |of: &ConfusionTable<Vec<u64>>| -> Outcome<f64> {
            Ok(of.errors(&samples.values)?.absolute.value().ok_or("no samples")?)
        };
        Ok(Figures {
            accuracy: most.accuracy().value().ok_or("no samples")?,
            mae: mae(&most)?,
            median_mae: mae(&middle)?,
            nll: nll.value().ok_or("no samples")?,
        })
    }

    /// Tuned by a loss: the parameters, and how many rounds were kept.
    fn tune(&self, tuning: Tuning, rate: f32) -> Outcome<(Vec<f32>, usize)> {
        let classes = self.samples.values.len();
        let order = |r| OrderTable::<f32, _>::in_memory(vec![0.0; 2 * classes - 1], classes, r);
        match tuning {
            Tuning::CrossEntropy => self.tune_by(CrossEntropy::new(classes)?, None, rate),
            Tuning::SimLoss(r) => self.tune_by(SimLoss::new(order(r)?), None, rate),
            Tuning::Proper(r) => self.tune_by(ProperSimLoss::new(order(r)?), None, rate),
            Tuning::SquaredEmd => self.tune_by(SquaredEmd::new(classes)?, None, rate),
            Tuning::Sord(r) => {
                let (order, mut soft) = (order(r)?, vec![0.0; classes * classes]);
                for (y, targets) in soft.chunks_mut(classes).enumerate() {
                    soft_label_into(&order, Label::new(y, classes)?, &mut [], targets)?;
                }
                self.tune_by(CrossEntropy::new(classes)?, Some(&soft), rate)
            }
        }
    }

    fn tune_by(&self, loss: impl Loss<f32>, soft: Option<&[f32]>, rate: f32) -> Outcome<(Vec<f32>, usize)> {
        let Play { layers, start, deal, .. } = self;
        let width = layers.shape().inputs;
        let network = Network::new(*layers, Criterion::new(loss))?;
        let scratch = network.scratch::<f32>(soft.is_some(), true);
        let (mut scalars, mut values) = (vec![0.0; scratch.scalars], vec![0.0; scratch.values]);
        let mut parameters = start.parameters.clone();
        let mut backup = vec![0.0; parameters.len()];
        let memory = Memory {
            parameters: &mut parameters,
            backup: &mut backup,
            work: Work { scalars: &mut scalars, values: &mut values },
        };
        let settings = Settings { rounds: ROUNDS, rate, longest: LONGEST, every: HELD_OUT, samples: deal.seen.len() };
        let rows = rows(&start.after, width, &deal.seen);
        let mut seen = Seen { rows, width, labels: self.labels(&deal.seen), soft, truth: [None] };
        let mut kept = Kept(0);
        tuning::tune(&network, settings, memory, &mut seen, &mut kept)?;
        Ok((parameters, kept.0))
    }
}

/// One network over all draws, tuned by each loss.
fn play<N: Layer<f32> + Copy>(
    layers: N,
    samples: &Samples,
    start: &Features,
    tunings: &[(Tuning, f32)],
    overlap: f64,
    device: &Story,
) -> Outcome<Drifted> {
    let (mut before, mut drifted, mut adapted, mut kept) =
        (vec![], vec![], vec![vec![]; tunings.len()], vec![vec![]; tunings.len()]);
    for deal in &samples.deals {
        let play = Play { layers, samples, start, deal };
        before.push(play.judge(&start.before, &start.parameters)?);
        drifted.push(play.judge(&start.after, &start.parameters)?);
        for (i, &(tuning, rate)) in tunings.iter().enumerate() {
            let (parameters, rounds) = play.tune(tuning, rate)?;
            adapted[i].push(play.judge(&start.after, &parameters)?);
            kept[i].push(rounds);
        }
    }

    // The device has played draw 1: the same figures, to the last bit.
    for told in device.plays.iter().filter(|told| told.trained == start.trained) {
        let is_tuned = |tuning: Tuning| match &*told.tuned {
            "cce" => tuning == Tuning::CrossEntropy,
            _ => matches!(tuning, Tuning::SimLoss(_)),
        };
        let i = tunings.iter().position(|&(tuning, _)| is_tuned(tuning)).ok_or("a loss that was not drawn")?;
        let host = [before[0], drifted[0], adapted[i][0]].map(|f| (f.accuracy, f.mae));
        let device = [&told.before, &told.drifted, &told.adapted].map(|f| (f.accuracy, f.mae));
        if (host, kept[i][0]) != (device, told.rounds_kept) {
            eprintln!("accuracy and MAE before drift, after it, and adapted; rounds kept:");
            eprintln!("host   {:?}\ndevice {:?}", (host, kept[i][0]), (device, told.rounds_kept));
            let (trained, tuned) = (&told.trained, &told.tuned);
            return Err(format!("draw 1, {trained} tuned by {tuned}: the host is not as the device").into());
        }
        println!("draw 1, {} tuned by {}: as the device", told.trained, told.tuned);
    }

    let tests = tests(&adapted, overlap)?.into_iter().map(Some);
    let tuned = tunings.iter().zip(&adapted).zip(kept).zip([None].into_iter().chain(tests));
    let tuned = tuned.map(|(((&(tuning, rate), adapted), rounds_kept), against)| {
        Ok(Tuned {
            loss: tuning.name().to_owned(),
            r: tuning.reduction_factor().map(|r| rounded(f64::from(r))),
            rate: rounded(f64::from(rate)),
            rounds_kept,
            adapted: scores(adapted)?,
            against,
        })
    });
    let tuned = tuned.collect::<Outcome<_>>()?;
    Ok(Drifted { trained: start.trained.to_owned(), before: scores(&before)?, drifted: scores(&drifted)?, tuned })
}

fn seeds() -> Vec<u64> {
    (SEED..).take(DRAWS).collect()
}

/// Plays a story over all draws, prints it, and compares it with the record or writes it there.
pub fn draws(name: &str, folder: &Path, record: Option<&Path>, overwrite: bool) -> Outcome {
    let (samples, factors): (_, &[f32]) = match name {
        "wine" => (samples::wines(folder)?, &[0.5]),
        "faces" => (samples::faces(folder)?, &[0.8, 0.9]),
        _ => return Err(format!("no story is called {name}; there are wine and faces").into()),
    };
    let device: BTreeMap<String, Story> = serde_json::from_str(DEVICE)?;
    let device = device.get(name).ok_or("the device has no such story")?;
    let count = |of: fn(&Deal) -> usize| samples.deals.iter().map(of).collect::<Vec<usize>>();
    let (seen, judged) = (count(|deal| deal.seen.len()), count(|deal| deal.judged.len()));
    if (&samples.drift, seen[0], judged[0]) != (&device.drift.drift, device.drift.samples, device.drift.judged) {
        return Err("draw 1 is not what the device got".into());
    }
    let overlap = rounded(seen.iter().sum::<usize>() as f64 / judged.iter().sum::<usize>() as f64);
    let tunings = tunings(factors);
    let mut networks = vec![];
    for start in &samples.starts {
        networks.push(match start.widths[..] {
            [inputs, hidden, classes] => {
                let layers =
                    Layer::<f32>::then(Layer::<f32>::relu(Dense::new(inputs, hidden)), Dense::new(hidden, classes));
                play(layers, &samples, start, &tunings, overlap, device)?
            }
            [inputs, classes] => play(Dense::new(inputs, classes), &samples, start, &tunings, overlap, device)?,
            _ => return Err("a head of other layers".into()),
        });
    }
    let drawn = Drawn {
        version: VERSION.to_owned(),
        drift: samples.drift.clone(),
        seeds: seeds(),
        samples: seen,
        judged,
        every: HELD_OUT,
        rounds: ROUNDS,
        clip: rounded(f64::from(LONGEST)),
        overlap,
        networks,
    };
    show::print(name, &drawn);

    let Some(path) = record else { return Ok(()) };
    let mut all: BTreeMap<String, Drawn> = match path.exists() {
        true => serde_json::from_slice(&fs::read(path)?)?,
        false => BTreeMap::new(),
    };
    if overwrite {
        all.insert(name.to_owned(), drawn);
        let mut text = String::new();
        show::lines(&serde_json::to_value(&all)?, 0, &mut text);
        fs::write(path, text + "\n")?;
    } else if all.get(name) != Some(&drawn) {
        show::differ(all.get(name), &drawn)?;
        return Err(format!("{} has other figures of {name}; --overwrite accepts these", path.display()).into());
    }
    Ok(())
}
