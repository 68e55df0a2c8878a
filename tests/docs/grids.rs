//! README and `docs/reproduction.md`: grids of runs, with tests against cross entropy.

use super::Sections;
use simloss_tests::{
    Outcome,
    documents::{self, Section, Table, grouped, paragraph},
};
use simloss_train::{
    compare::statistics::{SIGNIFICANCE, Summary, holm, paired},
    report::{picture, records::Line},
    similarity::spec::{Link, LossKind, Truth},
};
use std::{
    collections::BTreeMap,
    error::Error,
    fmt::{self, Display, Formatter},
};

const README: &str = "README.md";
const DOCUMENT: &str = "docs/reproduction.md";

/// A metric: its key in records, its column, and whether it is a fraction, of which more is better.
#[derive(Clone, Copy)]
pub struct Metric(&'static str, pub &'static str, bool);

pub const ACCURACY: Metric = Metric("accuracy", "accuracy", true);
pub const MAE: Metric = Metric("mae", "MAE", false);
pub const MAE_EXPECTATION: Metric = Metric("mae_expectation", "MAE of the expected value", false);
pub const MAE_MEDIAN: Metric = Metric("mae_median", "MAE of the median", false);
pub const MSE: Metric = Metric("mse", "MSE", false);
pub const MSE_EXPECTATION: Metric = Metric("mse_expectation", "MSE of the expected value", false);
const RPS: Metric = Metric("rps", "RPS", false);
pub const SA: Metric = Metric("sa", "SA", true);
pub const SA_MINIMUM_RISK: Metric = Metric("sa_least_risk", "minimum-risk SA", true);
pub const FSA: Metric = Metric("fsa", "FSA", true);
pub const NLL: Metric = Metric("nll", "NLL", false);
const NLL_SCALED: Metric = Metric("nll_scaled", "NLL, scaled", false);
const ECE: Metric = Metric("ece", "ECE", false);
const ECE_SCALED: Metric = Metric("ece_scaled", "ECE, scaled", false);

const OF_AGES: [Metric; 9] = [ACCURACY, MAE, MAE_EXPECTATION, MAE_MEDIAN, MSE, MSE_EXPECTATION, NLL, ECE, ECE_SCALED];
const OF_CIFAR100: [Metric; 7] = [ACCURACY, SA, SA_MINIMUM_RISK, FSA, NLL, ECE, ECE_SCALED];
/// The family of losses, of classes in an order and in groups.
const OF_FAMILY: [Metric; 7] = [ACCURACY, MAE, MAE_MEDIAN, RPS, NLL, ECE, ECE_SCALED];
const OF_GROUPS: [Metric; 7] = [ACCURACY, SA, FSA, NLL, NLL_SCALED, ECE, ECE_SCALED];

/// A similarity with its parameter. Class order goes without saying.
pub fn with_parameter(similarity: &str, r: Option<f64>, l: Option<f64>) -> String {
    match (r, l) {
        (Some(r), _) if similarity == "order" => format!("r = {r}"),
        (Some(r), _) => format!("{similarity}, r = {r}"),
        (_, Some(l)) => format!("{similarity}, l = {l}"),
        _ => similarity.to_owned(),
    }
}

/// A line's loss, in words.
fn loss(line: &Line) -> String {
    let of = match line.link {
        Link::Threshold => with_parameter(&line.similarity, line.r, line.l),
        Link::Exp(b) => format!("{}, b = {b}", line.similarity),
        Link::Hull => format!("{}, hull", with_parameter(&line.similarity, line.r, line.l)),
    };
    match (line.loss, &line.truth) {
        (LossKind::Proper, _) => format!("proper SimLoss, {of}"),
        (LossKind::Emd, _) => "squared EMD".to_owned(),
        (LossKind::SimLoss, Truth::Class) if line.similarity == "none" => "cross entropy".to_owned(),
        (LossKind::SimLoss, Truth::Class) => format!("SimLoss, {of}"),
        (LossKind::SimLoss, Truth::Soft) if line.similarity == "order" => format!("SORD, {of}"),
        (LossKind::SimLoss, Truth::Soft) => format!("soft labels, {of}"),
        (LossKind::SimLoss, Truth::Smoothed(fraction)) => format!("label smoothing {fraction}"),
    }
}

/// One metric of one loss over its seeds, and its paired test against cross entropy on the same data.
#[derive(Clone, Debug)]
pub struct Cell {
    /// In percent if a fraction.
    summary: Summary,
    fraction: bool,
    /// After Holm's correction over the losses of the comparison; `None` without a test.
    pub p: Option<f64>,
    /// Over the seeds that both have, in the direction of the metric.
    better: bool,
}

impl Cell {
    pub fn mean(&self) -> f64 {
        self.summary.mean
    }

    pub fn is_significant(&self) -> bool {
        self.p.is_some_and(|p| p < SIGNIFICANCE)
    }

    pub fn is_gain(&self) -> bool {
        self.is_significant() && self.better
    }
}

impl Display for Cell {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Summary { count, mean, deviation } = self.summary;
        let (digits, unit) = if self.fraction { (1, "%") } else { (3, "") };
        write!(f, "{mean:.digits$}")?;
        if count > 1 {
            write!(f, " ± {deviation:.digits$}")?;
        }
        write!(f, "{unit}{}", if self.is_significant() { " *" } else { "" })
    }
}

/// A loss of a comparison.
pub struct Entry {
    pub comparison: String,
    pub loss: String,
    classes: usize,
    seeds: usize,
    epochs: f64,
    cells: BTreeMap<&'static str, Cell>,
}

impl Entry {
    pub fn cell(&self, metric: Metric) -> &Cell {
        &self.cells[metric.1]
    }

    pub fn is_simloss(&self) -> bool {
        self.loss.starts_with("SimLoss")
    }
}

/// All losses of a record.
pub struct Grid {
    metrics: Vec<Metric>,
    pub entries: Vec<Entry>,
    samples: [usize; 3],
}

type Seeds = BTreeMap<u64, f64>;

fn by_seed(runs: &[&Line], key: &str) -> Result<Seeds, Box<dyn Error>> {
    let found: Option<Seeds> = runs.iter().map(|run| Some((run.seed, *run.test.get(key)?))).collect();
    let found = found.ok_or(format!("{}: no {key}", loss(runs[0])))?;
    assert_eq!(found.len(), runs.len(), "{}: a seed is there twice", loss(runs[0]));
    Ok(found)
}

/// The cells of one metric, a loss each.
fn cells(losses: &[&[Line]], plain: &[&Line], &Metric(key, _, fraction): &Metric) -> Result<Vec<Cell>, Box<dyn Error>> {
    let reference = by_seed(plain, key)?;
    let values = losses.iter().map(|runs| by_seed(&runs.iter().collect::<Vec<_>>(), key));
    let values = values.collect::<Result<Vec<_>, _>>()?;
    let samples = losses[0][0].samples;
    let test = |values: &Seeds| {
        let both = values.iter().filter_map(|(seed, x)| Some((*x, *reference.get(seed)?)));
        let (a, b): (Vec<f64>, Vec<f64>) = both.unzip();
        paired(&a, &b, samples[2] as f64 / samples[0] as f64)
    };
    let is_plain = |runs: &[Line]| loss(&runs[0]) == "cross entropy";
    let tests: Vec<_> =
        losses.iter().zip(&values).map(|(runs, values)| (!is_plain(runs)).then(|| test(values))?).collect();
    let mut corrected = holm(&tests.iter().flatten().map(|test| test.p).collect::<Vec<_>>()).into_iter();
    let factor = if fraction { 100.0 } else { 1.0 };
    let cell = |(values, tested): (&Seeds, bool)| {
        let gain: f64 = values.iter().filter_map(|(seed, x)| Some(x - reference.get(seed)?)).sum();
        Ok(Cell {
            summary: Summary::of(&values.values().map(|x| factor * x).collect::<Vec<_>>()).ok_or("no runs")?,
            fraction,
            p: if tested { corrected.next() } else { None },
            better: (gain > 0.0) == fraction,
        })
    };
    values.iter().zip(tests.iter().map(Option::is_some)).map(cell).collect()
}

impl Grid {
    pub fn read(record: &str, metrics: &[Metric]) -> Result<Self, Box<dyn Error>> {
        let all: Vec<Line> = serde_json::from_str(&documents::record(record)?)?;
        let mut entries: Vec<Entry> = vec![];
        for lines in all.chunk_by(|a, b| a.comparison == b.comparison) {
            let losses: Vec<&[Line]> = lines.chunk_by(|a, b| loss(a) == loss(b)).collect();
            // Of whichever comparison: it knows no similarity.
            let is_plain = |line: &&Line| loss(line) == "cross entropy" && line.is_comparable(&lines[0]);
            let plain: Vec<&Line> = all.iter().filter(is_plain).collect();
            assert!(!plain.is_empty(), "{} has no cross entropy", lines[0].comparison);
            let first = entries.len();
            entries.extend(losses.iter().map(|runs| Entry {
                comparison: runs[0].comparison.clone(),
                loss: loss(&runs[0]),
                classes: runs[0].classes,
                seeds: runs.len(),
                epochs: runs.iter().map(|run| run.epochs as f64).sum::<f64>() / runs.len() as f64,
                cells: BTreeMap::new(),
            }));
            for metric in metrics {
                for (entry, cell) in entries[first..].iter_mut().zip(cells(&losses, &plain, metric)?) {
                    entry.cells.insert(metric.1, cell);
                }
            }
        }
        let samples = all.first().ok_or("no runs")?.samples;
        Ok(Grid { metrics: metrics.to_vec(), entries, samples })
    }

    pub fn ages() -> Result<Self, Box<dyn Error>> {
        Grid::read("age.json", &OF_AGES)
    }

    pub fn cifar100() -> Result<Self, Box<dyn Error>> {
        Grid::read("cifar100.json", &OF_CIFAR100)
    }

    pub fn entry(&self, comparison: &str, loss: &str) -> Result<&Entry, Box<dyn Error>> {
        let found = self.entries.iter().find(|entry| entry.comparison == comparison && entry.loss == loss);
        found.ok_or_else(|| format!("no '{loss}' in '{comparison}'").into())
    }

    /// Everything; the comparison is named where there are several.
    fn table(&self) -> Table {
        let several = self.entries.iter().any(|entry| entry.comparison != self.entries[0].comparison);
        let columns = |entry: Option<&Entry>| -> Vec<String> {
            let mut cells = vec![entry.map_or("comparison".to_owned(), |entry| entry.comparison.clone())];
            cells.truncate(usize::from(several));
            cells.extend(match entry {
                None => ["loss", "seeds", "epochs"].map(str::to_owned),
                Some(entry) => [entry.loss.clone(), entry.seeds.to_string(), format!("{:.0}", entry.epochs)],
            });
            let name = |metric: &Metric| entry.map_or(metric.1.to_owned(), |entry| entry.cell(*metric).to_string());
            cells.extend(self.metrics.iter().map(name));
            cells
        };
        let head = columns(None);
        let mut table = Table::new(&head.iter().map(String::as_str).collect::<Vec<_>>());
        for entry in &self.entries {
            table.row(columns(Some(entry)));
        }
        table
    }

    /// These losses, named by comparison and loss, and these metrics.
    pub fn selected(&self, losses: &[(&str, &str)], metrics: &[Metric]) -> Result<Table, Box<dyn Error>> {
        let found = losses.iter().map(|(comparison, loss)| self.entry(comparison, loss));
        let entries: Vec<&Entry> = found.collect::<Result<_, _>>()?;
        // Named where they differ.
        let classes = entries.iter().any(|entry| entry.classes != entries[0].classes);
        let mut head = vec!["loss", "classes", "seeds"];
        head.retain(|name| classes || *name != "classes");
        head.extend(metrics.iter().map(|metric| metric.1));
        let mut table = Table::new(&head);
        for entry in entries {
            let mut cells = vec![entry.loss.clone()];
            cells.extend(classes.then(|| entry.classes.to_string()));
            cells.push(entry.seeds.to_string());
            cells.extend(metrics.iter().map(|metric| entry.cell(*metric).to_string()));
            table.row(cells);
        }
        Ok(table)
    }
}

/// Stars that are gains.
fn gains(grids: [&Grid; 2]) -> Table {
    let mut table = Table::new(&["loss", "better than cross entropy in"]);
    for grid in grids {
        for entry in &grid.entries {
            let metrics: Vec<&str> =
                grid.metrics.iter().filter(|metric| entry.cell(**metric).is_gain()).map(|metric| metric.1).collect();
            if !metrics.is_empty() {
                table.row([entry.loss.clone(), metrics.join(", ")]);
            }
        }
    }
    table
}

/// What UTKFace has, and what is left out; the record says how many are left.
fn faces(ages: &Grid) -> String {
    let (images, older, misnamed) = (ages.samples.iter().sum::<usize>(), 87, 2);
    paragraph(&format!(
        "The [record](records/age.json) of ages has the published batches and epochs and {} images of ages 1 to 90. UTKFace \
         has {} files. `simloss` reports and leaves out {older} images of older people and {misnamed} files whose names are \
         unlike the others (`24_0_1_20170116220224657 .jpg.chip.jpg`, `55_0_0_20170116232725357jpg.chip.jpg`).",
        grouped(images),
        grouped(images + older + misnamed)
    ))
}

/// The verdict on wine, of the largest ratio between an NLL and that of cross entropy.
fn wine(grid: &Grid) -> Result<String, Box<dyn Error>> {
    let plain = grid.entry("order", "cross entropy")?.cell(NLL).mean();
    let ratio = |entry: &Entry| entry.cell(NLL).mean() / plain;
    let most = grid.entries.iter().filter(|entry| entry.is_simloss()).map(ratio).fold(0.0, f64::max);
    for entry in grid.entries.iter().filter(|entry| entry.loss.starts_with("proper")) {
        let same = [ACCURACY, MAE, NLL, ECE, ECE_SCALED].iter().all(|metric| !entry.cell(*metric).is_significant());
        assert!(same, "{} differs from cross entropy", entry.loss);
    }
    Ok(paragraph(&format!(
        "**On wine, proper SimLoss keeps the likelihood and the calibration of cross entropy at every r, and does not improve \
         accuracy or MAE. SimLoss multiplies the NLL by up to {most:.1}. Squared EMD does as well as proper SimLoss.** The \
         [record](records/wine.json) has {} seeds, each with its own split; `*` as in the [full grids](#the-full-grids).",
        grid.entries[0].seeds
    )))
}

/// The seeds that are planned for few faces.
const PLANNED: usize = 5;

/// How far the sweep on few faces has come.
fn few(grid: &Grid) -> String {
    let mut losses: BTreeMap<usize, usize> = BTreeMap::new();
    for entry in &grid.entries {
        *losses.entry(entry.seeds).or_default() += 1;
    }
    let counts: Vec<String> = losses.iter().map(|(seeds, losses)| format!("{losses} with {seeds}")).collect();
    let verdict = match losses.keys().all(|&seeds| seeds >= PLANNED) {
        true => format!("**All losses have {PLANNED} seeds or more.**"),
        false => format!(
            "**The sweep on few faces is unfinished: {PLANNED} seeds are planned, and the losses by seeds are {}.**",
            counts.join(", ")
        ),
    };
    paragraph(&format!(
        "{verdict} The [record](records/utkface4k.json) is of UTKFace-4k, with {} training images and batches of 64. The \
         commands below add missing runs, in any directory.",
        grouped(grid.samples[0])
    ))
}

pub fn sections() -> Sections {
    let (ages, cifar100) = (Grid::ages()?, Grid::cifar100()?);
    let of_ages: Vec<(&str, &str)> = [
        "cross entropy",
        "SimLoss, r = 0.3",
        "SimLoss, r = 0.5",
        "SimLoss, r = 0.8",
        "SimLoss, r = 0.9",
        "SORD, r = 0.8",
    ]
    .map(|loss| ("order", loss))
    .to_vec();
    let of_cifar100: Vec<(&str, &str)> =
        ["cross entropy", "SimLoss, glove, l = 0.9", "SimLoss, glove, l = 0.5", "SimLoss, glove, l = 0.3"]
            .map(|loss| ("glove", loss))
            .to_vec();
    let wines = Grid::read("wine.json", &OF_FAMILY)?;
    let few_faces = Grid::read("utkface4k.json", &OF_FAMILY)?;
    let digits = Grid::read("digits.json", &OF_GROUPS)?;
    Ok(vec![
        Section::new(README, "age", ages.selected(&of_ages, &[ACCURACY, MAE, MAE_MEDIAN, MSE, MSE_EXPECTATION, NLL])?),
        Section::new(README, "cifar100", cifar100.selected(&of_cifar100, &[ACCURACY, SA, FSA, NLL])?),
        Section::new(DOCUMENT, "faces", faces(&ages)),
        Section::new(DOCUMENT, "age", ages.table()),
        Section::new(DOCUMENT, "cifar100", cifar100.table()),
        Section::new(DOCUMENT, "gains", gains([&ages, &cifar100])),
        Section::new(DOCUMENT, "wine-verdict", wine(&wines)?),
        Section::new(DOCUMENT, "wine", wines.table()),
        Section::new(DOCUMENT, "utkface4k-verdict", few(&few_faces)),
        Section::new(DOCUMENT, "utkface4k", few_faces.table()),
        Section::new(DOCUMENT, "digits", digits.table()),
    ])
}

#[test]
fn the_picture_of_readme_is_drawn_from_its_record() -> Outcome {
    let lines: Vec<Line> = serde_json::from_str(&documents::record("wine.json")?)?;
    let drawn = picture::draw(&lines, None, &["nll", "mae"].map(str::to_owned))?;
    let stored = documents::record("family.svg")?;
    assert!(drawn == stored, "docs/records/family.svg is not the drawing of docs/records/wine.json");
    Ok(())
}
