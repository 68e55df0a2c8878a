//! A comparison in words and in a table, for a terminal; the words also for the report.

use crate::{
    Error,
    compare::{self, Cell, Comparison, Role},
    details::Details,
    measure::{Better, Measure},
    network::Kind as Network,
    record::{Answers, Record, Selection},
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
        Measure::ClassSquaredError if x.abs() >= 10.0 => format!("{x:.1}"),
        Measure::ClassError
        | Measure::ExpectedError
        | Measure::ClassSquaredError
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
        Measure::ClassSquaredError if mean.abs() >= 10.0 => format!("{mean:.1} ± {deviation:.1}"),
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
    /// What cross entropy has by the [measures](answered) of answers, where this answer has them.
    pub(crate) plain: Vec<Option<Summary>>,
    /// The same of the chosen SimLoss.
    pub(crate) chosen: Vec<Option<Summary>>,
    /// The p value of no difference between the two, in the last measure, corrected over the answers.
    pub(crate) p: Option<f64>,
}

/// What answers are judged by: accuracy, and what another answer than the most probable class can be best for.
pub(crate) fn answered(comparison: &Comparison) -> Vec<Measure> {
    let mut all = comparison.measures.list().iter().copied();
    let other = all.rfind(|m| matches!(m, Measure::ClassError | Measure::SuperclassAccuracy));
    std::iter::once(Measure::Accuracy).chain(other).collect()
}

/// What a network answers, given its probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decoder {
    Argmax,
    Expectation,
    Median,
    SuperclassRisk,
}

impl Decoder {
    fn name(self) -> &'static str {
        match self {
            Decoder::Argmax => "most probable class",
            Decoder::Expectation => "expected value",
            Decoder::Median => "median class",
            Decoder::SuperclassRisk => "least superclass risk",
        }
    }

    /// Those that make sense.
    fn all(comparison: &Comparison) -> Vec<Self> {
        let measures = comparison.measures.list();
        let mut all = vec![Decoder::Argmax];
        if measures.contains(&Measure::ClassError) {
            all.extend([Decoder::Expectation, Decoder::Median]);
        }
        if measures.contains(&Measure::SuperclassAccuracy) {
            all.push(Decoder::SuperclassRisk);
        }
        all
    }

    /// A measure of its answers: one number a run with its seed; `None` where there is none.
    fn values(self, comparison: &Comparison, series: usize, measure: Measure) -> Option<Vec<(u64, f64)>> {
        let series = comparison.series.get(series)?;
        let runs = series.records.iter().zip(&series.details);
        let value = |record: &Record, details: &Details| {
            let outcome = Comparison::outcome(record)?;
            let of = |answers: &Answers| match measure {
                Measure::Accuracy => answers.accuracy,
                Measure::ClassError => answers.mae,
                Measure::ClassSquaredError => answers.mse,
                _ => None,
            };
            match self {
                Decoder::Argmax => comparison.measures.value(measure, outcome).ok().flatten(),
                Decoder::Expectation => of(&outcome.test.expectation),
                Decoder::Median => of(&outcome.test.median),
                Decoder::SuperclassRisk if measure == Measure::SuperclassAccuracy => details.superclass_of_least_risk,
                Decoder::SuperclassRisk => None,
            }
        };
        let values: Option<Vec<_>> = runs.map(|(r, d)| Some((r.settings.seed, value(r, d)?))).collect();
        values.filter(|values| !values.is_empty())
    }
}

/// Every decoder, for both losses, and the floor: always answering with the most frequent class.
pub(crate) fn answers(comparison: &Comparison) -> Vec<Answer> {
    let measures = answered(comparison);
    let (chosen, tested) = (comparison.chosen(), measures.last().copied().unwrap_or(Measure::Accuracy));
    let mut tests = vec![];
    let mut found = vec![];
    for decoder in Decoder::all(comparison) {
        let values = |series: Option<usize>, measure| decoder.values(comparison, series?, measure);
        let summaries =
            |series| measures.iter().map(|&measure| compare::summary(&values(series, measure)?)).collect::<Vec<_>>();
        let pair = values(chosen, tested).zip(values(Some(0), tested));
        tests.push(pair.and_then(|(its, plain)| comparison.paired(&its, &plain)));
        found.push(Answer { name: decoder.name(), plain: summaries(Some(0)), chosen: summaries(chosen), p: None });
    }
    let mut corrected = holm(&tests.iter().flatten().map(|test| test.p).collect::<Vec<_>>()).into_iter();
    for (answer, test) in found.iter_mut().zip(&tests) {
        answer.p = test.and_then(|_| corrected.next());
    }
    let majority = &comparison.majority;
    let floor = |measure: &Measure| match measure {
        Measure::Accuracy => Summary::of(&majority.accuracy),
        Measure::ClassError => Summary::of(&majority.error),
        _ => None,
    };
    let plain = measures.iter().map(floor).collect();
    found.push(Answer { name: "always the same class", plain, chosen: vec![None; measures.len()], p: None });
    found
}

/// What plain cross entropy does with its best answer, against the best of SimLoss: first its most probable class, which
/// is what was published, then its best answer. One sentence a measure that another answer can be best for.
pub(crate) fn plain_with_other_answers(comparison: &Comparison) -> Vec<String> {
    let measures = comparison.measures.list().iter().copied();
    let shown = [Measure::ClassError, Measure::ClassSquaredError, Measure::SuperclassAccuracy];
    measures.filter(|m| shown.contains(m)).filter_map(|measure| against_plain(comparison, measure)).collect()
}

fn against_plain(comparison: &Comparison, measure: Measure) -> Option<String> {
    type Found = (usize, Decoder, Vec<(u64, f64)>, f64);
    let sign = if measure.better() == Better::Higher { -1.0 } else { 1.0 };
    let best = |series: &mut dyn Iterator<Item = usize>, decoders: &[Decoder]| -> Option<Found> {
        let all = series.flat_map(|i| decoders.iter().map(move |&decoder| (i, decoder)));
        let known = all.filter_map(|(i, decoder)| {
            let values = decoder.values(comparison, i, measure)?;
            let mean = compare::summary(&values)?.mean;
            Some((i, decoder, values, mean))
        });
        known.min_by(|a, b| (sign * a.3).total_cmp(&(sign * b.3)))
    };
    let ours = || (0..comparison.series.len()).filter(|&i| comparison.series[i].role == Role::SimLoss);
    let all = Decoder::all(comparison);
    let plain = best(&mut std::iter::once(0), &all)?;
    let mut text = format!(
        "{}: the best answer of plain cross entropy is the {}, {}.",
        measure.short(),
        plain.1.name(),
        number(measure, plain.3)
    );
    for (decoders, what) in
        [(&all[..1], "under its most probable class, as published"), (&all[..], "under its best answer")]
    {
        let its = best(&mut ours(), decoders)?;
        let _ = write!(text, " The best SimLoss {what} ({}", comparison.series[its.0].title);
        if decoders.len() > 1 {
            let _ = write!(text, ", {}", its.1.name());
        }
        let _ = write!(text, ") has {}: ", number(measure, its.3));
        let p = comparison.paired(&its.2, &plain.2).map(|test| test.p);
        let plain_leads = sign * plain.3 < sign * its.3;
        text.push_str(&match (p, plain_leads) {
            (Some(p), true) if p < SIGNIFICANCE => {
                format!("plain cross entropy with a better answer beats it (p {}).", p_value(p))
            }
            (Some(p), false) if p < SIGNIFICANCE => {
                format!("better than plain cross entropy with any answer (p {}).", p_value(p))
            }
            (Some(p), _) => format!("no difference beyond chance (p {}).", p_value(p)),
            (None, true) => "not better than plain cross entropy with a better answer; not tested.".to_owned(),
            (None, false) => "the better number, but not tested.".to_owned(),
        });
    }
    Some(text)
}

/// A claim of the published paper, and what these runs say of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) text: &'static str,
    /// Confirmed, not confirmed, or not testable.
    pub(crate) verdict: &'static str,
    /// The figures behind it.
    pub(crate) figures: String,
}

/// The claims of the paper that an experiment of this kind can answer.
///
/// # Errors
/// [`Error::Core`] for confusion matrices of other classes.
pub(crate) fn claims(comparison: &Comparison) -> Result<Vec<Claim>, Error> {
    let Task::Images { network, .. } = &comparison.plan.task else { return Ok(vec![]) };
    let (ages, cifar) = (matches!(network, Network::Ages { .. }), matches!(network, Network::LeNet { .. }));
    let bounded = comparison.plan.candidates.iter().any(|c| c.description.lower_bound.is_some());
    let list = comparison.measures.list();
    // Significant differences of SimLoss from cross entropy, by the direction.
    let sure = |measure: Measure, better: bool, which: &dyn Fn(f64) -> bool| -> Result<Vec<(usize, String)>, Error> {
        let mut found = vec![];
        for (i, (series, cell)) in comparison.series.iter().zip(comparison.cells(measure)?).enumerate() {
            let Some(cell) = cell.filter(|_| series.parameter.is_some_and(which)) else { continue };
            let Some(test) = cell.test.filter(|_| cell.is_significant()) else { continue };
            if better == ((test.difference.mean > 0.0) == (measure.better() == Better::Higher)) {
                let sign = if test.difference.mean > 0.0 { "+" } else { "" };
                let by = format!("{sign}{}", number(measure, test.difference.mean));
                found.push((i, format!("{} {by} at {} (d_z {:.1})", measure.short(), series.title, test.effect)));
            }
        }
        Ok(found)
    };
    let testable = |measure: Measure, which: &dyn Fn(f64) -> bool| -> Result<bool, Error> {
        let cells = comparison.cells(measure)?;
        Ok(comparison.series.iter().zip(cells).any(|(series, cell)| {
            series.parameter.is_some_and(which) && cell.is_some_and(|cell| cell.corrected.is_some())
        }))
    };
    // The verdict on a claim, and the figures behind it.
    let judged = |text: &'static str, testable: bool, confirmed: bool, found: Vec<(usize, String)>| {
        let (verdict, figures) = match (testable, found.is_empty()) {
            (false, _) => ("not testable here", "no losses that it speaks of with two seeds or more".to_owned()),
            (true, true) => ("not confirmed", "no such difference beyond chance".to_owned()),
            (true, false) => {
                let figures = found.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("; ");
                (if confirmed { "confirmed" } else { "not confirmed" }, figures)
            }
        };
        Claim { text, verdict, figures }
    };
    let mut claims = vec![];
    if ages || cifar {
        let mut all = vec![];
        let mut several = 0;
        for &measure in list.iter().filter(|measure| measure.is_tested()) {
            let found = sure(measure, true, &|_| true)?;
            several += usize::from(!found.is_empty());
            all.extend(found);
        }
        let text = "1. Significant gains over cross entropy on several measures";
        claims.push(judged(text, testable(Measure::Accuracy, &|_| true)?, several > 1, all));
    }
    if cifar && bounded {
        let large = |l: f64| l >= 0.9;
        let found = sure(Measure::Accuracy, true, &large)?;
        let text = "2. On CIFAR-100 a small influence of the similarity (l from 0.9) helps accuracy";
        claims.push(judged(text, testable(Measure::Accuracy, &large)?, true, found));
        let small = |l: f64| l <= 0.3;
        let mut found = sure(Measure::SuperclassAccuracy, true, &small)?;
        found.extend(sure(Measure::FailedSuperclassAccuracy, true, &small)?);
        let text = "3. On CIFAR-100 a large influence (l up to 0.3) helps superclasses (SA or FSA)";
        claims.push(judged(text, testable(Measure::SuperclassAccuracy, &small)?, true, found));
    }
    if ages {
        let (gained, lost) = (sure(Measure::ClassError, true, &|_| true)?, sure(Measure::Accuracy, false, &|_| true)?);
        let both = gained.iter().any(|(i, _)| lost.iter().any(|(j, _)| i == j));
        let text = "4. On ages r trades accuracy against MAE (at some r the one is worse and the other better)";
        let testable = testable(Measure::ClassError, &|_| true)?;
        claims.push(judged(text, testable, both, gained.into_iter().chain(lost).collect()));
    }
    Ok(claims)
}

/// The results as a table in Markdown, with the findings and claims.
///
/// # Errors
/// [`Error::Core`] for confusion matrices of other classes.
pub(crate) fn markdown(comparison: &Comparison) -> Result<String, Error> {
    let mut out = format!("# SimLoss against cross entropy: {}\n\n", comparison.plan.task.data().name());
    let _ = writeln!(out, "{}. {}.\n", subject(comparison), similarity(comparison));
    for finding in findings(comparison)? {
        let _ = writeln!(out, "- {finding}");
    }
    let measures = comparison.measures.list();
    let heads: Vec<&str> = measures.iter().map(|measure| measure.short()).collect();
    let _ = writeln!(out, "\n| loss | runs | {} |\n|---|---|{}", heads.join(" | "), "---|".repeat(heads.len()));
    let columns = measures.iter().map(|&measure| comparison.cells(measure)).collect::<Result<Vec<_>, _>>()?;
    for (i, series) in comparison.series.iter().enumerate() {
        let _ = write!(out, "| {} | {} |", series.title, series.records.len());
        for (&measure, cells) in measures.iter().zip(&columns) {
            let text = cells[i].as_ref().map_or_else(String::new, |cell| {
                let star = if cell.is_significant() { " *" } else { "" };
                spread(measure, &cell.summary) + star
            });
            let _ = write!(out, " {text} |");
        }
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "\nMean ± standard deviation over runs, test samples. *: differs from cross entropy, corrected p \
                           below {SIGNIFICANCE}."
    );
    let claims = claims(comparison)?;
    if !claims.is_empty() {
        let _ = writeln!(out, "\n| published claim | here | figures |\n|---|---|---|");
        for Claim { text, verdict, figures } in claims {
            let _ = writeln!(out, "| {text} | {verdict} | {figures} |");
        }
    }
    Ok(out)
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
    said.extend(plain_with_other_answers(comparison));
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
        let seeds = |cell: &Cell| cell.values.iter().map(|(seed, _)| *seed).collect::<Vec<_>>();
        let plain = cells.first().and_then(Option::as_ref).map(seeds).unwrap_or_default();
        let pairs = |cell: &Cell| seeds(cell).iter().filter(|seed| plain.contains(seed)).count();
        let most = cells.iter().skip(1).flatten().map(pairs).max().unwrap_or(0);
        let why = if most < 2 { "a test needs at least two seeds" } else { "the differences do not vary" };
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
    Ok(Some(text))
}

/// What likelihood and calibration do under SimLoss, at worst.
fn price(comparison: &Comparison) -> Result<Option<String>, Error> {
    let ours: Vec<usize> = (0..comparison.series.len())
        .filter(|&i| comparison.series[i].role == Role::SimLoss && !comparison.series[i].records.is_empty())
        .collect();
    let mut parts = vec![];
    for (measure, name) in [(Measure::Likelihood, "NLL"), (Measure::Calibration, "ECE")] {
        let cells = comparison.cells(measure)?;
        let mean = |i: usize| cells.get(i).and_then(|cell| cell.as_ref()).map(|cell| cell.summary.mean);
        let worst = ours.iter().filter_map(|&i| Some((i, mean(i)?))).max_by(|a, b| a.1.total_cmp(&b.1));
        if let (Some(plain), Some((i, worst))) = (mean(0), worst) {
            let (plain, worst, title) = (number(measure, plain), number(measure, worst), &comparison.series[i].title);
            parts.push(format!("{name} is {plain} for cross entropy and at worst {worst} ({title})"));
        }
    }
    if parts.is_empty() {
        return Ok(None);
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
    // The squared error says much the same as the absolute one, and a terminal is narrow.
    for &measure in comparison.measures.list().iter().filter(|&&measure| measure != Measure::ClassSquaredError) {
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

    let measures = answered(comparison);
    let chosen = comparison.chosen().map(|chosen| comparison.series[chosen].title.as_str());
    let mut names = vec!["answer".to_owned()];
    let short = |measure: &Measure| match measure {
        Measure::ClassError => "MAE".to_owned(),
        other => other.short().to_owned(),
    };
    for loss in std::iter::once("cross entropy").chain(chosen) {
        let shorts =
            measures.iter().enumerate().map(|(i, m)| if i == 0 { format!("{loss}: {}", short(m)) } else { short(m) });
        names.extend(shorts);
    }
    names.extend(chosen.map(|_| "p".to_owned()));
    let mut rows = vec![names];
    for answer in answers(comparison) {
        let mut row = vec![answer.name.to_owned()];
        let mut add = |numbers: &[Option<Summary>]| {
            let written = measures.iter().zip(numbers);
            row.extend(written.map(|(&m, summary)| summary.map_or_else(String::new, |s| spread(m, &s))));
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
        let errors = measures.contains(&Measure::ClassError);
        let what = measures.last().map_or_else(String::new, short);
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
