//! The drawings of a report, each with its caption and keys.

use crate::{
    Error,
    compare::{
        analysis::Analysis,
        loss_result::{LossResult, Point, Reliability},
        manifest::Role as Compared,
        metric::{Better, Metric},
        statistics::Summary,
    },
    report::{
        forest::{Bar, Forest},
        format::capitalized,
        plot::{Chart, HeatMap, Line, Look, Role},
    },
    run::record::Selection,
    similarity::{describe::Description, spec::Link},
};

/// A drawing.
pub(super) struct Figure {
    pub(super) title: String,
    pub(super) svg: String,
    pub(super) caption: String,
    pub(super) keys: Vec<Key>,
}

/// What a color means.
pub(super) struct Key {
    pub(super) class: &'static str,
    pub(super) text: String,
}

impl Figure {
    fn of(svg: Option<String>, title: impl Into<String>, caption: impl Into<String>, keys: Vec<Key>) -> Option<Self> {
        svg.map(|svg| Figure { title: title.into(), svg, caption: caption.into(), keys })
    }
}

/// Cross entropy, the selected SimLoss and the selected proper SimLoss, with their colors in drawings and their classes in
/// the page.
pub(super) fn shown(analysis: &Analysis) -> impl Iterator<Item = (&LossResult, Role, &'static str)> {
    let selected = |role| analysis.selected(role).map(|selected| selected.loss);
    let all = [
        (Some(0), Role::Plain, "plain"),
        (selected(Compared::SimLoss), Role::SimLoss, "simloss"),
        (selected(Compared::Proper), Role::Proper, "proper"),
    ];
    let found = all.into_iter().filter_map(|(i, role, class)| Some((analysis.losses.get(i?)?, role, class)));
    found.filter(|(loss, ..)| !loss.runs.is_empty())
}

/// The differences of every loss from cross entropy: the picture below the verdict.
pub(super) fn differences(analysis: &Analysis) -> Result<Vec<Figure>, Error> {
    let errors = [Metric::Mae, Metric::CircularError, Metric::SuperclassAccuracy, Metric::Similarity];
    let main = errors.into_iter().find(|&metric| analysis.metric(metric).is_some());
    let metrics = [Some(Metric::Accuracy), main, Some(Metric::Nll), Some(Metric::Ece)];
    let mut figures = vec![];
    for result in metrics.into_iter().flatten().filter_map(|metric| analysis.metric(metric)) {
        let bars = analysis.losses.iter().zip(&result.cells).filter_map(|(loss, cell)| {
            let test = cell.as_ref()?.test?;
            let role = match loss.role {
                Compared::CrossEntropy => return None,
                Compared::SimLoss => Role::SimLoss,
                Compared::Proper => Role::Proper,
                Compared::Baseline => Role::Second,
            };
            Some(Bar { title: loss.title.clone(), role, mean: test.difference.mean, interval: test.interval })
        });
        let metric = result.metric;
        let better = match metric.better() {
            Better::Higher => "to the right",
            Better::Lower => "to the left",
        };
        let unit = if metric.is_fraction() { ", percentage points" } else { "" };
        let axis = format!("difference from cross entropy{unit}");
        let forest = Forest { axis, bars: bars.collect(), points: metric.is_fraction() };
        let caption = format!("Better {better}. Mean difference over paired seeds, 95% confidence interval.");
        figures.extend(Figure::of(forest.svg()?, capitalized(metric.long()), caption, vec![]));
    }
    Ok(figures)
}

/// All other drawings.
pub(super) fn all(analysis: &Analysis) -> Result<Vec<Figure>, Error> {
    let mut figures = vec![];
    let on_grid = |role| analysis.losses.iter().filter(|l| l.role == role && l.parameter.is_some()).count();
    if Compared::SELECTED.iter().any(|&role| on_grid(role) > 1) {
        for metric in analysis.metrics.iter().map(|result| result.metric) {
            figures.extend(match metric {
                Metric::Mae => grid(analysis, &[Metric::Mae, Metric::ExpectedMae])?,
                // Drawn with the MAE of the argmax.
                Metric::ExpectedMae => None,
                metric => grid(analysis, &[metric])?,
            });
        }
    }
    figures.extend(learning(analysis)?);
    figures.extend(training(analysis)?);
    figures.extend(distributions(analysis)?);
    figures.extend(mean_prediction(analysis)?);
    figures.extend(reliability(analysis)?);
    for (title, description) in &analysis.similarities {
        let (svg, caption) = heat_map(&analysis.facts.class_names, description)?;
        figures.push(Figure { title: format!("Similarity, {title}"), svg, caption, keys: vec![] });
    }
    Ok(figures)
}

/// A metric, or two of one unit, over the grid of parameters.
fn grid(analysis: &Analysis, metrics: &[Metric]) -> Result<Option<Figure>, Error> {
    let Some(&first) = metrics.first() else { return Ok(None) };
    let descriptions = || analysis.losses.iter().map(|loss| &loss.description);
    let is_order = descriptions().any(|loss| loss.reduction_factor.is_some());
    let parameter = match () {
        () if is_order => "reduction factor r",
        () if descriptions().any(|loss| matches!(loss.link, Link::Exp(_))) => "steepness b",
        () => "lower bound l",
    };
    let (mut lines, mut keys) = (vec![], vec![]);
    for (i, &metric) in metrics.iter().enumerate() {
        let Some(result) = analysis.metric(metric) else { continue };
        let of = |x: f64, summary: &Summary| (x, summary.mean, summary.deviation);
        let reference = result.cells.first().and_then(Option::as_ref);
        let what = match (metrics.len(), i) {
            (1, _) => "",
            (_, 0) => ", argmax",
            _ => ", expected value",
        };
        for &of_role in &Compared::SELECTED {
            let (role, class) = match (of_role, i) {
                (Compared::SimLoss, 0) => (Role::SimLoss, "simloss"),
                (Compared::SimLoss, _) => (Role::Second, "second"),
                (_, 0) => (Role::Proper, "proper"),
                // Four bands in one plot are too many.
                _ => continue,
            };
            let cells = analysis.losses.iter().zip(&result.cells).filter(|(loss, _)| loss.role == of_role);
            let points = cells.filter_map(|(loss, cell)| Some(of(loss.parameter?, &cell.as_ref()?.summary)));
            let mut points: Vec<(f64, f64, f64)> = points.collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            if points.is_empty() {
                continue;
            }
            // r = 0 is cross entropy: the line begins there.
            if let Some(reference) = reference.filter(|_| is_order && points.first().is_some_and(|p| p.0 > 0.0)) {
                points.insert(0, of(0.0, &reference.summary));
            }
            keys.push(Key { class, text: format!("{}{what}", capitalized(of_role.name())) });
            lines.push(Line { role, points, look: Look::Points });
        }
        if let Some(reference) = reference {
            let (role, class) = if i == 0 { (Role::Plain, "plain level") } else { (Role::Second, "second level") };
            lines.push(Line { role, points: vec![(0.0, reference.summary.mean, 0.0)], look: Look::Level });
            keys.push(Key { class, text: format!("cross entropy{what}") });
        }
    }
    // The level lines stand on top of the bands.
    lines.sort_by_key(|line| line.look == Look::Level);
    let several = metrics.len() > 1;
    let title = if several { "Mean absolute error".to_owned() } else { capitalized(first.long()) };
    let better = match first.better() {
        Better::Higher => "Higher is better.",
        Better::Lower => "Lower is better.",
    };
    let chart = Chart { x: parameter.into(), y: first.short().into(), lines, percent: first.is_fraction() };
    let caption = format!("{better} Bands: one standard deviation over seeds.");
    Ok(Figure::of(chart.svg()?, title, caption, keys))
}

/// What selects the best epoch, epoch by epoch.
fn learning(analysis: &Analysis) -> Result<Option<Figure>, Error> {
    let errors = analysis.selection == Selection::Mae;
    let (mut lines, mut trends, mut keys) = (vec![], vec![], vec![]);
    for (loss, role, class) in shown(analysis) {
        let curve = |points: &Vec<Point>| points.iter().filter_map(|point| point.validation).collect::<Vec<f64>>();
        let curves: Vec<Vec<f64>> = loss.curves.iter().map(curve).collect();
        lines.extend(curves.iter().map(|curve| {
            let points = curve.iter().enumerate().map(|(i, &y)| (i as f64 + 1.0, y, 0.0)).collect();
            Line { role, points, look: Look::Thread }
        }));
        // A mean over runs that stopped at different epochs would jump: it ends with the first that stops.
        let shortest = curves.iter().map(Vec::len).min().unwrap_or(0);
        let mean = (0..shortest).filter_map(|i| {
            let summary = Summary::of(&curves.iter().map(|curve| curve[i]).collect::<Vec<_>>())?;
            Some((i as f64 + 1.0, summary.mean, 0.0))
        });
        trends.push(Line { role, points: mean.collect(), look: Look::Trend });
        keys.push(Key { class, text: loss.title.clone() });
    }
    lines.extend(trends);
    let y = if errors { "validation MAE" } else { "validation accuracy" };
    let chart = Chart { x: "epoch".into(), y: y.into(), lines, percent: !errors };
    let caption = "Thin lines: single runs. Thick lines: their mean, up to the first run that stops. The parameters of the \
                   best epoch are kept.";
    Ok(Figure::of(chart.svg()?, "Learning curves", caption, keys))
}

/// The loss that each is trained with, epoch by epoch.
fn training(analysis: &Analysis) -> Result<Option<Figure>, Error> {
    let (mut lines, mut keys) = (vec![], vec![]);
    for (loss, role, class) in shown(analysis) {
        for curve in &loss.curves {
            let points = curve.iter().filter_map(|point| Some((point.epoch as f64, point.train_loss?, 0.0)));
            lines.push(Line { role, points: points.collect(), look: Look::Shade(70) });
        }
        keys.push(Key { class, text: loss.title.clone() });
    }
    let chart = Chart { x: "epoch".into(), y: "training loss".into(), lines, percent: false };
    let caption = "Mean loss of the training samples, one line a run. Values of different losses are not comparable.";
    Ok(Figure::of(chart.svg()?, "Training loss", caption, keys))
}

/// How often each class of an order is predicted, and how often it is true.
fn distributions(analysis: &Analysis) -> Result<Option<Figure>, Error> {
    if analysis.metric(Metric::Mae).is_none() {
        return Ok(None);
    }
    let values = &analysis.facts.class_values;
    let line = |role, counts: Vec<u64>| {
        let all = counts.iter().sum::<u64>().max(1) as f64;
        let points = values.iter().zip(counts).map(|(&x, n)| (x, n as f64 / all, 0.0)).collect();
        Line { role, points, look: Look::Trend }
    };
    let (mut lines, mut keys) = (vec![], vec![]);
    for (loss, role, class) in shown(analysis) {
        let confusion = &loss.confusion;
        if lines.is_empty() {
            lines.push(line(Role::Second, confusion.iter().map(|row| row.iter().sum()).collect()));
            keys.push(Key { class: "second", text: "true".into() });
        }
        lines.push(line(role, (0..values.len()).map(|c| confusion.iter().map(|row| row[c]).sum()).collect()));
        keys.push(Key { class, text: loss.title.clone() });
    }
    let chart = Chart { x: "class".into(), y: "fraction of test samples".into(), lines, percent: true };
    let caption = "How often each class is the argmax, and how often it is true; all test sets together.";
    Ok(Figure::of(chart.svg()?, "True and predicted classes", caption, keys))
}

/// The mean prediction for the samples of one class in an order.
fn mean_prediction(analysis: &Analysis) -> Result<Option<Figure>, Error> {
    if analysis.metric(Metric::Mae).is_none() {
        return Ok(None);
    }
    let facts = &analysis.facts;
    let (mut lines, mut keys, mut class_name) = (vec![], vec![], None);
    for loss in analysis.losses.iter().filter(|loss| loss.role != Compared::Baseline) {
        let Some(mean) = &loss.mean_prediction else { continue };
        class_name = class_name.or(facts.class_names.get(mean.class));
        let points = facts.class_values.iter().zip(&mean.probabilities).map(|(&x, &p)| (x, p, 0.0)).collect();
        let (role, class) = match loss.role {
            Compared::CrossEntropy | Compared::Baseline => (Role::Plain, "plain"),
            Compared::SimLoss => (Role::SimLoss, "simloss"),
            Compared::Proper => (Role::Proper, "proper"),
        };
        // The larger the parameter, the stronger the line.
        let look = loss.parameter.map_or(Look::Trend, |x| Look::Shade(25 + (75.0 * x.clamp(0.0, 1.0)) as u8));
        lines.push(Line { role, points, look });
        if keys.iter().all(|key: &Key| key.class != class) {
            let text = match loss.role {
                Compared::CrossEntropy => loss.role.name().to_owned(),
                role => format!("{}, stronger for larger parameters", capitalized(role.name())),
            };
            keys.push(Key { class, text });
        }
    }
    let Some(name) = class_name else { return Ok(None) };
    let chart = Chart { x: "class".into(), y: "mean probability".into(), lines, percent: true };
    let caption = format!("Mean probabilities for test samples of class {name}, the most frequent class.");
    Ok(Figure::of(chart.svg()?, format!("Mean prediction for class {name}"), caption, keys))
}

/// Confidence against accuracy, before and after temperature scaling.
fn reliability(analysis: &Analysis) -> Result<Vec<Figure>, Error> {
    let mut figures = vec![];
    for (loss, role, class) in shown(analysis) {
        let Some(calibration) = &loss.calibration else { continue };
        let points = |of: &Reliability| of.bins.iter().map(|&[x, y]| (x, y, 0.0)).collect::<Vec<_>>();
        let lines = vec![
            Line { role: Role::Second, points: vec![(0.0, 0.0, 0.0), (1.0, 1.0, 0.0)], look: Look::Dashed },
            Line { role, points: points(&calibration.before), look: Look::Points },
            Line { role, points: points(&calibration.after), look: Look::Shade(45) },
        ];
        let number = |x: Option<f64>| x.map_or_else(|| "unknown".to_owned(), |x| format!("{x:.3}"));
        let (before, after) = (&calibration.before, &calibration.after);
        let caption = format!(
            "Temperature {:.2}, fitted on the validation set, changes ECE from {} to {} and NLL from {} to {}. Predictions \
             do not change.",
            calibration.temperature,
            number(before.ece),
            number(after.ece),
            number(before.nll),
            number(after.nll),
        );
        let keys = vec![
            Key { class, text: "as trained (points)".into() },
            Key { class, text: "after temperature scaling (pale)".into() },
            Key { class: "second level", text: "perfect calibration".into() },
        ];
        let chart = Chart { x: "confidence".into(), y: "fraction correct".into(), lines, percent: true };
        figures.extend(Figure::of(chart.svg()?, format!("Calibration, {}", loss.title), caption, keys));
    }
    Ok(figures)
}

/// A similarity, and its caption.
pub(super) fn heat_map(names: &[String], description: &Description) -> Result<(String, String), Error> {
    let map = HeatMap { names, entries: &description.entries, rows: "true class", columns: "class" };
    let [least, mean, most] = description.row_sums;
    let caption = format!(
        "S[true class, class], from 0 (no color) to 1. Row sums from {least:.2} to {most:.2}, mean {mean:.2}. A row sum of 1 \
         is cross entropy; {} accepts every class.",
        description.classes
    );
    Ok((map.svg()?, caption))
}
