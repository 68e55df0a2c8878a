//! Pages: one file each, nothing fetched, light, dark and print.
//!
//! Names that come from files are escaped by the template; only drawings, which escape their own text, go in as they are.

use crate::{
    Error,
    compare::{Cell, Comparison},
    files,
    measure::Measure,
    plot::{Chart, HeatMap, Line, Look, Role},
    record::{Selection, VERSION},
    similarity::{Candidate, describe::Description},
    statistics::{SIGNIFICANCE, Summary},
    summary::{self, p_value, spread},
    task::Task,
};
use askama::Template;
use std::path::Path;

/// Up to so many classes have their confusion written in a table; more are drawn.
const TABULATED: usize = 16;

#[derive(Template)]
#[template(path = "report.html")]
struct Report {
    version: &'static str,
    name: String,
    subject: String,
    similarity: String,
    findings: Vec<String>,
    seeds: usize,
    tested: bool,
    significance: f64,
    prepared: &'static str,
    heads: Vec<Head>,
    rows: Vec<Row>,
    tests: Vec<Test>,
    figures: Vec<Figure>,
    answers_caption: String,
    answer_heads: Vec<String>,
    answers: Vec<Row>,
    confusions: Vec<Confusion>,
    facts: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "similarity.html")]
struct Page {
    version: &'static str,
    title: String,
    caption: String,
    svg: String,
    facts: Vec<(String, String)>,
}

struct Head {
    text: &'static str,
    title: &'static str,
}

/// The paired tests of one measure.
struct Test {
    measure: String,
    rows: Vec<Row>,
}

struct Row {
    title: String,
    class: &'static str,
    fields: Vec<Field>,
}

struct Field {
    text: String,
    class: &'static str,
}

impl Field {
    fn plain(text: impl Into<String>) -> Self {
        Field { text: text.into(), class: "" }
    }

    fn p(p: Option<f64>) -> Self {
        let class = if p.is_some_and(|p| p < SIGNIFICANCE) { "p sure" } else { "p" };
        Field { text: p.map_or_else(String::new, p_value), class }
    }
}

struct Figure {
    title: String,
    svg: String,
    caption: String,
    keys: Vec<Key>,
}

struct Key {
    class: &'static str,
    text: String,
}

struct Confusion {
    title: String,
    tone: &'static str,
    svg: Option<String>,
    names: Vec<String>,
    rows: Vec<ConfusionRow>,
}

struct ConfusionRow {
    name: String,
    cells: Vec<ConfusionCell>,
    samples: u64,
}

struct ConfusionCell {
    share: String,
    strong: bool,
    own: bool,
    text: String,
}

/// Writes the report of a comparison, whole or not at all.
///
/// # Errors
/// [`Error::File`], [`Error::Draw`], [`Error::Core`].
pub fn write(comparison: &Comparison) -> Result<(), Error> {
    let page = report(comparison)?;
    files::replace(&comparison.report(), &[render("the report", &page)?.as_bytes()])
}

/// Writes the page of a similarity, whole or not at all.
///
/// # Errors
/// [`Error::File`], [`Error::Draw`].
pub(crate) fn write_similarity(
    path: &Path,
    title: &str,
    names: &[String],
    description: &Description,
    facts: Vec<(String, String)>,
) -> Result<(), Error> {
    let (svg, caption) = heat_map(names, description)?;
    let page = Page { version: VERSION, title: title.to_owned(), caption, svg, facts };
    files::replace(path, &[render("the page of a similarity", &page)?.as_bytes()])
}

fn render(what: &'static str, page: &impl Template) -> Result<String, Error> {
    page.render().map_err(|problem| Error::Draw { what, problem: problem.to_string() })
}

fn report(comparison: &Comparison) -> Result<Report, Error> {
    let chosen = comparison.chosen();
    let tested = comparison.series.len() > 1 && comparison.plan.seeds > 1;
    let (heads, rows) = results(comparison)?;
    let (answer_heads, answers) = answers(comparison);
    let errors = comparison.measures.list().contains(&Measure::ClassError);
    let mut answers_caption = match chosen {
        None => "Test samples, mean ± standard deviation.".to_owned(),
        Some(chosen) => format!(
            "Test samples, mean ± standard deviation{}. p: paired test of the {} of the two losses under one answer, \
             corrected over the answers.",
            match comparison.series.len() {
                2 => String::new(),
                _ => format!("; {} was chosen on the validation samples", comparison.series[chosen].title),
            },
            if errors { "MAE" } else { "accuracy" }
        ),
    };
    if errors {
        answers_caption.push_str(" The median class is the one of least expected error (minimum risk).");
    }
    let mut confusions = vec![confusion(comparison, 0, "plain-tone")?];
    if let Some(chosen) = chosen {
        confusions.push(confusion(comparison, chosen, "simloss-tone")?);
    }
    Ok(Report {
        version: VERSION,
        name: comparison.plan.task.data().name().to_owned(),
        subject: sentence(&summary::subject(comparison)),
        similarity: sentence(&summary::similarity(comparison)),
        findings: summary::findings(comparison)?.iter().map(|finding| unbroken(finding)).collect(),
        seeds: comparison.plan.seeds,
        tested,
        significance: SIGNIFICANCE,
        prepared: match &comparison.plan.task {
            Task::Table(_) => {
                "Splits keep the proportions of the classes. Features are scaled to mean 0 and deviation 1 on the training \
                 part."
            }
            Task::Images { .. } => {
                "Parts that the data name are kept, the others drawn in one shuffle. Images are resized and divided by \
                 255; training images alone are augmented, where that is said below."
            }
        },
        heads,
        rows,
        tests: tests(comparison)?,
        figures: figures(comparison)?,
        answers_caption,
        answer_heads,
        answers,
        confusions,
        facts: facts(comparison),
    })
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// How a series stands out: it is the reference, or it was chosen.
fn class(comparison: &Comparison, series: usize) -> &'static str {
    match series {
        0 => "reference",
        i if Some(i) == comparison.chosen() => "chosen",
        _ => "",
    }
}

fn results(comparison: &Comparison) -> Result<(Vec<Head>, Vec<Row>), Error> {
    let measures = comparison.measures.list();
    let heads = measures.iter().map(|measure| Head { text: measure.short(), title: measure.long() }).collect();
    let mut rows: Vec<Row> = comparison
        .series
        .iter()
        .enumerate()
        .map(|(i, series)| Row { title: series.title.clone(), class: class(comparison, i), fields: vec![] })
        .collect();
    for &measure in measures {
        for (row, cell) in rows.iter_mut().zip(comparison.cells(measure)?) {
            row.fields.push(match cell {
                None => Field::plain("–"),
                Some(cell) => Field {
                    text: spread(measure, &cell.summary),
                    class: if cell.is_significant() { "sure" } else { "" },
                },
            });
        }
    }
    Ok((heads, rows))
}

fn tests(comparison: &Comparison) -> Result<Vec<Test>, Error> {
    let mut tests = vec![];
    for &measure in comparison.measures.list().iter().filter(|measure| measure.is_tested()) {
        let mut rows = vec![];
        for (i, (series, cell)) in comparison.series.iter().zip(comparison.cells(measure)?).enumerate() {
            let Some((paired, corrected)) = cell.and_then(|cell| cell.test.zip(cell.corrected)) else { continue };
            let fields = vec![
                Field::plain(signed(spread(measure, &paired.difference), paired.difference.mean)),
                Field::plain(signed(format!("{:.2}", paired.effect), paired.effect)),
                Field::plain(p_value(paired.p)),
                Field::p(Some(corrected)),
            ];
            rows.push(Row { title: series.title.clone(), class: class(comparison, i), fields });
        }
        if !rows.is_empty() {
            tests.push(Test { measure: sentence(measure.long()), rows });
        }
    }
    Ok(tests)
}

/// A number with its sign, the minus as long as the plus.
fn signed(text: String, x: f64) -> String {
    match text.strip_prefix('-') {
        Some(rest) => format!("−{rest}"),
        None if x > 0.0 => format!("+{text}"),
        None => text,
    }
}

/// Text whose short formulas stay on one line.
fn unbroken(text: &str) -> String {
    text.replace(" = ", "\u{a0}=\u{a0}").replace(" ± ", "\u{a0}±\u{a0}").replace(" %", "\u{a0}%")
}

fn answers(comparison: &Comparison) -> (Vec<String>, Vec<Row>) {
    let errors = comparison.measures.list().contains(&Measure::ClassError);
    let mut losses = vec!["cross entropy".to_owned()];
    losses.extend(comparison.chosen().map(|chosen| comparison.series[chosen].title.clone()));
    let mut heads = vec![];
    for loss in &losses {
        heads.push(format!("{loss}: accuracy"));
        heads.extend(errors.then(|| format!("{loss}: MAE")));
    }
    let both = losses.len() > 1;
    heads.extend(both.then(|| "p".into()));
    let rows = summary::answers(comparison)
        .into_iter()
        .map(|answer| {
            let mut fields = vec![];
            for numbers in [Some(answer.plain), both.then_some(answer.chosen)].into_iter().flatten() {
                for (measure, summary) in [Measure::Accuracy, Measure::ClassError].into_iter().zip(numbers) {
                    if measure == Measure::Accuracy || errors {
                        fields.push(Field::plain(summary.map_or_else(String::new, |s| spread(measure, &s))));
                    }
                }
            }
            fields.extend(both.then(|| Field::p(answer.p)));
            Row { title: answer.name.into(), class: "", fields }
        })
        .collect();
    (heads, rows)
}

fn figures(comparison: &Comparison) -> Result<Vec<Figure>, Error> {
    let mut figures = vec![];
    let measures = comparison.measures.list();
    if comparison.series.iter().filter(|series| series.parameter.is_some()).count() > 1 {
        let both = [Measure::ClassError, Measure::ExpectedError];
        for &measure in measures {
            let shown: &[Measure] = match measure {
                Measure::ClassError => &both,
                // Drawn with the error of the class.
                Measure::ExpectedError => continue,
                _ => &[measure],
            };
            figures.extend(grid(comparison, shown)?);
        }
    }
    figures.extend(learning(comparison)?);
    figures.extend(chosen_map(comparison)?);
    Ok(figures)
}

/// A measure, or two of one unit, over the grid.
fn grid(comparison: &Comparison, shown: &[Measure]) -> Result<Option<Figure>, Error> {
    let Some(&first) = shown.first() else { return Ok(None) };
    let is_order = comparison
        .series
        .iter()
        .any(|series| series.records.first().is_some_and(|record| record.loss.reduction_factor.is_some()));
    let parameter = if is_order { "reduction factor r" } else { "lower bound l" };
    let (mut lines, mut keys) = (vec![], vec![]);
    for (i, &measure) in shown.iter().enumerate() {
        let role = if i == 0 { Role::SimLoss } else { Role::Second };
        let cells = comparison.cells(measure)?;
        let of = |x: f64, cell: &Cell| (x, cell.summary.mean, cell.summary.deviation);
        let mut points: Vec<(f64, f64, f64)> = comparison
            .series
            .iter()
            .zip(&cells)
            .filter_map(|(series, cell)| Some(of(series.parameter?, cell.as_ref()?)))
            .collect();
        let plain = cells.first().and_then(Option::as_ref);
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        if let Some(plain) = plain {
            // r = 0 is cross entropy: the line begins there.
            if is_order && points.first().is_some_and(|p| p.0 > 0.0) {
                points.insert(0, of(0.0, plain));
            }
        }
        let (name, class) = match (shown.len(), i) {
            (1, _) => ("SimLoss".to_owned(), "simloss"),
            (_, 0) => ("SimLoss, most probable class".to_owned(), "simloss"),
            _ => ("SimLoss, expected value".to_owned(), "second"),
        };
        keys.push(Key { class, text: name });
        lines.push(Line { role, points, look: Look::Points });
        if let Some(plain) = plain {
            let role = if i == 0 { Role::Plain } else { Role::Second };
            lines.push(Line { role, points: vec![(0.0, plain.summary.mean, 0.0)], look: Look::Level });
            let (class, text) = match (shown.len(), i) {
                (1, _) => ("plain level", "cross entropy"),
                (_, 0) => ("plain level", "cross entropy, most probable class"),
                _ => ("second level", "cross entropy, expected value"),
            };
            keys.push(Key { class, text: text.into() });
        }
    }
    // The level lines stand on top of the bands.
    lines.sort_by_key(|line| line.look == Look::Level);
    let percent = matches!(first, Measure::Accuracy | Measure::SuperclassAccuracy | Measure::FailedSuperclassAccuracy);
    let y = if shown.len() > 1 { "mean absolute error" } else { first.short() };
    let title = if shown.len() > 1 { "Mean absolute error".into() } else { sentence(first.long()) };
    let better = match first.better() {
        crate::measure::Better::Higher => "Higher is better.",
        crate::measure::Better::Lower => "Lower is better.",
    };
    let chart = Chart { x: parameter.into(), y: y.into(), lines, percent };
    let caption = format!("{better} Bands: one standard deviation over the seeds. Numbers: the table of results.");
    Ok(chart.svg()?.map(|svg| Figure { title, svg, caption, keys }))
}

/// What chooses the epoch, epoch by epoch, for cross entropy and the chosen loss.
fn learning(comparison: &Comparison) -> Result<Option<Figure>, Error> {
    let errors = comparison.choice() == Selection::Mae;
    let (mut lines, mut trends, mut keys) = (vec![], vec![], vec![]);
    let shown = [(Some(0), Role::Plain, "plain"), (comparison.chosen(), Role::SimLoss, "simloss")];
    for (series, role, class) in shown {
        let Some(series) = series.and_then(|i| comparison.series.get(i)) else { continue };
        let curves: Vec<Vec<f64>> = series
            .records
            .iter()
            .map(|record| {
                let scores = record.epochs.iter().map(|epoch| &epoch.validation.argmax);
                scores.filter_map(|s| if errors { s.mae } else { s.accuracy }).collect()
            })
            .collect();
        let threads = curves.iter().map(|curve| {
            let points = curve.iter().enumerate().map(|(i, &y)| (i as f64 + 1.0, y, 0.0)).collect();
            Line { role, points, look: Look::Thread }
        });
        lines.extend(threads);
        // A mean over runs that stopped at different epochs would jump: it ends with the first that stops.
        let shortest = curves.iter().map(Vec::len).min().unwrap_or(0);
        let mean = (0..shortest).filter_map(|i| {
            let summary = Summary::of(&curves.iter().map(|curve| curve[i]).collect::<Vec<_>>())?;
            Some((i as f64 + 1.0, summary.mean, 0.0))
        });
        trends.push(Line { role, points: mean.collect(), look: Look::Trend });
        keys.push(Key { class, text: series.title.clone() });
    }
    lines.extend(trends);
    let y = if errors { "validation MAE" } else { "validation accuracy" };
    let chart = Chart { x: "epoch".into(), y: y.into(), lines, percent: !errors };
    let caption = "Thin lines: one run each; strong lines: their mean, up to the first run that stops. The epoch with \
                   the best value is kept.";
    Ok(chart.svg()?.map(|svg| Figure { title: "Learning curves".into(), svg, caption: caption.into(), keys }))
}

fn confusion(comparison: &Comparison, series: usize, tone: &'static str) -> Result<Confusion, Error> {
    let counts = comparison.confusion(series)?;
    let names = comparison.plan.task.data().class_names();
    let title = comparison.series[series].title.clone();
    let share = |row: &[u64], n: u64| n as f64 / row.iter().sum::<u64>().max(1) as f64;
    if names.len() > TABULATED {
        let entries: Vec<f32> = counts.iter().flat_map(|row| row.iter().map(|&n| share(row, n) as f32)).collect();
        let map = HeatMap { names, entries: &entries, rows: "true class", columns: "answer" };
        return Ok(Confusion { title, tone, svg: Some(map.svg()?), names: vec![], rows: vec![] });
    }
    let rows = counts
        .iter()
        .zip(names)
        .enumerate()
        .map(|(y, (row, name))| ConfusionRow {
            name: name.clone(),
            samples: row.iter().sum(),
            cells: row
                .iter()
                .enumerate()
                .map(|(c, &n)| {
                    let share = share(row, n);
                    let text = if n == 0 { "·".into() } else { format!("{:.0} %", 100.0 * share) };
                    ConfusionCell { share: format!("{share:.3}"), strong: share > 0.7, own: c == y, text }
                })
                .collect(),
        })
        .collect();
    Ok(Confusion { title, tone, svg: None, names: names.to_vec(), rows })
}

fn heat_map(names: &[String], description: &Description) -> Result<(String, String), Error> {
    let map = HeatMap { names, entries: &description.entries, rows: "true class", columns: "class" };
    let [least, mean, most] = description.row_sums;
    let caption = format!(
        "S[true class, class], from 0 (no colour) to 1. Row sums from {least:.2} to {most:.2}, mean {mean:.2}: 1 is \
         cross entropy, {} would mean that no class is wrong.",
        description.classes
    );
    Ok((map.svg()?, caption))
}

fn chosen_map(comparison: &Comparison) -> Result<Option<Figure>, Error> {
    // Series 0 is cross entropy; the others are the candidates in their order.
    let Some(chosen) = comparison.chosen() else { return Ok(None) };
    let Some(Candidate { similarity, .. }) = comparison.plan.candidates.get(chosen - 1) else { return Ok(None) };
    let names = comparison.plan.task.data().class_names();
    let (svg, caption) = heat_map(names, &Description::of(similarity)?)?;
    let title = format!("Similarity, {}", comparison.series[chosen].title);
    Ok(Some(Figure { title, svg, caption, keys: vec![] }))
}

fn facts(comparison: &Comparison) -> Vec<(String, String)> {
    let plan = &comparison.plan;
    let (settings, data) = (&plan.settings, plan.task.data());
    let record = comparison.series.first().and_then(|series| series.records.first());
    let mut counts = vec![0usize; data.class_names().len()];
    data.labels().iter().for_each(|y| counts[y.index()] += 1);
    let classes: Vec<String> =
        data.class_names().iter().zip(counts).take(40).map(|(name, n)| format!("{name} ({n})")).collect();
    let more = if data.class_names().len() > 40 { ", …" } else { "" };
    let features = match &plan.task {
        Task::Table(table) => table.features.join(", "),
        Task::Images { set, .. } => {
            let [height, width] = set.size();
            let augmented = settings.augmentation.map_or_else(String::new, |padding| {
                format!("; for training, random crops with a padding of {padding}, half of them mirrored")
            });
            format!("red, green and blue of {width} x {height} pixels, divided by 255{augmented}")
        }
    };
    let network = match &plan.task {
        Task::Table(_) => {
            let hidden = settings.hidden.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
            format!("dense layers with relu, hidden units {hidden}")
        }
        Task::Images { network, .. } => network.name(),
    };
    let choice = match settings.selection {
        Selection::Mae => "least validation MAE",
        Selection::Accuracy => "greatest validation accuracy",
        Selection::Loss => "least validation loss",
    };
    let seeds = plan.seeds();
    let mut facts = vec![
        ("Data", format!("{}, SHA-256 {}", data.name(), data.fingerprint())),
        ("Classes (samples)", classes.join(", ") + more),
        ("Features", features),
        ("Network", network + &record.map_or_else(String::new, |record| format!(", {} parameters", record.parameters))),
        (
            "Training",
            format!("Adam, rate {}, batch {}, at most {} epochs", settings.rate, settings.batch, settings.epochs),
        ),
        (
            "Epoch kept",
            match settings.patience {
                Some(patience) => format!("{choice}; stops after {patience} epochs without a better one"),
                None => choice.to_owned(),
            },
        ),
        (
            "Seeds",
            match seeds.as_slice() {
                [first, .., last] => format!("{first} to {last}"),
                other => other.iter().map(u64::to_string).collect(),
            },
        ),
        ("Similarity", summary::similarity(comparison)),
    ];
    if let Some(first) = comparison.series.first() {
        let best: Vec<f64> =
            first.records.iter().filter_map(|r| r.result.as_ref()).map(|r| r.best_epoch as f64).collect();
        if let Some(summary) = Summary::of(&best) {
            facts.push(("Best epoch of cross entropy, mean", format!("{:.0}", summary.mean)));
        }
    }
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
