//! A comparison in words and in a table, for a terminal; the words also for the report.

use crate::{
    Error,
    compare::{self, Cell, Comparison, Role},
    measure::{Better, Measure},
    record::{Answers, Outcome, Selection},
    similarity::Kind,
    statistics::{SIGNIFICANCE, Summary, holm},
    task::Task,
};
use std::fmt::Write;

/// A class with fewer samples than this is called tiny: fewer than six of them judge the result.
const TINY: usize = 30;

/// How a number of a measure is written.
pub(crate) fn number(measure: Measure, x: f64) -> String {
    match measure {
        Measure::Accuracy | Measure::SuperclassAccuracy | Measure::FailedSuperclassAccuracy => {
            format!("{:.1} %", 100.0 * x)
        }
        Measure::ClassError
        | Measure::ExpectedError
        | Measure::CircularError
        | Measure::Similarity
        | Measure::Likelihood
        | Measure::Calibration => format!("{x:.3}"),
    }
}

/// Mean and spread of a measure; a single number has no spread.
pub(crate) fn spread(measure: Measure, summary: &Summary) -> String {
    if summary.count < 2 {
        return number(measure, summary.mean);
    }
    let (mean, deviation) = (summary.mean, summary.deviation);
    match measure {
        Measure::Accuracy | Measure::SuperclassAccuracy | Measure::FailedSuperclassAccuracy => {
            format!("{:.1} ± {:.1} %", 100.0 * mean, 100.0 * deviation)
        }
        _ => format!("{mean:.3} ± {deviation:.3}"),
    }
}

/// A p value.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "<.001".into()
    } else if p >= 0.9995 {
        "1".into()
    } else {
        format!("{p:.3}")[1..].into()
    }
}

/// One way to answer, by plain cross entropy and by the SimLoss that the validation samples choose.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) name: &'static str,
    /// Accuracy and mean absolute error of cross entropy, where the answer has them.
    pub(crate) plain: [Option<Summary>; 2],
    /// The same of the chosen SimLoss.
    pub(crate) chosen: [Option<Summary>; 2],
    /// The p value of no difference between the two, in the mean absolute error (else in the accuracy), corrected over
    /// the answers.
    pub(crate) p: Option<f64>,
}

/// Every decoder, for both losses, and the floor: always answering with the most frequent class.
pub(crate) fn answers(comparison: &Comparison) -> Vec<Answer> {
    let chosen = comparison.chosen();
    let values = |series: Option<usize>, of: fn(&Outcome) -> &Answers, number: fn(&Answers) -> Option<f64>| {
        comparison.by_seed(series?, |outcome| number(of(outcome)))
    };
    let errors = comparison.measures.list().contains(&Measure::ClassError);
    type Decoder = fn(&Outcome) -> &Answers;
    let mut all: Vec<(&'static str, Decoder)> = vec![("most probable class", |o| &o.test.scores.argmax)];
    if errors {
        all.push(("expected value", |o| &o.test.expectation));
        all.push(("median class", |o| &o.test.median));
    }
    let error: fn(&Answers) -> Option<f64> = if errors { |a| a.mae } else { |_| None };
    let mut tests = vec![];
    let mut found: Vec<Answer> = all
        .into_iter()
        .map(|(name, of)| {
            let summaries = |series| {
                let summary = |number| values(series, of, number).and_then(|values| compare::summary(&values));
                [summary(|a| a.accuracy), summary(error)]
            };
            let tested: fn(&Answers) -> Option<f64> = if errors { |a| a.mae } else { |a| a.accuracy };
            let pair = values(chosen, of, tested).zip(values(Some(0), of, tested));
            tests.push(pair.and_then(|(its, plain)| comparison.paired(&its, &plain)));
            Answer { name, plain: summaries(Some(0)), chosen: summaries(chosen), p: None }
        })
        .collect();
    let mut corrected = holm(&tests.iter().flatten().map(|test| test.p).collect::<Vec<_>>()).into_iter();
    for (answer, test) in found.iter_mut().zip(&tests) {
        answer.p = test.and_then(|_| corrected.next());
    }
    let majority = &comparison.majority;
    let error = if errors { Summary::of(&majority.error) } else { None };
    let plain = [Summary::of(&majority.accuracy), error];
    found.push(Answer { name: "always the same class", plain, chosen: [None; 2], p: None });
    found
}

/// What the comparison is of, in one line.
pub(crate) fn subject(comparison: &Comparison) -> String {
    let data = comparison.plan.task.data();
    let seeds = comparison.plan.seeds;
    let what = match &comparison.plan.task {
        Task::Table(table) => format!("samples, {} features", table.data.width()),
        Task::Images { set, .. } => {
            let [height, width] = set.size();
            format!("images of {width} x {height} pixels")
        }
    };
    format!(
        "{}: {} {what}, {} classes; {} seed{}, each with its own split of {} to train, {} to validate and {} to test",
        data.name(),
        data.labels().len(),
        data.class_names().len(),
        seeds,
        if seeds == 1 { "" } else { "s" },
        comparison.samples[0],
        comparison.samples[1],
        comparison.samples[2],
    )
}

/// What was compared with cross entropy, in one phrase.
pub(crate) fn similarity(comparison: &Comparison) -> String {
    match &comparison.plan.kind {
        Kind::None => "no similarity: cross entropy alone".into(),
        Kind::Order => "SimLoss by class order, S = r^|i - j|".into(),
        Kind::Circular => "SimLoss by circular order, S = r^min(|i - j|, C - |i - j|)".into(),
        Kind::Superclass => "SimLoss by superclass, S = r within one".into(),
        Kind::File(_) | Kind::Vectors => {
            let bounded = comparison.series.iter().any(|series| series.parameter.is_some());
            let formula = if bounded { ", S = max(0, (s - l) / (1 - l))" } else { "" };
            format!("SimLoss with the matrix {}{formula}", comparison.plan.kind.name())
        }
    }
}

/// What can be said, and what must be.
///
/// # Errors
/// [`Error::Core`] for confusion matrices of other classes.
pub(crate) fn findings(comparison: &Comparison) -> Result<Vec<String>, Error> {
    let mut said = vec![];
    let [done, all] = comparison.finished();
    if done < all {
        let runs = comparison.series.iter().map(|series| format!("{} {}", series.title, series.records.len()));
        let runs = runs.collect::<Vec<_>>().join(", ");
        said.push(format!("{done} of {all} runs are finished ({runs}); what follows is of these."));
    }
    let measures = comparison.measures.list();
    if comparison.series.len() > 1 {
        for &measure in measures.iter().filter(|measure| measure.is_tested()) {
            said.push(verdict(comparison, measure)?);
        }
    }
    said.extend(choice(comparison)?);
    said.extend(price(comparison)?);
    let accuracy = comparison.cells(Measure::Accuracy)?;
    let majority = Summary::of(&comparison.majority.accuracy);
    if let (Some(Some(network)), Some(majority)) = (accuracy.first(), majority) {
        let (network, most) = (network.summary.mean, majority.mean);
        if network > most {
            said.push(format!(
                "Always answering the most frequent class is right for {}, cross entropy for {}.",
                number(Measure::Accuracy, most),
                number(Measure::Accuracy, network)
            ));
        } else {
            said.push(format!(
                "Cross entropy is right for {}, always answering the most frequent class for {}: the network learned \
                 nothing useful, and the comparison means nothing. Try more --epochs or another --rate.",
                number(Measure::Accuracy, network),
                number(Measure::Accuracy, most)
            ));
        }
    }
    said.extend(cautions(comparison));
    Ok(said)
}

/// Whether any loss differs from cross entropy in a measure.
fn verdict(comparison: &Comparison, measure: Measure) -> Result<String, Error> {
    let cells = comparison.cells(measure)?;
    let tested: Vec<(&str, &Cell)> = comparison
        .series
        .iter()
        .zip(&cells)
        .filter_map(|(series, cell)| Some((series.title.as_str(), cell.as_ref()?)))
        .filter(|(_, cell)| cell.corrected.is_some())
        .collect();
    let name = sentence_case(measure.long());
    if tested.is_empty() {
        let seeds = comparison.plan.seeds;
        let why = if seeds < 2 { "a test needs at least two seeds" } else { "the differences do not vary" };
        return Ok(format!("{name}: not tested; {why}."));
    }
    let mut parts = vec![];
    for (better, word) in [(true, "better"), (false, "worse")] {
        let all: Vec<&str> = tested
            .iter()
            .filter(|(_, cell)| cell.is_significant())
            .filter(|(_, cell)| {
                let difference = cell.test.map_or(0.0, |test| test.difference.mean);
                better == ((difference > 0.0) == (measure.better() == Better::Higher))
            })
            .map(|(title, _)| *title)
            .collect();
        if !all.is_empty() {
            parts.push(format!("{word} than cross entropy at {} (corrected p < {SIGNIFICANCE})", all.join(", ")));
        }
    }
    if parts.is_empty() {
        let least = tested.iter().filter_map(|(_, cell)| cell.corrected).fold(1.0, f64::min);
        return Ok(format!(
            "{name}: no difference from cross entropy beyond chance (least corrected p {}).",
            p_value(least)
        ));
    }
    Ok(format!("{name}: {}.", parts.join("; ")))
}

/// The loss that the validation parts choose, and plain cross entropy under the same decoder.
fn choice(comparison: &Comparison) -> Result<Option<String>, Error> {
    let Some(chosen) = comparison.chosen() else { return Ok(None) };
    let title = &comparison.series[chosen].title;
    let by = match comparison.choice() {
        Selection::Mae => "mean absolute error",
        Selection::Accuracy | Selection::Loss => "accuracy",
    };
    let mean = |measure, series: usize| -> Result<Option<String>, Error> {
        let cells = comparison.cells(measure)?;
        Ok(cells.get(series).and_then(Option::as_ref).map(|cell| number(measure, cell.summary.mean)))
    };
    // A single candidate is not chosen among any.
    let (mut text, first) = match comparison.series.len() {
        2 => (String::new(), format!("On the test samples, {title} has")),
        _ => (
            format!("By {by} on the validation samples, {title} would be chosen"),
            "; on the test samples it has".to_owned(),
        ),
    };
    let shown = comparison.measures.list().iter().filter(|measure| measure.is_tested());
    for (i, &measure) in shown.enumerate() {
        if let (Some(its), Some(plain)) = (mean(measure, chosen)?, mean(measure, 0)?) {
            let joint = if i == 0 { &first } else { "," };
            let _ = write!(text, "{joint} {} {its} (cross entropy {plain})", measure.short());
        }
    }
    text.push('.');
    if let Some(decoders) = decoders(comparison) {
        let _ = write!(text, " {decoders}");
    }
    Ok(Some(text))
}

/// How plain cross entropy does under the best answer, which costs nothing.
fn decoders(comparison: &Comparison) -> Option<String> {
    let answers = answers(comparison);
    let least = |numbers: fn(&Answer) -> Option<Summary>| {
        let known = answers.iter().filter_map(|answer| Some((answer.name, numbers(answer)?.mean)));
        known.min_by(|a, b| a.1.total_cmp(&b.1))
    };
    let ((plain, x), (its, y)) = (least(|a| a.plain[1])?, least(|a| a.chosen[1])?);
    let (x, y) = (number(Measure::ClassError, x), number(Measure::ClassError, y));
    Some(format!(
        "Another answer needs no other loss: the least MAE of plain cross entropy is {x}, with the {plain}; its own is \
         {y}, with the {its}."
    ))
}

/// What likelihood and calibration do as the similarity grows.
fn price(comparison: &Comparison) -> Result<Option<String>, Error> {
    let ours = |series: &compare::Series| series.role == Role::SimLoss && !series.records.is_empty();
    let Some(last) = comparison.series.iter().rposition(ours) else { return Ok(None) };
    let mut parts = vec![];
    for (measure, name) in [(Measure::Likelihood, "NLL"), (Measure::Calibration, "ECE")] {
        let cells = comparison.cells(measure)?;
        if let (Some(Some(plain)), Some(Some(far))) = (cells.first(), cells.get(last)) {
            let (from, to) = (number(measure, plain.summary.mean), number(measure, far.summary.mean));
            parts.push(format!("{name} goes from {from} (cross entropy) to {to} ({})", comparison.series[last].title));
        }
    }
    Ok(Some(format!(
        "SimLoss is not a proper scoring rule: its probabilities are not meant to be true frequencies. {}. No other \
         measure here shows this.",
        parts.join(", ")
    )))
}

/// What weakens any conclusion.
fn cautions(comparison: &Comparison) -> Vec<String> {
    let data = comparison.plan.task.data();
    let mut counts = vec![0usize; data.class_names().len()];
    data.labels().iter().for_each(|y| counts[y.index()] += 1);
    let tiny: Vec<String> = data
        .class_names()
        .iter()
        .zip(&counts)
        .filter(|&(_, &n)| n < TINY)
        .map(|(name, n)| format!("{name} ({n})"))
        .collect();
    let mut said = vec![];
    if !tiny.is_empty() {
        let shown = tiny.iter().take(8).cloned().collect::<Vec<_>>().join(", ");
        let more = if tiny.len() > 8 { format!(" and {} more", tiny.len() - 8) } else { String::new() };
        said.push(format!(
            "Classes with fewer than {TINY} samples: {shown}{more}. A test part holds a few of them: nothing can be said \
             about these classes alone."
        ));
    }
    if let Task::Table(table) = &comparison.plan.task
        && table.repeated > 0
    {
        said.push(format!(
            "{} of {} samples repeat an earlier one exactly, so some test samples were trained with; that helps every \
             loss alike.",
            table.repeated,
            table.data.samples()
        ));
    }
    said
}

fn sentence_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The comparison for a terminal of 100 columns.
///
/// # Errors
/// [`Error::Core`] for confusion matrices of other classes.
pub fn text(comparison: &Comparison) -> Result<String, Error> {
    let mut out = String::new();
    let mut rows = vec![vec!["loss".to_owned()]];
    rows.extend(comparison.series.iter().map(|series| vec![series.title.clone()]));
    for &measure in comparison.measures.list() {
        let cells = comparison.cells(measure)?;
        rows[0].push(measure.short().into());
        for (row, cell) in rows[1..].iter_mut().zip(&cells) {
            row.push(cell.as_ref().map_or_else(
                || "-".into(),
                |cell| match measure.is_tested() {
                    true => spread(measure, &cell.summary),
                    false => number(measure, cell.summary.mean),
                },
            ));
        }
        if measure.is_tested() && comparison.series.len() > 1 {
            rows[0].push("p".into());
            for (row, cell) in rows[1..].iter_mut().zip(&cells) {
                let cell = cell.as_ref();
                let star = if cell.is_some_and(Cell::is_significant) { "*" } else { " " };
                row.push(cell.and_then(|cell| cell.corrected).map_or(String::new(), |p| p_value(p) + star));
            }
        }
    }
    let _ = writeln!(out, "{}\n{}\n", wrapped(&subject(comparison), ""), similarity(comparison));
    out.push_str(&columns(&rows));
    if comparison.series.len() > 1 {
        out.push_str(&wrapped(
            "Mean ± standard deviation over the seeds, test samples. p: paired test against cross entropy, Holm \
             corrected per column, * below 0.05.",
            "",
        ));
        out.push('\n');
    }
    out.push('\n');

    let errors = comparison.measures.list().contains(&Measure::ClassError);
    let chosen = comparison.chosen().map(|chosen| comparison.series[chosen].title.as_str());
    let mut names = vec!["answer".to_owned(), "cross entropy: accuracy".into()];
    names.extend(errors.then(|| "MAE".into()));
    if let Some(chosen) = chosen {
        names.push(format!("{chosen}: accuracy"));
        names.extend(errors.then(|| "MAE".into()));
        names.push("p".into());
    }
    let mut rows = vec![names];
    for answer in answers(comparison) {
        let mut row = vec![answer.name.to_owned()];
        let mut add = |numbers: &[Option<Summary>; 2]| {
            for (measure, summary) in [Measure::Accuracy, Measure::ClassError].into_iter().zip(numbers) {
                if measure == Measure::Accuracy || errors {
                    row.push(summary.map_or_else(String::new, |s| spread(measure, &s)));
                }
            }
        };
        add(&answer.plain);
        if chosen.is_some() {
            add(&answer.chosen);
            let star = if answer.p.is_some_and(|p| p < SIGNIFICANCE) { "*" } else { " " };
            row.push(answer.p.map_or_else(String::new, |p| p_value(p) + star));
        }
        rows.push(row);
    }
    out.push_str(&columns(&rows));
    if chosen.is_some() {
        let what = if errors { "MAE" } else { "accuracy" };
        let mut note = format!("p: paired test of the {what} of the two losses under one answer, Holm corrected.");
        if errors {
            note.push_str(" The median class is the one of least expected error (minimum risk).");
        }
        let _ = writeln!(out, "{}", wrapped(&note, ""));
    }
    out.push('\n');
    for finding in findings(comparison)? {
        let _ = writeln!(out, "{}", wrapped(&finding, "- "));
    }
    Ok(out)
}

/// Rows with their fields one under the other: the first to the left, the others to the right.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let length = |text: &String| text.chars().count();
    let widths: Vec<usize> = (0..rows.iter().map(Vec::len).max().unwrap_or(0))
        .map(|i| rows.iter().filter_map(|row| row.get(i)).map(length).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (i, (field, width)) in row.iter().zip(&widths).enumerate() {
            let _ = match i {
                0 => write!(line, "{field:<width$}"),
                _ => write!(line, "  {field:>width$}"),
            };
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A paragraph in lines of at most 100 letters, the first after `mark`, the others as far to the right.
pub(crate) fn wrapped(text: &str, mark: &str) -> String {
    const WIDTH: usize = 100;
    let indent = " ".repeat(mark.chars().count());
    let mut out = mark.to_owned();
    let mut used = indent.len();
    for (i, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        if i > 0 && used + 1 + length > WIDTH {
            let _ = write!(out, "\n{indent}");
            used = indent.len();
        } else if i > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_and_columns() {
        let text = wrapped(&"word ".repeat(30), "- ");
        assert!(
            text.lines().all(|line| line.len() <= 100) && text.lines().nth(1).is_some_and(|l| l.starts_with("  w"))
        );
        let rows = [vec!["a".to_owned(), "±1".into()], vec!["bcd".into(), "10.5".into()]];
        assert_eq!(columns(&rows), "a      ±1\nbcd  10.5\n");
    }

    #[test]
    fn p_values_are_never_zero() {
        assert_eq!(
            [0.0, 0.0004, 0.001, 0.04999, 0.5, 0.9996, 1.0].map(p_value).join(" "),
            "<.001 <.001 .001 .050 .500 1 1"
        );
    }
}
