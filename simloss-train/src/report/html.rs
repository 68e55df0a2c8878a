//! An analysis as a page, and the page of a similarity: one file each, nothing fetched, for light, dark and print.
//!
//! Names that come from files are escaped by the template; only drawings, which escape their own text, go in as they are.

use crate::{
    Error, VERSION,
    compare::{
        analysis::Analysis,
        loss_result::LossResult,
        manifest::{Role as Compared, Samples},
        metric::Metric,
        statistics::{SIGNIFICANCE, Summary},
    },
    files,
    report::{
        figures::{self, Figure, shown},
        format::{capitalized, counted, difference, p_value},
        plot::{HeatMap, Role},
        words,
    },
    run::record::Selection,
    similarity::describe::Description,
};
use askama::Template;
use std::path::Path;

/// Up to so many classes have their confusion matrix in a table; larger ones are drawn.
const TABULATED: usize = 16;
/// Class names that the list of facts shows.
const LISTED: usize = 40;

#[derive(Template)]
#[template(path = "report.html")]
struct Report {
    version: &'static str,
    title: String,
    verdict: String,
    subject: String,
    similarity: String,
    differences: Vec<Figure>,
    compact: Table,
    caveats: Vec<String>,
    claims: Option<Table>,
    all: Table,
    tests: Vec<Table>,
    contests: Option<Table>,
    decoders: Table,
    figures: Vec<Figure>,
    confusions: Vec<Confusion>,
    prepared: &'static str,
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

/// A table with a caption; its first column names the rows.
struct Table {
    caption: String,
    heads: Vec<Head>,
    rows: Vec<Row>,
}

struct Head {
    text: String,
    title: &'static str,
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

impl Head {
    fn of(text: impl Into<String>) -> Self {
        Head { text: text.into(), title: "" }
    }
}

impl Field {
    fn plain(text: impl Into<String>) -> Self {
        Field { text: unbroken(&text.into()), class: "" }
    }

    fn long(text: impl Into<String>) -> Self {
        Field { text: text.into(), class: "long" }
    }

    fn p(p: Option<f64>) -> Self {
        let class = if p.is_some_and(|p| p < SIGNIFICANCE) { "p sure" } else { "p" };
        Field { text: p.map_or_else(String::new, p_value), class }
    }
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

/// The page.
///
/// # Errors
/// [`Error::Draw`].
pub fn render(analysis: &Analysis) -> Result<String, Error> {
    let page = Report {
        version: VERSION,
        title: words::title(analysis),
        verdict: unbroken(&words::verdict(analysis)),
        subject: words::subject(analysis),
        similarity: words::similarity(analysis),
        differences: figures::differences(analysis)?,
        compact: compact(analysis),
        caveats: words::caveats(analysis).iter().map(|caveat| unbroken(caveat)).collect(),
        claims: claims(analysis),
        all: all(analysis),
        tests: tests(analysis),
        contests: contests(analysis),
        decoders: decoders(analysis),
        figures: figures::all(analysis)?,
        confusions: confusions(analysis)?,
        prepared: match &analysis.facts.samples {
            Samples::Row { .. } => {
                "Splits keep the proportions of the classes. Features are standardized with the mean and standard deviation \
                 of the training set."
            }
            Samples::Image { .. } => {
                "Sets that the data name are kept; the others are drawn in one shuffle. Images are resized and divided by \
                 255. Only training images are augmented, as stated below."
            }
        },
        facts: facts(analysis),
    };
    filled("the report", &page)
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
    let (svg, caption) = figures::heat_map(names, description)?;
    let page = Page { version: VERSION, title: title.to_owned(), caption, svg, facts };
    files::replace(path, &[filled("the page of a similarity", &page)?.as_bytes()])
}

fn filled(what: &'static str, page: &impl Template) -> Result<String, Error> {
    page.render().map_err(|problem| Error::Draw { what, problem: problem.to_string() })
}

/// Text whose short formulas stay on one line.
fn unbroken(text: &str) -> String {
    text.replace(" = ", "\u{a0}=\u{a0}").replace(" ± ", "\u{a0}±\u{a0}").replace(" < ", "\u{a0}<\u{a0}")
}

/// How a loss stands out: it is the reference, or it was selected.
fn class(analysis: &Analysis, loss: usize) -> &'static str {
    let is = |role| analysis.selected(role).is_some_and(|selected| selected.loss == loss);
    match loss {
        0 => "reference",
        _ if is(Compared::SimLoss) => "chosen",
        _ if is(Compared::Proper) => "chosen-proper",
        _ => "",
    }
}

fn cell(analysis: &Analysis, metric: Metric, loss: usize) -> Field {
    match analysis.metric(metric).and_then(|result| result.cells.get(loss)?.as_ref()) {
        None => Field::plain("–"),
        Some(cell) => Field {
            text: counted(metric, &cell.summary, analysis.seeds.len()),
            class: if cell.is_significant() { "sure" } else { "" },
        },
    }
}

fn compact(analysis: &Analysis) -> Table {
    let shown = words::compact(analysis);
    let mut heads = vec![Head::of("Test set")];
    heads.extend(shown.iter().map(|&i| Head::of(unbroken(&analysis.losses[i].title))));
    let compared = analysis.losses.len() > 1;
    if compared {
        heads.push(Head::of("Significant change, all losses"));
    }
    let rows = analysis.metrics.iter().map(|result| {
        let mut fields: Vec<Field> = shown.iter().map(|&i| cell(analysis, result.metric, i)).collect();
        if compared {
            fields.push(Field::long(words::change(analysis, result)));
        }
        Row { title: result.metric.short().to_owned(), class: "", fields }
    });
    let caption = [Some(words::legend(analysis, "Marked")), words::selection(analysis)];
    let caption = caption.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Table { caption: unbroken(&caption), heads, rows: rows.collect() }
}

fn claims(analysis: &Analysis) -> Option<Table> {
    let rows = analysis.claims.iter().map(|of| Row {
        title: words::claim(of.claim).to_owned(),
        class: "",
        fields: vec![Field::long(words::decided(of.verdict)), Field::long(words::evidence(analysis, of))],
    });
    let heads = ["Claim", "Here", "Evidence"].map(Head::of).into_iter().collect();
    let caption = "Claims of arXiv 2003.03182 about the means of its runs.".to_owned();
    (!analysis.claims.is_empty()).then(|| Table { caption, heads, rows: rows.collect() })
}

fn all(analysis: &Analysis) -> Table {
    let metrics = analysis.metrics.iter().map(|result| result.metric);
    let mut heads = vec![Head::of("Loss"), Head::of("Runs")];
    heads.extend(metrics.clone().map(|metric| Head { text: metric.short().to_owned(), title: metric.long() }));
    let rows = analysis.losses.iter().enumerate().map(|(i, loss)| {
        let mut fields = vec![Field::plain(loss.runs.len().to_string())];
        fields.extend(metrics.clone().map(|metric| cell(analysis, metric, i)));
        Row { title: loss.title.clone(), class: class(analysis, i), fields }
    });
    let caption = words::legend(analysis, "Marked");
    Table { caption, heads, rows: rows.collect() }
}

fn tests(analysis: &Analysis) -> Vec<Table> {
    let tables = analysis.metrics.iter().map(|result| {
        let metric = result.metric;
        let rows = analysis.losses.iter().zip(&result.cells).enumerate().filter_map(|(i, (loss, cell))| {
            let cell = cell.as_ref()?;
            let test = cell.test?;
            let signed = |x: f64| difference(metric, x).replace('-', "−");
            let [low, high] = test.interval.map(signed);
            let fields = vec![
                Field::plain(signed(test.difference.mean)),
                Field::plain(format!("{low} to {high}")),
                Field::plain(format!("{:.2}", test.effect).replace('-', "−")),
                Field::plain(p_value(test.p)),
                Field::p(cell.corrected),
            ];
            Some(Row { title: loss.title.clone(), class: class(analysis, i), fields })
        });
        let heads = ["Loss", "difference", "95% interval", "d_z", "p", "p, corrected"].map(Head::of);
        Table { caption: capitalized(metric.long()), heads: heads.into_iter().collect(), rows: rows.collect() }
    });
    tables.filter(|table| !table.rows.is_empty()).collect()
}

fn contests(analysis: &Analysis) -> Option<Table> {
    let heads = std::iter::once("Test set").chain(words::CONTEST).map(Head::of).collect();
    let rows = analysis.contests.iter().map(|contest| Row {
        title: contest.metric.short().to_owned(),
        class: "",
        fields: words::contest(analysis, contest).into_iter().map(Field::plain).collect(),
    });
    let caption = "The best decoder and parameter of each loss, selected on the test set. p is corrected for that.";
    (!analysis.contests.is_empty()).then(|| Table { caption: caption.to_owned(), heads, rows: rows.collect() })
}

fn decoders(analysis: &Analysis) -> Table {
    let decoded = &analysis.decoded;
    let mut heads = vec![Head::of("Decoder")];
    let titles = std::iter::once("cross entropy")
        .chain(analysis.selected.iter().map(|selected| &analysis.losses[selected.loss].title[..]));
    for (i, title) in titles.enumerate() {
        heads.extend(decoded.metrics.iter().map(|m| Head::of(unbroken(&format!("{title}: {}", m.short())))));
        if i > 0 {
            heads.push(Head::of("p"));
        }
    }
    let numbers = |of: &[Option<Summary>]| -> Vec<Field> {
        let written = decoded.metrics.iter().zip(of);
        let seeds = analysis.seeds.len();
        let text = |(&m, s): (&Metric, &Option<Summary>)| s.map_or_else(String::new, |s| counted(m, &s, seeds));
        written.map(|pair| Field::plain(text(pair))).collect()
    };
    let rows = decoded.rows.iter().map(|row| {
        let mut fields = numbers(&row.reference);
        for (selected, p) in &row.selected {
            fields.extend(numbers(selected));
            fields.push(Field::p(*p));
        }
        let title = row.decoder.map_or("most frequent class", |decoder| decoder.name()).to_owned();
        Row { title, class: "", fields }
    });
    let what = decoded.metrics.last().map_or("accuracy", |metric| metric.short());
    let mut caption = "Test set, mean ± standard deviation over seeds.".to_owned();
    if !analysis.selected.is_empty() {
        caption
            .push_str(&format!(" p: paired test of {what} against cross entropy under the same decoder, corrected."));
    }
    if decoded.metrics.contains(&Metric::Mae) {
        caption.push_str(" The median has the smallest expected absolute error.");
    }
    Table { caption, heads, rows: rows.collect() }
}

fn confusions(analysis: &Analysis) -> Result<Vec<Confusion>, Error> {
    let toned = || {
        shown(analysis).map(|(loss, role, _)| {
            let tone = match role {
                Role::Proper => "proper-tone",
                Role::SimLoss => "simloss-tone",
                Role::Plain | Role::Second => "plain-tone",
            };
            (loss, tone)
        })
    };
    let names = &analysis.facts.class_names;
    let mut all = vec![];
    for (loss, tone) in toned() {
        all.push(drawn(&loss.title, tone, names, &loss.confusion)?);
    }
    if let Some(of) = &analysis.facts.superclasses {
        for (loss, tone) in toned() {
            all.push(superclasses(loss, tone, names, of)?);
        }
    }
    Ok(all)
}

fn superclasses(loss: &LossResult, tone: &'static str, names: &[String], of: &[u16]) -> Result<Confusion, Error> {
    let mut groups: Vec<u16> = of.to_vec();
    groups.sort_unstable();
    groups.dedup();
    let place = |class: usize| groups.binary_search(&of[class]).unwrap_or(0);
    let name = |group: &u16| {
        let mut members = names.iter().zip(of).filter(|(_, other)| *other == group).map(|(name, _)| name.as_str());
        let first = members.next().unwrap_or_default().to_owned();
        match members.count() {
            0 => first,
            more => format!("{first} +{more}"),
        }
    };
    let names: Vec<String> = groups.iter().map(name).collect();
    let mut counts = vec![vec![0u64; groups.len()]; groups.len()];
    for (y, row) in loss.confusion.iter().enumerate() {
        row.iter().enumerate().for_each(|(c, n)| counts[place(y)][place(c)] += n);
    }
    drawn(&format!("{}, superclasses", loss.title), tone, &names, &counts)
}

/// Counts as a heat map, or as a table where classes are few.
fn drawn(title: &str, tone: &'static str, names: &[String], counts: &[Vec<u64>]) -> Result<Confusion, Error> {
    let title = title.to_owned();
    let fraction = |row: &[u64], n: u64| n as f64 / row.iter().sum::<u64>().max(1) as f64;
    if names.len() > TABULATED {
        let entries: Vec<f32> = counts.iter().flat_map(|row| row.iter().map(|&n| fraction(row, n) as f32)).collect();
        let map = HeatMap { names, entries: &entries, rows: "true class", columns: "prediction" };
        return Ok(Confusion { title, tone, svg: Some(map.svg()?), names: vec![], rows: vec![] });
    }
    let cell = |y: usize, c: usize, fraction: f64, n: u64| ConfusionCell {
        share: format!("{fraction:.3}"),
        strong: fraction > 0.7,
        own: c == y,
        text: if n == 0 { "·".into() } else { format!("{:.0}%", 100.0 * fraction) },
    };
    let rows = counts.iter().zip(names).enumerate().map(|(y, (row, name))| ConfusionRow {
        name: name.clone(),
        samples: row.iter().sum(),
        cells: row.iter().enumerate().map(|(c, &n)| cell(y, c, fraction(row, n), n)).collect(),
    });
    Ok(Confusion { title, tone, svg: None, names: names.to_vec(), rows: rows.collect() })
}

fn facts(analysis: &Analysis) -> Vec<(String, String)> {
    let (settings, data) = (&analysis.settings, &analysis.facts);
    let counts = data.class_samples.iter().map(|n| format!(" ({n})")).chain(std::iter::repeat(String::new()));
    let classes = data.class_names.iter().zip(counts).take(LISTED).map(|(name, count)| format!("{name}{count}"));
    let more = if data.class_names.len() > LISTED { ", …" } else { "" };
    let features = match &data.samples {
        Samples::Row { features, .. } if features.is_empty() => format!("{} numbers", data.width),
        Samples::Row { features, .. } => features.join(", "),
        Samples::Image { height, width, .. } => {
            let augmented = settings.augmentation.map_or_else(String::new, |padding| {
                format!("; training images are cropped at random with a padding of {padding}, and half are mirrored")
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
        Selection::Mae => "lowest validation MAE",
        Selection::Accuracy => "highest validation accuracy",
        Selection::Loss => "lowest validation loss",
    };
    let seeds = match analysis.seeds.as_slice() {
        [first, .., last] => format!("{first} to {last}"),
        other => other.iter().map(u64::to_string).collect(),
    };
    let training = format!(
        "Adam, learning rate {}, batch size {}, at most {} epochs",
        settings.rate, settings.batch, settings.epochs
    );
    let best = match settings.patience {
        Some(patience) => format!("{choice}; training stops after {patience} epochs without improvement"),
        None => choice.to_owned(),
    };
    let mut facts = vec![
        ("Data", format!("{}, SHA-256 {}", data.name, data.fingerprint)),
        ("Classes (samples)", classes.collect::<Vec<_>>().join(", ") + more),
        ("Features", features),
        ("Network", format!("{network}, {} parameters", analysis.parameters)),
        ("Training", training),
        ("Best epoch", best),
        ("Seeds", seeds),
        ("Similarity", words::similarity(analysis)),
    ];
    let epochs = analysis.losses.first().into_iter().flat_map(|loss| &loss.runs).map(|run| run.best_epoch as f64);
    if let Some(summary) = Summary::of(&epochs.collect::<Vec<_>>()) {
        facts.push(("Best epoch of cross entropy, mean", format!("{:.0}", summary.mean)));
    }
    facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
