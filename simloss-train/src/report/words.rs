//! What an analysis says, in sentences that every report shares.

use crate::{
    compare::{
        analysis::Analysis,
        claims::{Claim, Decided, Verdict},
        decoder::{Best, Contest, Decoder, Entry},
        manifest::{Role, Samples},
        metric::{Better, Metric},
        metric_result::{Cell, MetricResult, Untested},
        selection::selecting,
        statistics::SIGNIFICANCE,
    },
    report::format::{capitalized, difference, list, number, p_equals, thousands},
    similarity::{Kind, spec::Link},
};

/// A class with fewer samples is called small: fewer than six of them are in a test set.
const SMALL: usize = 30;
/// Baselines that the compact table shows; more are in the table of all losses.
const BASELINES: usize = 4;
/// Class names that a sentence lists.
const LISTED: usize = 8;

/// The headline.
pub(crate) fn title(analysis: &Analysis) -> String {
    let has = |role| analysis.losses.iter().any(|loss| loss.role == role);
    let first = match (has(Role::SimLoss), has(Role::Proper)) {
        (false, true) => "Proper SimLoss and cross entropy",
        (false, false) => "Cross entropy",
        (true, _) => "SimLoss and cross entropy",
    };
    format!("{first}: {}", analysis.facts.name)
}

/// What a reader should remember, in one to three sentences.
pub(crate) fn verdict(analysis: &Analysis) -> String {
    if analysis.losses.len() == 1 {
        return "Only cross entropy was trained, so there is nothing to compare.".to_owned();
    }
    if let Some([network, majority]) = analysis.floor
        && network <= majority
    {
        return format!(
            "The network learned nothing useful: cross entropy reaches {} accuracy, and always predicting the most \
             frequent class reaches {}. Increase --epochs or change --learning-rate.",
            number(Metric::Accuracy, network),
            number(Metric::Accuracy, majority)
        );
    }
    [differences(analysis), probabilities(analysis)].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// Which losses differ significantly, and in what.
fn differences(analysis: &Analysis) -> Option<String> {
    let tested: Vec<&MetricResult> = analysis
        .metrics
        .iter()
        .filter(|result| result.cells.iter().flatten().any(|cell| cell.corrected.is_some()))
        .collect();
    let has_runs = |role| analysis.losses.iter().any(|loss| loss.role == role && !loss.runs.is_empty());
    let mut roles: Vec<Role> = Role::SELECTED.into_iter().filter(|&role| has_runs(role)).collect();
    if roles.is_empty() {
        roles.push(Role::Baseline);
    }
    if let Some(why) = none_tested(analysis) {
        return Some(why);
    }
    let (mut said, mut same) = (vec![], vec![]);
    for role in roles {
        let mut changes = vec![];
        for improves in [true, false] {
            for result in &tested {
                let found: Vec<usize> =
                    significant(result, improves).into_iter().filter(|&i| analysis.losses[i].role == role).collect();
                if !found.is_empty() {
                    let verb = match (result.metric.better() == Better::Higher) == improves {
                        true => "raises",
                        false => "lowers",
                    };
                    let at = parameters(analysis, &found);
                    let at = at.strip_prefix(role.name()).unwrap_or(&at).trim_start();
                    changes.push((verb, format!("{} ({at})", result.metric.phrase())));
                }
            }
        }
        if changes.is_empty() {
            same.push(role.name().to_owned());
            continue;
        }
        // One verb for all that share it.
        let mut parts: Vec<(&str, Vec<String>)> = vec![];
        for (verb, what) in changes {
            match parts.last_mut() {
                Some((last, all)) if *last == verb => all.push(what),
                _ => parts.push((verb, vec![what])),
            }
        }
        let parts: Vec<String> = parts.iter().map(|(verb, all)| format!("{verb} {}", list(all, "and"))).collect();
        said.push(format!("{} significantly {}.", capitalized(role.name()), list(&parts, "and")));
    }
    if !same.is_empty() {
        let metrics: Vec<String> = tested.iter().map(|result| result.metric.phrase().to_owned()).collect();
        let does = if same.len() > 1 || same == ["baselines"] { "do" } else { "does" };
        said.push(format!(
            "{} {does} not differ significantly from cross entropy in {}.",
            capitalized(&list(&same, "and")),
            list(&metrics, "or")
        ));
    }
    Some(said.join(" "))
}

/// Why no metric of any loss is tested, where that has one reason.
pub(crate) fn none_tested(analysis: &Analysis) -> Option<String> {
    let tested = || analysis.metrics.iter().filter(|result| result.metric.is_tested());
    if tested().any(|result| result.cells.iter().flatten().any(|cell| cell.corrected.is_some())) {
        return None;
    }
    let mut reasons = tested().flat_map(|result| result.untested.iter().map(|(why, _)| reason(result.metric, *why)));
    let first = reasons.next()?;
    reasons.all(|other| other == first).then(|| format!("No difference is tested: {first}."))
}

/// What the selected losses do to likelihood and calibration.
fn probabilities(analysis: &Analysis) -> Option<String> {
    let shown: Vec<usize> = analysis.selected.iter().map(|selected| selected.loss).collect();
    let of = |metric: Metric, named: bool| -> Option<String> {
        let result = analysis.metric(metric)?;
        let [_, reference] = result.means(*shown.first()?)?;
        let mut all = vec![format!("{}{}", number(metric, reference), if named { " for cross entropy" } else { "" })];
        for &loss in &shown {
            let [its, _] = result.means(loss)?;
            let named = if named { format!(" for {}", analysis.losses[loss].title) } else { String::new() };
            all.push(format!("{}{named}", number(metric, its)));
        }
        Some(format!("{} is {}", metric.short(), list(&all, "and")))
    };
    Some(format!("{}; {}.", of(Metric::Nll, true)?, of(Metric::Ece, false)?))
}

/// The losses that differ significantly in a metric, for the better or the worse.
fn significant(result: &MetricResult, improves: bool) -> Vec<usize> {
    let fits = |(i, cell): (usize, &Option<Cell>)| {
        let cell = cell.as_ref().filter(|cell| cell.is_significant())?;
        (result.metric.improves(cell.test?.difference.mean) == improves).then_some(i)
    };
    result.cells.iter().enumerate().filter_map(fits).collect()
}

/// Losses by name, neighbors on a grid together: `SimLoss r = 0.3 to 0.7, squared EMD`.
pub(crate) fn parameters(analysis: &Analysis, losses: &[usize]) -> String {
    let split = |i: usize| analysis.losses[i].title.rsplit_once(" = ");
    // The losses that differ in the number alone, in order.
    let family = |i: usize| {
        let prefix = split(i).map(|(prefix, _)| prefix);
        let all = 0..analysis.losses.len();
        all.filter(move |&j| prefix.is_some() && split(j).map(|(prefix, _)| prefix) == prefix).collect::<Vec<_>>()
    };
    let mut said = vec![];
    let mut rest: Vec<usize> = losses.to_vec();
    while let Some(&first) = rest.first() {
        let Some((prefix, _)) = split(first) else {
            said.push(analysis.losses[first].title.clone());
            rest.remove(0);
            continue;
        };
        let family = family(first);
        let chosen = |i: &usize| rest.contains(i);
        let mut values = vec![];
        for group in family.chunk_by(|a, b| chosen(a) == chosen(b)).filter(|group| chosen(&group[0])) {
            let value = |i: usize| split(i).map_or("", |(_, value)| value);
            match group {
                [low, _, .., high] => values.push(format!("{} to {}", value(*low), value(*high))),
                few => values.extend(few.iter().map(|&i| value(i).to_owned())),
            }
        }
        said.push(format!("{prefix} = {}", values.join(", ")));
        rest.retain(|i| !family.contains(i));
    }
    said.join(", ")
}

/// The data and the runs, in two sentences.
pub(crate) fn subject(analysis: &Analysis) -> String {
    let facts = &analysis.facts;
    let samples = thousands(facts.sample_count());
    let what = match &facts.samples {
        Samples::Row { .. } => format!("{samples} samples, {} features", facts.width),
        Samples::Image { height, width, .. } => format!("{samples} images of {width} x {height} pixels"),
    };
    let seeds = analysis.seeds.len();
    let [train, validation, test] = facts.parts.map(thousands);
    format!(
        "{what}, {} classes. {seeds} seed{}; each trains on {train} samples, validates on {validation}, and tests on \
         {test}.",
        facts.class_names.len(),
        if seeds == 1 { "" } else { "s" },
    )
}

/// The similarity, in one phrase.
pub(crate) fn similarity(analysis: &Analysis) -> String {
    let ours = |role| analysis.losses.iter().filter(move |loss| loss.role == role);
    let first = ours(Role::SimLoss).chain(ours(Role::Proper)).next();
    let Some(first) = first else {
        return match analysis.losses.len() {
            1 => "none, only cross entropy".to_owned(),
            _ => "none, only cross entropy with other targets or losses".to_owned(),
        };
    };
    match &analysis.facts.kind {
        Kind::None => "none".to_owned(),
        Kind::Order => "class order, S = r^|i - j|".to_owned(),
        Kind::Circular => "circular order, S = r^min(|i - j|, C - |i - j|)".to_owned(),
        Kind::Superclass => "superclasses, S = r within one".to_owned(),
        kind @ (Kind::File(_) | Kind::Vectors) => {
            let formula = match first.description.link {
                Link::Exp(_) => ", S = exp(b (s - 1))",
                Link::Hull => ", S = max(0, (s - l) / (1 - l)) of its ultrametric hull",
                Link::Threshold if first.parameter.is_some() => ", S = max(0, (s - l) / (1 - l))",
                Link::Threshold => "",
            };
            format!("matrix {}{formula}", kind.name())
        }
    }
}

/// The losses of the compact table: cross entropy, the selected ones, and a few baselines.
pub(crate) fn compact(analysis: &Analysis) -> Vec<usize> {
    let baselines = analysis.losses.iter().enumerate().filter(|(_, loss)| loss.role == Role::Baseline);
    let baselines: Vec<usize> = baselines.filter(|(_, loss)| !loss.runs.is_empty()).map(|(i, _)| i).collect();
    let mut shown = vec![0];
    shown.extend(analysis.selected.iter().map(|selected| selected.loss));
    if baselines.len() <= BASELINES {
        shown.extend(baselines);
    }
    shown
}

/// What the validation set selects, and whether all seeds have every loss.
pub(crate) fn selection(analysis: &Analysis) -> Option<String> {
    let metric = selecting(analysis.selection);
    let several = analysis.selected.iter().filter(|selected| selected.candidates > 1);
    let of = several.map(|selected| {
        let reference =
            selected.reference.map_or_else(String::new, |x| format!("; cross entropy {}", number(metric, x)));
        format!("{} ({}{reference})", analysis.losses[selected.loss].title, number(metric, selected.score))
    });
    let of: Vec<String> = of.collect();
    (!of.is_empty()).then(|| format!("Validation {} selects {}.", metric.phrase(), list(&of, "and")))
}

/// What the marks and parentheses of a table mean; `mark` is how significant cells are marked.
pub(crate) fn legend(analysis: &Analysis, mark: &str) -> String {
    let seeds = analysis.seeds.len();
    let mut text = "Test set, mean over seeds".to_owned();
    if seeds > 1 {
        text = "Test set, mean ± standard deviation over seeds".to_owned();
    }
    let cells = || analysis.metrics.iter().flat_map(|result| &result.cells).flatten();
    if cells().any(|cell| cell.values.len() < seeds) {
        text.push_str("; in parentheses, the number of seeds where some are missing");
    }
    text.push('.');
    if cells().any(|cell| cell.corrected.is_some()) {
        text.push_str(&format!(
            " {mark}: differs significantly from cross entropy (p < 0.05, paired test, Holm's correction over all losses)."
        ));
    }
    text
}

/// The significant changes in a metric.
pub(crate) fn change(analysis: &Analysis, result: &MetricResult) -> String {
    if !result.metric.is_tested() {
        return "not tested".to_owned();
    }
    let mut parts = vec![];
    for improves in [true, false] {
        let found = significant(result, improves);
        if !found.is_empty() {
            let word = match (result.metric.better() == Better::Higher) == improves {
                true => "higher",
                false => "lower",
            };
            parts.push(format!("{word} for {}", parameters(analysis, &found)));
        }
    }
    let tested = result.cells.iter().flatten().filter_map(|cell| cell.corrected);
    if let (true, Some(least)) = (parts.is_empty(), tested.reduce(f64::min)) {
        parts.push(format!("none (smallest {})", p_equals(least)));
    }
    let all = result.cells.iter().flatten().all(|cell| cell.corrected.is_none());
    for (why, losses) in &result.untested {
        let at = if all { String::new() } else { format!(" for {}", parameters(analysis, losses)) };
        parts.push(format!("not tested{at}: {}", reason(result.metric, *why)));
    }
    if parts.is_empty() { "not tested".to_owned() } else { parts.join("; ") }
}

/// Why there is no test.
fn reason(metric: Metric, why: Untested) -> String {
    match why {
        Untested::Seeds => "a paired test needs at least two seeds".to_owned(),
        Untested::NoSpread(x) => {
            format!("the difference is {} in every pair, and a test needs spread", difference(metric, x))
        }
        Untested::Values { have, of } => {
            let what = match metric {
                Metric::FailedSuperclassAccuracy => "wrong predictions in both",
                _ => "a value in both",
            };
            format!("only {have} of {of} pairs of runs have {what}, and a test needs two")
        }
    }
}

/// The heads of the table of decoders.
pub(crate) const CONTEST: [&str; 4] = [
    "cross entropy, best decoder",
    "SimLoss, argmax (published)",
    "SimLoss, best decoder",
    "proper SimLoss, best decoder",
];

/// A row of the table of decoders: one field a head.
pub(crate) fn contest(analysis: &Analysis, contest: &Contest) -> [String; 4] {
    let metric = contest.metric;
    let named = |entry: &Entry| match entry.decoder {
        Decoder::Argmax => String::new(),
        decoder => format!(", {}", decoder.name()),
    };
    let of = |role: Role, argmax: bool| {
        let Some(Best { entry, p, .. }) = contest.best.iter().find(|best| (best.role, best.argmax) == (role, argmax))
        else {
            return String::new();
        };
        let title = &analysis.losses[entry.loss].title;
        let title = title.strip_prefix(role.name()).unwrap_or(title).trim_start();
        let p = match p {
            Some(p) if *p < SIGNIFICANCE => {
                let better = metric.improves(entry.mean - contest.reference.mean);
                format!(" ({}, {})", p_equals(*p), if better { "better" } else { "worse" })
            }
            Some(p) => format!(" ({})", p_equals(*p)),
            None => String::new(),
        };
        format!("{}, {title}{}{p}", number(metric, entry.mean), named(entry))
    };
    let reference = &contest.reference;
    [
        format!("{}, {}", number(metric, reference.mean), reference.decoder.name()),
        of(Role::SimLoss, true),
        of(Role::SimLoss, false),
        of(Role::Proper, false),
    ]
}

/// What limits the conclusions.
pub(crate) fn caveats(analysis: &Analysis) -> Vec<String> {
    let facts = &analysis.facts;
    let mut said = vec![];
    let [done, all] = analysis.finished();
    if done < all {
        let runs = analysis.losses.iter().map(|loss| format!("{} {}", loss.title, loss.runs.len()));
        let runs = runs.collect::<Vec<_>>().join(", ");
        said.push(format!("{done} of {all} runs are finished ({runs}). This report covers those."));
    }
    if let Some(tests) = analysis.contests.iter().map(|contest| contest.tests).max().filter(|&tests| tests > 0) {
        said.push(format!(
            "The table of decoders selects parameters and decoders on the test set. Holm's correction covers the {tests} \
             comparisons of a metric."
        ));
    }
    said.extend(not_proper(analysis));
    if let Some([network, majority]) = analysis.floor {
        said.push(format!(
            "Always predicting the most frequent class reaches {} accuracy; cross entropy reaches {}.",
            number(Metric::Accuracy, majority),
            number(Metric::Accuracy, network)
        ));
    }
    let small = facts.class_names.iter().zip(&facts.class_samples).filter(|&(_, &n)| n < SMALL);
    let small: Vec<String> = small.map(|(name, n)| format!("{name} ({n})")).collect();
    if !small.is_empty() {
        let shown = small.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
        let more = if small.len() > LISTED { format!(" and {} more", small.len() - LISTED) } else { String::new() };
        said.push(format!(
            "Some classes have fewer than {SMALL} samples, too few to assess them individually: {shown}{more}."
        ));
    }
    if let Samples::Row { repeated: repeated @ 1.., .. } = facts.samples {
        said.push(format!(
            "{} of {} samples repeat an earlier one, so training and test sets overlap. All losses benefit alike.",
            thousands(repeated),
            thousands(facts.sample_count())
        ));
    }
    if !analysis.missing.is_empty() {
        said.push(format!(
            "Left out, because the files of this directory do not say it: {}. Run the command that made the directory \
             again with --resume to add it.",
            analysis.missing.join("; ")
        ));
    }
    said
}

/// What SimLoss costs, at worst.
fn not_proper(analysis: &Analysis) -> Option<String> {
    if !analysis.losses.iter().any(|loss| loss.role == Role::SimLoss && !loss.runs.is_empty()) {
        return None;
    }
    let largest = |metric: Metric| {
        let result = analysis.metric(metric)?;
        let ours = analysis.losses.iter().enumerate().filter(|(_, loss)| loss.role == Role::SimLoss);
        let means = ours.filter_map(|(i, _)| Some((i, result.means(i)?)));
        let (loss, [its, reference]) = means.max_by(|(_, a), (_, b)| (a[0] - a[1]).total_cmp(&(b[0] - b[1])))?;
        let worse = its > reference;
        let (its, reference) = (number(metric, its), number(metric, reference));
        let title = &analysis.losses[loss].title;
        let text = format!("{} {its} for {title} (cross entropy {reference})", metric.short());
        (worse && its != reference).then_some(text)
    };
    let worse: Vec<String> = [Metric::Nll, Metric::Ece].into_iter().filter_map(largest).collect();
    let cost = match worse.is_empty() {
        true => {
            "SimLoss is not a proper scoring rule. Here, NLL and ECE are not worse than those of cross entropy.".into()
        }
        false => {
            let worse = list(&worse, "and");
            format!("SimLoss is not a proper scoring rule, and only NLL and ECE show the cost. Largest: {worse}.")
        }
    };
    let instead = match analysis.losses.iter().any(|loss| loss.role == Role::Proper) {
        true => "",
        false => " Where probabilities matter, use proper SimLoss (--losses proper): it has the same similarity.",
    };
    Some(cost + instead)
}

/// A published claim, in words.
pub(crate) const fn claim(claim: Claim) -> &'static str {
    match claim {
        Claim::SeveralGains => "1. SimLoss improves several metrics significantly over cross entropy",
        Claim::WeakInfluence => "2. On CIFAR-100, a weak influence of the similarity (l from 0.9) improves accuracy",
        Claim::StrongInfluence => "3. On CIFAR-100, a strong influence (l up to 0.3) improves SA or FSA",
        Claim::Trade => "4. On ages, r trades accuracy against MAE: some r worsens one and improves the other",
    }
}

/// What runs say of it.
pub(crate) const fn decided(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Confirmed => "confirmed",
        Verdict::NotConfirmed => "not confirmed",
        Verdict::NotTestable => "not testable here",
    }
}

/// The evidence for or against it.
pub(crate) fn evidence(analysis: &Analysis, of: &Decided) -> String {
    if of.evidence.is_empty() {
        return match of.verdict {
            Verdict::NotTestable => "no tested run of these losses".to_owned(),
            _ => "no such significant difference".to_owned(),
        };
    }
    let each = of.evidence.iter().map(|evidence| {
        let title = &analysis.losses[evidence.loss].title;
        let by = difference(evidence.metric, evidence.difference);
        format!("{} {by} for {title} (d_z {:.1})", evidence.metric.short(), evidence.effect)
    });
    each.collect::<Vec<_>>().join("; ")
}
