//! Pages: one file each, nothing fetched, light, dark and print.
//!
//! Names that come from files are escaped by the template; only drawings, which escape their own text, go in as they are.

use crate::{
    Error, VERSION,
    compare::{
        analysis::{Cell, Comparison, Series},
        manifest::{MARKDOWN, Role as Compared, Samples},
        metric::Measure,
        statistics::{SIGNIFICANCE, Summary},
    },
    files,
    report::{
        plot::{Chart, HeatMap, Line, Look, Role},
        text::{self, Claim, brackets, counted, p_value},
    },
    run::{
        diagnostics::{Details, Trust},
        record::Selection,
    },
    similarity::{describe::Description, rebuilt, spec::Link},
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
    honest: String,
    subject: String,
    similarity: String,
    findings: Vec<String>,
    seeds: usize,
    tested: bool,
    significance: f64,
    brackets: &'static str,
    prepared: &'static str,
    heads: Vec<Head>,
    rows: Vec<Row>,
    tests: Vec<Test>,
    claims: Vec<Claim>,
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

/// Writes the report of a comparison as a page, and its table in Markdown, each whole or not at all.
///
/// # Errors
/// [`Error::File`], [`Error::Draw`], [`Error::Core`].
pub fn write(comparison: &Comparison) -> Result<(), Error> {
    let page = report(comparison)?;
    let table = comparison.out.join(MARKDOWN);
    files::replace(&table, &[text::markdown(comparison)?.as_bytes()])?;
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
    let chosen = comparison.all_chosen();
    let tested = comparison.series.len() > 1 && comparison.seeds > 1;
    let (heads, rows) = results(comparison)?;
    let (answer_heads, answers) = answers(comparison);
    let answered = text::answered(comparison);
    let errors = answered.contains(&Measure::ClassError);
    let mut answers_caption = "Test samples, mean ± standard deviation".to_owned();
    for &role in &Compared::CHOSEN {
        if let (Some(chosen), 2..) = (comparison.chosen_of(role), comparison.of_role(role).count()) {
            let title = &comparison.series[chosen].title;
            answers_caption.push_str(&format!("; {title} was chosen among {} on the validation samples", role.name()));
        }
    }
    answers_caption.push('.');
    if !chosen.is_empty() {
        answers_caption.push_str(&format!(
            " p: paired test of the {} of a loss and cross entropy under one answer, corrected over all of them.",
            if errors { "MAE" } else { answered.last().map_or("accuracy", |measure| measure.short()) }
        ));
    }
    if errors {
        answers_caption.push_str(" The median class is the one of least expected error (minimum risk).");
    }
    if answered.contains(&Measure::SuperclassAccuracy) {
        answers_caption.push_str(" Least superclass risk: the answer whose superclass is the most probable one.");
    }
    let mut confusions = vec![confusion(comparison, 0, "plain-tone")?];
    for (chosen, tone) in toned(comparison).skip(1) {
        confusions.push(confusion(comparison, chosen, tone)?);
    }
    confusions.extend(superclass_confusions(comparison)?);
    let honest = text::plain_with_other_answers(comparison);
    let mut findings = text::findings(comparison)?;
    findings.retain(|finding| !honest.contains(finding));
    Ok(Report {
        version: VERSION,
        name: comparison.facts.name.to_owned(),
        subject: sentence(&text::subject(comparison)),
        similarity: sentence(&text::similarity(comparison)),
        honest: unbroken(&honest.join(" ")),
        findings: findings.iter().map(|finding| unbroken(finding)).collect(),
        seeds: comparison.seeds,
        tested,
        significance: SIGNIFICANCE,
        brackets: brackets(comparison)?,
        prepared: match &comparison.facts.samples {
            Samples::Row { .. } => {
                "Splits keep the proportions of the classes. Features are scaled to mean 0 and deviation 1 on the training \
                 part."
            }
            Samples::Image { .. } => {
                "Parts that the data name are kept, the others drawn in one shuffle. Images are resized and divided by \
                 255; training images alone are augmented, where that is said below."
            }
        },
        heads,
        rows,
        tests: tests(comparison)?,
        claims: text::claims(comparison)?,
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
        i if Some(i) == comparison.chosen_of(Compared::Proper) => "chosen-proper",
        _ => "",
    }
}

/// What is shown beside each other: cross entropy, the chosen SimLoss and the chosen proper SimLoss, each with its colour in
/// drawings and its class in the page.
fn drawn_series(comparison: &Comparison) -> impl Iterator<Item = (usize, Role, &'static str)> {
    let all = [
        (Some(0), Role::Plain, "plain"),
        (comparison.chosen(), Role::SimLoss, "simloss"),
        (comparison.chosen_of(Compared::Proper), Role::Proper, "proper"),
    ];
    all.into_iter().filter_map(|(i, role, class)| Some((i?, role, class)))
}

/// The same with the tones of tables.
fn toned(comparison: &Comparison) -> impl Iterator<Item = (usize, &'static str)> {
    drawn_series(comparison).map(|(i, role, _)| {
        (
            i,
            match role {
                Role::Proper => "proper-tone",
                Role::SimLoss => "simloss-tone",
                Role::Plain | Role::Second => "plain-tone",
            },
        )
    })
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
                    text: counted(measure, &cell.summary, comparison.seeds),
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
                Field::plain(signed(counted(measure, &paired.difference, comparison.seeds), paired.difference.mean)),
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
    let measures = text::answered(comparison);
    let name = |measure: &Measure| if *measure == Measure::ClassError { "MAE" } else { measure.short() };
    let heads_of = |loss: &str| measures.iter().map(|m| format!("{loss}: {}", name(m))).collect::<Vec<_>>();
    let mut heads = heads_of("cross entropy");
    for chosen in comparison.all_chosen() {
        heads.extend(heads_of(&comparison.series[chosen].title));
        heads.push("p".into());
    }
    let rows = text::answers(comparison)
        .into_iter()
        .map(|answer| {
            let written = |numbers: &[Option<Summary>]| -> Vec<Field> {
                let all = measures.iter().zip(numbers);
                let text = |s: Summary, m| counted(m, &s, comparison.seeds);
                all.map(|(&m, s)| Field::plain(s.map_or_else(String::new, |s| text(s, m)))).collect()
            };
            let mut fields = written(&answer.plain);
            for of in &answer.chosen {
                fields.extend(written(&of.numbers));
                fields.push(Field::p(of.p));
            }
            Row { title: answer.name.into(), class: "", fields }
        })
        .collect();
    (heads, rows)
}

fn figures(comparison: &Comparison) -> Result<Vec<Figure>, Error> {
    let mut figures = vec![];
    let measures = comparison.measures.list();
    let with_parameter = |role| comparison.series.iter().filter(|s| s.role == role && s.parameter.is_some()).count();
    if Compared::CHOSEN.iter().any(|&role| with_parameter(role) > 1) {
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
    figures.extend(losses(comparison)?);
    figures.extend(distributions(comparison)?);
    figures.extend(of_one_class(comparison)?);
    figures.extend(reliability(comparison)?);
    figures.extend(chosen_maps(comparison)?);
    Ok(figures)
}

/// Those of them that have runs.
fn shown(comparison: &Comparison) -> Vec<(&Series, Role, &'static str)> {
    let known = drawn_series(comparison).filter_map(|(i, role, class)| Some((comparison.series.get(i)?, role, class)));
    known.filter(|(series, ..)| !series.records.is_empty()).collect()
}

/// The loss that each is trained with, epoch by epoch.
fn losses(comparison: &Comparison) -> Result<Option<Figure>, Error> {
    let (mut lines, mut keys) = (vec![], vec![]);
    for (series, role, class) in shown(comparison) {
        for record in &series.records {
            let points = record.epochs.iter().filter_map(|epoch| Some((epoch.epoch as f64, epoch.train_loss?, 0.0)));
            lines.push(Line { role, points: points.collect(), look: Look::Shade(70) });
        }
        keys.push(Key { class, text: series.title.clone() });
    }
    let chart = Chart { x: "epoch".into(), y: "training loss".into(), lines, percent: false };
    let caption = "Mean loss of the training samples, one line a run. Each loss is measured in itself: heights of \
                   different losses say nothing about each other.";
    Ok(chart.svg()?.map(|svg| Figure { title: "Training loss".into(), svg, caption: caption.into(), keys }))
}

/// How often each class of an order is answered, and how often it is true.
fn distributions(comparison: &Comparison) -> Result<Option<Figure>, Error> {
    if !comparison.measures.list().contains(&Measure::ClassError) {
        return Ok(None);
    }
    let values = &comparison.facts.class_values;
    let line = |role, counts: Vec<u64>| {
        let all = counts.iter().sum::<u64>().max(1) as f64;
        let points = values.iter().zip(counts).map(|(&x, n)| (x, n as f64 / all, 0.0)).collect();
        Line { role, points, look: Look::Trend }
    };
    let (mut lines, mut keys) = (vec![], vec![]);
    for (i, role, class) in drawn_series(comparison) {
        let Some(series) = comparison.series.get(i).filter(|s| !s.records.is_empty()) else { continue };
        let confusion = comparison.confusion(i)?;
        if lines.is_empty() {
            lines.push(line(Role::Second, confusion.iter().map(|row| row.iter().sum()).collect()));
            keys.push(Key { class: "second", text: "true".into() });
        }
        lines.push(line(role, (0..values.len()).map(|c| confusion.iter().map(|row| row[c]).sum()).collect()));
        keys.push(Key { class, text: series.title.clone() });
    }
    let chart = Chart { x: "class".into(), y: "share of test samples".into(), lines, percent: true };
    let caption = "How often each class is the most probable one, and how often it is true, all test parts together.";
    Ok(chart.svg()?.map(|svg| Figure {
        title: "True and predicted classes".into(),
        svg,
        caption: caption.into(),
        keys,
    }))
}

/// What networks say, on average, of samples of one class in an order.
fn of_one_class(comparison: &Comparison) -> Result<Option<Figure>, Error> {
    if !comparison.measures.list().contains(&Measure::ClassError) {
        return Ok(None);
    }
    let data = &comparison.facts;
    let Some(one) = comparison.series.iter().flat_map(Series::known).map(|d| &d.of_one_class).next() else {
        return Ok(None);
    };
    let (mut lines, mut keys) = (vec![], vec![]);
    let drawn = comparison.series.iter().filter(|s| s.role != Compared::Baseline && s.known().next().is_some());
    for series in drawn {
        let runs = series.known().count() as f64;
        let mean = |c: usize| series.known().map(|d| d.of_one_class.probabilities[c]).sum::<f64>() / runs;
        let points = data.class_values.iter().enumerate().map(|(c, &x)| (x, mean(c), 0.0)).collect();
        let (role, class) = match series.role {
            Compared::CrossEntropy | Compared::Baseline => (Role::Plain, "plain"),
            Compared::SimLoss => (Role::SimLoss, "simloss"),
            Compared::Proper => (Role::Proper, "proper"),
        };
        // The greater the parameter, the stronger the line.
        let look = series.parameter.map_or(Look::Trend, |x| Look::Shade(25 + (75.0 * x.clamp(0.0, 1.0)) as u8));
        lines.push(Line { role, points, look });
        if keys.iter().all(|key: &Key| key.class != class) {
            let name = series.role.name();
            let text = if class == "plain" {
                name.to_owned()
            } else {
                let name = sentence(name);
                format!("{name}, the stronger the greater its parameter")
            };
            keys.push(Key { class, text });
        }
    }
    let name = &data.class_names[one.class];
    let chart = Chart { x: "class".into(), y: "mean probability".into(), lines, percent: true };
    let caption = format!(
        "What the networks say of test samples of class {name}, the most frequent one: the mean of their probabilities."
    );
    Ok(chart.svg()?.map(|svg| Figure { title: format!("Mean prediction for class {name}"), svg, caption, keys }))
}

/// Confidence against the share that is right, before and after temperature scaling, of both losses.
fn reliability(comparison: &Comparison) -> Result<Vec<Figure>, Error> {
    let mut figures = vec![];
    for (series, role, class) in shown(comparison) {
        let pooled = |of: fn(&Details) -> &Trust| {
            let bins = series.known().next().map_or(0, |d| of(d).bins.len());
            let points = (0..bins).filter_map(|b| {
                let all = series.known().filter_map(|d| of(d).bins.get(b));
                let (samples, right, confidence) = all.fold((0u64, 0u64, 0.0), |(n, r, c), bin| {
                    (n + bin.samples, r + bin.right, c + bin.confidence * bin.samples as f64)
                });
                (samples > 0).then(|| (confidence / samples as f64, right as f64 / samples as f64, 0.0))
            });
            points.collect::<Vec<_>>()
        };
        let lines = vec![
            Line { role: Role::Second, points: vec![(0.0, 0.0, 0.0), (1.0, 1.0, 0.0)], look: Look::Dashed },
            Line { role, points: pooled(|d| &d.before), look: Look::Points },
            Line { role, points: pooled(|d| &d.after), look: Look::Shade(45) },
        ];
        let mean = |of: &dyn Fn(&Details) -> Option<f64>| {
            let values: Option<Vec<f64>> = series.known().map(of).collect();
            values.and_then(|values| Summary::of(&values)).map_or(f64::NAN, |summary| summary.mean)
        };
        let caption = format!(
            "Test samples by confidence. Scaled by the temperature that fits the validation samples best (mean {:.2}), the \
             ECE goes from {:.3} to {:.3} and the NLL from {:.3} to {:.3}; no answer changes.",
            mean(&|d| Some(d.temperature)),
            mean(&|d| d.before.calibration),
            mean(&|d| d.after.calibration),
            mean(&|d| d.before.likelihood),
            mean(&|d| d.after.likelihood),
        );
        let keys = vec![
            Key { class, text: "as trained (points)".into() },
            Key { class, text: "after temperature scaling (pale)".into() },
            Key { class: "second level", text: "as confident as right".into() },
        ];
        let chart = Chart { x: "confidence".into(), y: "share that is right".into(), lines, percent: true };
        let title = format!("Calibration, {}", series.title);
        figures.extend(chart.svg()?.map(|svg| Figure { title, svg, caption, keys }));
    }
    Ok(figures)
}

/// Confusions of superclasses, where classes are grouped.
fn superclass_confusions(comparison: &Comparison) -> Result<Vec<Confusion>, Error> {
    let Some(of) = comparison.measures.superclasses() else { return Ok(vec![]) };
    let mut groups: Vec<u16> = of.to_vec();
    groups.sort_unstable();
    groups.dedup();
    let place = |class: usize| groups.binary_search(&of[class]).unwrap_or(0);
    let names = &comparison.facts.class_names;
    let name = |group: &u16| {
        let mut members = names.iter().zip(of).filter(|(_, other)| *other == group).map(|(name, _)| name.as_str());
        let first = members.next().unwrap_or_default().to_owned();
        match members.count() {
            0 => first,
            more => format!("{first} +{more}"),
        }
    };
    let names: Vec<String> = groups.iter().map(name).collect();
    let mut found = vec![];
    for (i, tone) in toned(comparison) {
        let Some(series) = comparison.series.get(i) else { continue };
        let mut counts = vec![vec![0u64; groups.len()]; groups.len()];
        for (y, row) in comparison.confusion(i)?.iter().enumerate() {
            row.iter().enumerate().for_each(|(c, n)| counts[place(y)][place(c)] += n);
        }
        found.push(drawn(&format!("{}, superclasses", series.title), tone, &names, &counts)?);
    }
    Ok(found)
}

/// A measure, or two of one unit, over the grid.
fn grid(comparison: &Comparison, shown: &[Measure]) -> Result<Option<Figure>, Error> {
    let Some(&first) = shown.first() else { return Ok(None) };
    let descriptions = || comparison.series.iter().filter_map(|series| Some(&series.records.first()?.loss));
    let is_order = descriptions().any(|loss| loss.reduction_factor.is_some());
    let parameter = match () {
        () if is_order => "reduction factor r",
        () if descriptions().any(|loss| matches!(loss.link, Link::Exp(_))) => "steepness b",
        () => "lower bound l",
    };
    let (mut lines, mut keys) = (vec![], vec![]);
    for (i, &measure) in shown.iter().enumerate() {
        let cells = comparison.cells(measure)?;
        let of = |x: f64, cell: &Cell| (x, cell.summary.mean, cell.summary.deviation);
        let plain = cells.first().and_then(Option::as_ref);
        let what = match (shown.len(), i) {
            (1, _) => "",
            (_, 0) => ", most probable class",
            _ => ", expected value",
        };
        for &of_role in &Compared::CHOSEN {
            let (role, class) = match (of_role, i) {
                (Compared::SimLoss, 0) => (Role::SimLoss, "simloss"),
                (Compared::SimLoss, _) => (Role::Second, "second"),
                (_, 0) => (Role::Proper, "proper"),
                // Four bands in one plot are too many.
                _ => continue,
            };
            let mut points: Vec<(f64, f64, f64)> = comparison
                .series
                .iter()
                .zip(&cells)
                .filter(|(series, _)| series.role == of_role)
                .filter_map(|(series, cell)| Some(of(series.parameter?, cell.as_ref()?)))
                .collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            if points.is_empty() {
                continue;
            }
            if let Some(plain) = plain {
                // r = 0 is cross entropy: the line begins there.
                if is_order && points.first().is_some_and(|p| p.0 > 0.0) {
                    points.insert(0, of(0.0, plain));
                }
            }
            keys.push(Key { class, text: format!("{}{what}", sentence(of_role.name())) });
            lines.push(Line { role, points, look: Look::Points });
        }
        if let Some(plain) = plain {
            let role = if i == 0 { Role::Plain } else { Role::Second };
            lines.push(Line { role, points: vec![(0.0, plain.summary.mean, 0.0)], look: Look::Level });
            let class = if i == 0 { "plain level" } else { "second level" };
            keys.push(Key { class, text: format!("cross entropy{what}") });
        }
    }
    // The level lines stand on top of the bands.
    lines.sort_by_key(|line| line.look == Look::Level);
    let percent = matches!(first, Measure::Accuracy | Measure::SuperclassAccuracy | Measure::FailedSuperclassAccuracy);
    let y = if shown.len() > 1 { "mean absolute error" } else { first.short() };
    let title = if shown.len() > 1 { "Mean absolute error".into() } else { sentence(first.long()) };
    let better = match first.better() {
        crate::compare::metric::Better::Higher => "Higher is better.",
        crate::compare::metric::Better::Lower => "Lower is better.",
    };
    let chart = Chart { x: parameter.into(), y: y.into(), lines, percent };
    let caption = format!("{better} Bands: one standard deviation over the seeds. Numbers: the table of results.");
    Ok(chart.svg()?.map(|svg| Figure { title, svg, caption, keys }))
}

/// What chooses the epoch, epoch by epoch, for cross entropy and the chosen losses.
fn learning(comparison: &Comparison) -> Result<Option<Figure>, Error> {
    let errors = comparison.choice() == Selection::Mae;
    let (mut lines, mut trends, mut keys) = (vec![], vec![], vec![]);
    for (series, role, class) in drawn_series(comparison) {
        let Some(series) = comparison.series.get(series) else { continue };
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
    drawn(&comparison.series[series].title, tone, &comparison.facts.class_names, &counts)
}

/// Counts as a heat map, or as a table where classes are few.
fn drawn(title: &str, tone: &'static str, names: &[String], counts: &[Vec<u64>]) -> Result<Confusion, Error> {
    let title = title.to_owned();
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

/// The similarities of the chosen losses; once, where that is the same.
fn chosen_maps(comparison: &Comparison) -> Result<Vec<Figure>, Error> {
    let names = &comparison.facts.class_names;
    let (mut figures, mut seen): (Vec<Figure>, Vec<Option<String>>) = (vec![], vec![]);
    for i in comparison.all_chosen() {
        let series = &comparison.series[i];
        let Some(loss) = series.records.first().map(|record| &record.loss) else { continue };
        if seen.contains(&loss.fingerprint) {
            continue;
        }
        let Some(source) = comparison.facts.source() else { continue };
        let (svg, caption) = heat_map(names, &Description::of(&rebuilt(&source, names.len(), loss)?)?)?;
        seen.push(loss.fingerprint.clone());
        let title = loss.parameter().unwrap_or_else(|| loss.similarity.clone());
        figures.push(Figure { title: format!("Similarity, {title}"), svg, caption, keys: vec![] });
    }
    Ok(figures)
}

fn facts(comparison: &Comparison) -> Vec<(String, String)> {
    let (settings, data) = (&comparison.settings, &comparison.facts);
    let record = comparison.series.first().and_then(|series| series.records.first());
    let counts = data.class_samples.iter().map(|n| format!(" ({n})")).chain(std::iter::repeat(String::new()));
    let classes: Vec<String> =
        data.class_names.iter().zip(counts).take(40).map(|(name, count)| format!("{name}{count}")).collect();
    let more = if data.class_names.len() > 40 { ", …" } else { "" };
    let features = match &data.samples {
        Samples::Row { features, .. } if features.is_empty() => format!("{} numbers", data.width),
        Samples::Row { features, .. } => features.join(", "),
        Samples::Image { height, width, .. } => {
            let augmented = settings.augmentation.map_or_else(String::new, |padding| {
                format!("; for training, random crops with a padding of {padding}, half of them mirrored")
            });
            format!("red, green and blue of {width} x {height} pixels, divided by 255{augmented}")
        }
    };
    let network = match &data.samples {
        Samples::Row { .. } => {
            let hidden = settings.hidden.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
            format!("dense layers with relu, hidden units {hidden}")
        }
        Samples::Image { network, .. } => network.name(),
    };
    let choice = match settings.selection {
        Selection::Mae => "least validation MAE",
        Selection::Accuracy => "greatest validation accuracy",
        Selection::Loss => "least validation loss",
    };
    let seeds = comparison.seeds();
    let mut facts = vec![
        ("Data", format!("{}, SHA-256 {}", data.name, data.fingerprint)),
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
        ("Similarity", text::similarity(comparison)),
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
