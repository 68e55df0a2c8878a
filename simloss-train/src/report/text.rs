//! A comparison in words and in a table, for a terminal; the words also for the report.

use crate::{
    Error,
    compare::{
        analysis::{Cell, Comparison, pairs, summary},
        manifest::{Role, Samples},
        metric::{Better, Measure},
        statistics::{SIGNIFICANCE, Summary, holm},
    },
    compute::network::Kind as Network,
    eval::scores::Answers,
    run::{
        diagnostics::Details,
        record::{Record, Selection},
    },
    similarity::{
        Kind,
        spec::{Link, LossDescription},
    },
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

/// As [`spread`], with the number of seeds in brackets where it is below that of all.
pub(crate) fn counted(measure: Measure, summary: &Summary, seeds: usize) -> String {
    let text = spread(measure, summary);
    if summary.count < seeds { format!("{text} ({})", summary.count) } else { text }
}

/// What such brackets mean, where there are any.
///
/// # Errors
/// [`Error::Core`] for confusion matrices of other classes.
pub(crate) fn brackets(comparison: &Comparison) -> Result<&'static str, Error> {
    for &measure in comparison.measures.list() {
        if comparison.cells(measure)?.iter().flatten().any(|cell| cell.values.len() < comparison.seeds) {
            return Ok(" In brackets: of how many seeds, where not of all.");
        }
    }
    Ok("")
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

/// One way to answer, by plain cross entropy and by the losses that the validation samples choose.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) name: &'static str,
    /// What cross entropy has by the [measures](answered) of answers, where this answer has them.
    pub(crate) plain: Vec<Option<Summary>>,
    /// The same of each [chosen](Comparison::all_chosen) loss.
    pub(crate) chosen: Vec<OfChosen>,
}

/// What a chosen loss has under an answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OfChosen {
    /// Its numbers, by measure.
    pub(crate) numbers: Vec<Option<Summary>>,
    /// The p value of no difference from cross entropy in the last measure, corrected over answers and losses.
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
        let value = |record: &Record, details: &Option<Details>| {
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
                Decoder::SuperclassRisk if measure == Measure::SuperclassAccuracy => {
                    details.as_ref()?.superclass_of_least_risk
                }
                Decoder::SuperclassRisk => None,
            }
        };
        let values: Option<Vec<_>> = runs.map(|(r, d)| Some((r.settings.seed, value(r, d)?))).collect();
        values.filter(|values| !values.is_empty())
    }
}

/// Every decoder, for cross entropy and the chosen losses, and the floor: always answering with the most frequent class.
pub(crate) fn answers(comparison: &Comparison) -> Vec<Answer> {
    let measures = answered(comparison);
    let (chosen, tested) = (comparison.all_chosen(), measures.last().copied().unwrap_or(Measure::Accuracy));
    let mut tests = vec![];
    let mut found = vec![];
    for decoder in Decoder::all(comparison) {
        let values = |series: usize, measure| decoder.values(comparison, series, measure);
        let of = |series: usize| {
            // Where there are both, of the seeds that both have.
            let its = |measure: &Measure| match (values(0, *measure), values(series, *measure)) {
                (Some(plain), Some(its)) => Summary::of(&pairs(&its, &plain).0),
                (_, its) => its.and_then(|x| summary(&x)),
            };
            OfChosen { numbers: measures.iter().map(its).collect(), p: None }
        };
        // Of the seeds that the chosen have too, where that is one loss.
        let plain = |measure: &Measure| match (values(0, *measure), &chosen[..]) {
            (Some(plain), [one]) => match values(*one, *measure) {
                Some(its) => Summary::of(&pairs(&its, &plain).1),
                None => summary(&plain),
            },
            (plain, _) => plain.and_then(|x| summary(&x)),
        };
        for &series in &chosen {
            let pair = values(series, tested).zip(values(0, tested));
            tests.push(pair.and_then(|(its, plain)| comparison.paired(&its, &plain)));
        }
        let plain = measures.iter().map(plain).collect();
        found.push(Answer { name: decoder.name(), plain, chosen: chosen.iter().map(|&i| of(i)).collect() });
    }
    let mut corrected = holm(&tests.iter().flatten().map(|test| test.p).collect::<Vec<_>>()).into_iter();
    for (of, test) in found.iter_mut().flat_map(|answer| &mut answer.chosen).zip(&tests) {
        of.p = test.and_then(|_| corrected.next());
    }
    let majority = &comparison.facts.majority;
    let floor = |measure: &Measure| match measure {
        Measure::Accuracy => Summary::of(&majority.accuracy),
        Measure::ClassError => Summary::of(&majority.error),
        _ => None,
    };
    let plain = measures.iter().map(floor).collect();
    let none = OfChosen { numbers: vec![None; measures.len()], p: None };
    found.push(Answer { name: "always the same class", plain, chosen: vec![none; chosen.len()] });
    found
}

/// What plain cross entropy does with its best answer, against the best of SimLoss and of proper SimLoss: first its most probable class, which
/// is what was published, then its best answer. One sentence a measure that another answer can be best for.
pub(crate) fn plain_with_other_answers(comparison: &Comparison) -> Vec<String> {
    let measures = comparison.measures.list().iter().copied();
    let shown = [Measure::ClassError, Measure::ClassSquaredError, Measure::SuperclassAccuracy];
    measures.filter(|m| shown.contains(m)).filter_map(|measure| against_plain(comparison, measure)).collect()
}

/// The test part chooses what is compared here, answers of both and the loss. So p values are corrected over everything
/// that it chooses from: each loss under each answer, against each answer of cross entropy.
fn against_plain(comparison: &Comparison, measure: Measure) -> Option<String> {
    type Found = (usize, Decoder, Vec<(u64, f64)>, f64);
    let sign = if measure.better() == Better::Higher { -1.0 } else { 1.0 };
    let (all, seeds) = (Decoder::all(comparison), comparison.common_seeds());
    let found = |series: usize| -> Vec<Found> {
        let known = all.iter().filter_map(|&decoder| {
            let mut values = decoder.values(comparison, series, measure)?;
            values.retain(|(seed, _)| seeds.contains(seed));
            let mean = summary(&values)?.mean;
            Some((series, decoder, values, mean))
        });
        known.collect()
    };
    let ours: Vec<Found> = Role::CHOSEN.iter().flat_map(|&role| comparison.of_role(role)).flat_map(found).collect();
    let plain = found(0);
    let tests = plain.iter().flat_map(|plain| ours.iter().map(|its| comparison.paired(&its.2, &plain.2)));
    let tests: Vec<_> = tests.collect();
    let mut corrected = holm(&tests.iter().flatten().map(|test| test.p).collect::<Vec<_>>()).into_iter();
    let corrected: Vec<_> = tests.iter().map(|test| test.and_then(|_| corrected.next())).collect();

    // By place among those of these decoders, and of this role if there is one.
    let best = |of: &[Found], decoders: &[Decoder], role: Option<Role>| {
        let fits = |i: &usize| role.is_none_or(|role| comparison.series[of[*i].0].role == role);
        let all = (0..of.len()).filter(|&i| decoders.contains(&of[i].1)).filter(fits);
        all.min_by(|&a, &b| (sign * of[a].3).total_cmp(&(sign * of[b].3)))
    };
    let reference = best(&plain, &all, None)?;
    let mut text = format!(
        "{}: the best answer of plain cross entropy is the {}, {}.",
        measure.short(),
        plain[reference].1.name(),
        number(measure, plain[reference].3)
    );
    let ways = [(&all[..1], "under its most probable class, as published"), (&all[..], "under its best answer")];
    let of_roles = Role::CHOSEN.iter().flat_map(|&role| ways.iter().map(move |&way| (role, way)));
    for (role, (decoders, what)) in of_roles {
        // What was published is SimLoss.
        let what = if role == Role::SimLoss { what } else { what.trim_end_matches(", as published") };
        let Some(chosen) = best(&ours, decoders, Some(role)) else {
            // Without any SimLoss there is nothing to say of it, without any loss nothing at all.
            if ours.is_empty() {
                return None;
            }
            continue;
        };
        let (series, decoder, _, mean) = &ours[chosen];
        let _ = write!(text, " The best {} {what} ({}", role.name(), comparison.series[*series].title);
        if decoders.len() > 1 {
            let _ = write!(text, ", {}", decoder.name());
        }
        let _ = write!(text, ") has {}: ", number(measure, *mean));
        let gain = sign * (plain[reference].3 - mean);
        text.push_str(&match corrected[reference * ours.len() + chosen] {
            Some(p) if p < SIGNIFICANCE && gain < 0.0 => {
                format!("plain cross entropy's best answer beats it (corrected p {}).", p_value(p))
            }
            Some(p) if p < SIGNIFICANCE => {
                format!("it beats plain cross entropy's best answer (corrected p {}).", p_value(p))
            }
            Some(p) => format!("no difference beyond chance (corrected p {}).", p_value(p)),
            None if gain < 0.0 => "not the better number, and not tested.".to_owned(),
            None if gain > 0.0 => "the better number, but not tested.".to_owned(),
            None => "the same number.".to_owned(),
        });
    }
    let _ = match corrected.iter().flatten().count() {
        0 => write!(text, " The best are chosen on the test samples, which flatters them."),
        n => write!(text, " The best are chosen on the test samples; p is corrected for that (Holm, a family of {n})."),
    };
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
    let Samples::Image { network, .. } = &comparison.facts.samples else { return Ok(vec![]) };
    let (ages, cifar) = (matches!(network, Network::Ages { .. }), matches!(network, Network::LeNet { .. }));
    let bounded = ours(comparison).any(|loss| loss.lower_bound.is_some());
    let list = comparison.measures.list();
    // Significant differences of SimLoss from cross entropy, by the direction.
    let sure = |measure: Measure, better: bool, which: &dyn Fn(f64) -> bool| -> Result<Vec<(usize, String)>, Error> {
        let mut found = vec![];
        for (i, (series, cell)) in comparison.series.iter().zip(comparison.cells(measure)?).enumerate() {
            // The paper speaks of SimLoss alone.
            let fits = series.role == Role::SimLoss && series.parameter.is_some_and(which);
            let Some(cell) = cell.filter(|_| fits) else { continue };
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
            let fits = series.role == Role::SimLoss && series.parameter.is_some_and(which);
            fits && cell.is_some_and(|cell| cell.corrected.is_some())
        }))
    };
    // The verdict on a claim, and the figures behind it.
    let judged = |text: &'static str, testable: bool, confirmed: bool, found: Vec<(usize, String)>| {
        let (verdict, figures) = match (testable, found.is_empty()) {
            (false, _) => ("not testable here", "no test of the losses that it speaks of".to_owned()),
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
    let mut out = format!("# SimLoss against cross entropy: {}\n\n", comparison.facts.name);
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
                counted(measure, &cell.summary, comparison.seeds) + star
            });
            let _ = write!(out, " {text} |");
        }
        out.push('\n');
    }
    let _ = writeln!(
        out,
        "\nMean ± standard deviation over runs, test samples. *: differs from cross entropy, corrected p below \
         {SIGNIFICANCE}.{}",
        brackets(comparison)?
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
    let facts = &comparison.facts;
    let seeds = comparison.seeds;
    let what = match &facts.samples {
        Samples::Row { .. } => format!("samples, {} features", facts.width),
        Samples::Image { height, width, .. } => format!("images of {width} x {height} pixels"),
    };
    format!(
        "{}: {} {what}, {} classes; {} seed{}, each with its own split of {} to train, {} to validate and {} to test",
        facts.name,
        facts.sample_count(),
        facts.class_names.len(),
        seeds,
        if seeds == 1 { "" } else { "s" },
        comparison.facts.parts[0],
        comparison.facts.parts[1],
        comparison.facts.parts[2],
    )
}

/// What SimLoss, then proper SimLoss was trained with.
fn ours(comparison: &Comparison) -> impl Iterator<Item = &LossDescription> {
    let of = |role| comparison.series.iter().filter(move |series| series.role == role);
    of(Role::SimLoss).chain(of(Role::Proper)).map(|series| &series.loss)
}

/// What was compared with cross entropy, in one phrase.
pub(crate) fn similarity(comparison: &Comparison) -> String {
    let has = |role| comparison.series.iter().any(|series| series.role == role);
    let what = match (has(Role::SimLoss), has(Role::Proper)) {
        // r = 0, or a bound above every similarity, is cross entropy.
        _ if comparison.series.len() == 1 => return "no similarity: cross entropy alone".into(),
        (false, false) => return "no SimLoss: cross entropy, and with other truths".into(),
        (true, false) => "SimLoss",
        (false, true) => "proper SimLoss",
        (true, true) => "SimLoss and proper SimLoss",
    };
    match &comparison.facts.kind {
        Kind::None => "no SimLoss: cross entropy, and with other truths".into(),
        Kind::Order => format!("{what} by class order, S = r^|i - j|"),
        Kind::Circular => format!("{what} by circular order, S = r^min(|i - j|, C - |i - j|)"),
        Kind::Superclass => format!("{what} by superclass, S = r within one"),
        Kind::File(_) | Kind::Vectors => {
            let bounded = comparison.series.iter().any(|series| series.parameter.is_some());
            let formula = match ours(comparison).next().map(|loss| loss.link) {
                Some(Link::Exp(_)) => ", S = exp(b (s - 1))",
                Some(Link::Hull) => ", S = max(0, (s - l) / (1 - l)) of its tree",
                Some(Link::Threshold) if bounded => ", S = max(0, (s - l) / (1 - l))",
                _ => "",
            };
            format!("{what} with the matrix {}{formula}", comparison.facts.kind.name())
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
    for role in Role::CHOSEN {
        said.extend(choice(comparison, role)?);
    }
    said.extend(price(comparison)?);
    let accuracy = comparison.cells(Measure::Accuracy)?;
    let majority: Vec<_> = comparison.seeds().into_iter().zip(comparison.facts.majority.accuracy.clone()).collect();
    let both = accuracy.first().and_then(Option::as_ref).map(|network| pairs(&network.values, &majority));
    let mean = |of: Vec<f64>| Summary::of(&of).map(|summary| summary.mean);
    if let Some((network, most)) = both.and_then(|(network, majority)| mean(network).zip(mean(majority))) {
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
    let untested = untested(comparison, measure, &cells);
    if tested.is_empty() {
        let why = match &untested[..] {
            [] => "a test needs at least two seeds".to_owned(),
            [(why, _)] => why.clone(),
            several => several.iter().map(|(why, titles)| format!("{why} ({titles})")).collect::<Vec<_>>().join("; "),
        };
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
        parts.push(format!("no difference from cross entropy beyond chance (least corrected p {})", p_value(least)));
    }
    parts.extend(untested.iter().map(|(why, titles)| format!("not tested at {titles}: {why}")));
    Ok(format!("{name}: {}.", parts.join("; ")))
}

/// Why losses that have runs are not tested in a measure, each reason with the titles of the losses.
fn untested(comparison: &Comparison, measure: Measure, cells: &[Option<Cell>]) -> Vec<(String, String)> {
    let values = |i: usize| cells.get(i).and_then(Option::as_ref).map_or(&[][..], |cell| &cell.values);
    let runs = |i: usize| comparison.series[i].records.iter().map(|r| (r.settings.seed, 0.0)).collect::<Vec<_>>();
    let mut found: Vec<(String, String)> = vec![];
    for (i, series) in comparison.series.iter().enumerate().skip(1) {
        let cell = cells.get(i).and_then(Option::as_ref);
        if series.records.is_empty() || cell.is_some_and(|cell| cell.corrected.is_some()) {
            continue;
        }
        let (its, plain) = pairs(values(i), values(0));
        let pairs_of_runs = pairs(&runs(i), &runs(0)).0.len();
        let what =
            if measure == Measure::FailedSuperclassAccuracy { "wrong answers in both" } else { "a value in both" };
        let why = match (its.len(), its.first().zip(plain.first())) {
            (2.., Some((its, plain))) => format!(
                "the difference is {} in every pair, and a test needs some spread to judge it by",
                number(measure, its - plain)
            ),
            (n, _) if pairs_of_runs > n => {
                format!("only {n} of {pairs_of_runs} pairs of runs have {what}, and a test needs two")
            }
            _ => "a test needs at least two seeds".to_owned(),
        };
        match found.iter_mut().find(|(other, _)| *other == why) {
            Some((_, titles)) => {
                let _ = write!(titles, ", {}", series.title);
            }
            None => found.push((why, series.title.clone())),
        }
    }
    found
}

/// The loss that the validation parts choose among those of a role, and plain cross entropy under the same decoder: on those parts,
/// where it might be the better one, and on the test parts.
fn choice(comparison: &Comparison, role: Role) -> Result<Option<String>, Error> {
    let Some(chosen) = comparison.chosen_of(role) else { return Ok(None) };
    let Some(its) = comparison.validated(chosen) else { return Ok(None) };
    let title = &comparison.series[chosen].title;
    let (validated, by) = match comparison.choice() {
        Selection::Mae => (Measure::ClassError, "mean absolute error"),
        Selection::Accuracy | Selection::Loss => (Measure::Accuracy, "accuracy"),
    };
    let score = number(validated, its);
    // A single candidate is not chosen among any.
    let mut text = match comparison.of_role(role).count() {
        1 => format!("On the validation samples, {title} has {by} {score}"),
        _ => {
            let among = role.name();
            format!("By {by} on the validation samples, {title} would be chosen among {among}, with {score}")
        }
    };
    if let Some(plain) = comparison.validated(0) {
        let worse = if validated.better() == Better::Higher { its < plain } else { its > plain };
        let verdict = if worse { ", which is better" } else { "" };
        let _ = write!(text, " (cross entropy {}{verdict})", number(validated, plain));
    }
    let shown = comparison.measures.list().iter().filter(|measure| measure.is_tested());
    for (i, &measure) in shown.enumerate() {
        if let Some([its, plain]) = means(&comparison.cells(measure)?, chosen) {
            let joint = if i == 0 { "; on the test samples it has" } else { "," };
            let (its, plain) = (number(measure, its), number(measure, plain));
            let _ = write!(text, "{joint} {} {its} (cross entropy {plain})", measure.short());
        }
    }
    text.push('.');
    Ok(Some(text))
}

/// The mean of a series and that of cross entropy, over the seeds that both have.
fn means(cells: &[Option<Cell>], series: usize) -> Option<[f64; 2]> {
    let values = |i: usize| Some(&cells.get(i)?.as_ref()?.values[..]);
    let (its, plain) = pairs(values(series)?, values(0)?);
    Some([Summary::of(&its)?.mean, Summary::of(&plain)?.mean])
}

/// What likelihood and calibration do under SimLoss, at worst, and under proper SimLoss.
fn price(comparison: &Comparison) -> Result<Option<String>, Error> {
    let worst = |role: Role| -> Result<(Vec<String>, bool), Error> {
        let (mut parts, mut any_worse) = (vec![], false);
        for (measure, name) in [(Measure::Likelihood, "NLL"), (Measure::Calibration, "ECE")] {
            let cells = comparison.cells(measure)?;
            let all = comparison.of_role(role).filter_map(|i| Some((i, means(&cells, i)?)));
            if let Some((i, [its, plain])) = all.max_by(|(_, a), (_, b)| (a[0] - a[1]).total_cmp(&(b[0] - b[1]))) {
                let title = &comparison.series[i].title;
                let (is_more, its, plain) = (its > plain, number(measure, its), number(measure, plain));
                let is_worse = is_more && its != plain;
                any_worse |= is_worse;
                let none = format!("no worse for any {}, at most", role.name());
                let how = if is_worse { "at worst" } else { &none };
                parts.push(format!("{name} is {plain} for cross entropy and {how} {its} ({title})"));
            }
        }
        Ok((parts, any_worse))
    };
    let (simloss, any_worse) = worst(Role::SimLoss)?;
    let (proper, _) = worst(Role::Proper)?;
    let mut text = String::new();
    if !simloss.is_empty() {
        let alone = if any_worse { " No other measure here shows what gets worse." } else { "" };
        let _ = write!(
            text,
            "SimLoss is not a proper scoring rule: its probabilities are not meant to be true frequencies. {}.{alone}",
            simloss.join(", ")
        );
        if proper.is_empty() {
            text.push_str(
                " Where probabilities matter, take proper SimLoss (--losses proper): it knows the same similarity, and its \
                 probabilities are meant to be true frequencies.",
            );
        }
    }
    if !proper.is_empty() {
        let instead =
            if simloss.is_empty() { "Proper SimLoss is" } else { " Proper SimLoss, which to take instead, is" };
        let _ = write!(text, "{instead} a proper scoring rule: {}.", proper.join(", "));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// What weakens any conclusion.
fn cautions(comparison: &Comparison) -> Vec<String> {
    let facts = &comparison.facts;
    let tiny: Vec<String> = facts
        .class_names
        .iter()
        .zip(&facts.class_samples)
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
    if let Samples::Row { repeated: repeated @ 1.., .. } = facts.samples {
        said.push(format!(
            "{} of {} samples repeat an earlier one exactly, so some test samples were trained with; that helps every \
             loss alike.",
            repeated,
            facts.sample_count()
        ));
    }
    if !comparison.missing.is_empty() {
        said.push(format!(
            "Left out, because the files of this folder do not say it: {}. The command that made the folder, with --resume, \
             reads the data and adds it.",
            comparison.missing.join("; ")
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
                    true => counted(measure, &cell.summary, comparison.seeds),
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
        let note = "Mean ± standard deviation over the seeds, test samples. p: paired test against cross entropy, Holm \
                    corrected per column, * below 0.05.";
        out.push_str(&wrapped(&format!("{note}{}", brackets(comparison)?), ""));
        out.push('\n');
    }
    out.push('\n');

    let measures = answered(comparison);
    let chosen = comparison.all_chosen();
    let answers = answers(comparison);
    let seeds = comparison.seeds;
    let short = |measure: &Measure| match measure {
        Measure::ClassError => "MAE".to_owned(),
        other => other.short().to_owned(),
    };
    // One table a chosen loss, each beside cross entropy: a terminal is narrow.
    let shown: Vec<Option<usize>> = if chosen.is_empty() { vec![None] } else { (0..chosen.len()).map(Some).collect() };
    for (place, at) in shown.into_iter().enumerate() {
        let title = at.map(|at| comparison.series[chosen[at]].title.as_str());
        let mut names = vec!["answer".to_owned()];
        for loss in std::iter::once("cross entropy").chain(title) {
            let named = measures.iter().enumerate();
            names.extend(named.map(|(i, m)| if i == 0 { format!("{loss}: {}", short(m)) } else { short(m) }));
        }
        names.extend(title.map(|_| "p".to_owned()));
        let mut rows = vec![names];
        for answer in &answers {
            let mut row = vec![answer.name.to_owned()];
            let mut add = |numbers: &[Option<Summary>]| {
                let written = measures.iter().zip(numbers);
                row.extend(written.map(|(&m, summary)| summary.map_or_else(String::new, |s| counted(m, &s, seeds))));
            };
            add(&answer.plain);
            if let Some(of) = at.and_then(|at| answer.chosen.get(at)) {
                add(&of.numbers);
                let star = if of.p.is_some_and(|p| p < SIGNIFICANCE) { "*" } else { " " };
                row.push(of.p.map_or_else(String::new, |p| p_value(p) + star));
            }
            rows.push(row);
        }
        if place > 0 {
            out.push('\n');
        }
        out.push_str(&columns(&rows));
    }
    if !chosen.is_empty() {
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
