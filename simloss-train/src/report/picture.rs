//! A picture of a published record: metrics of every loss against its parameter, as an SVG file for light and dark pages.

use super::{
    plot::{GRID, INK, Role},
    records::Line,
};
use crate::{
    Error,
    compare::statistics::Summary,
    similarity::spec::{Link, LossKind, Truth},
};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use std::collections::BTreeMap;

/// Pixels of one panel.
const PANEL: (u32, u32) = (400, 300);
/// Pixels of a line of the legend.
const KEY: u32 = 24;

/// Finds elements by their colors, which are those of the report where it has such a line.
const STYLE: &str = "<style>@media (prefers-color-scheme: dark) {\
    [fill=\"#1B2430\"] { fill: #E6EDF3 } [stroke=\"#DDE3EA\"] { stroke: #3A4550 } \
    [stroke=\"#B45309\"] { stroke: #F0A35E } [stroke=\"#1D5FD6\"] { stroke: #7FB0FF } [fill=\"#1D5FD6\"] { fill: #7FB0FF } \
    [stroke=\"#8A3FB0\"] { stroke: #D09BEF } [fill=\"#8A3FB0\"] { fill: #D09BEF } \
    [stroke=\"#0F7B5F\"] { stroke: #5FD0AE } [fill=\"#0F7B5F\"] { fill: #5FD0AE } \
    [stroke=\"#64748B\"] { stroke: #A9B5C4 } [stroke=\"#A21C46\"] { stroke: #F58CAB } }</style>";

/// A loss of the family, at any parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    CrossEntropy,
    SimLoss,
    Proper,
    Sord,
    Smoothing,
    Emd,
}

impl Family {
    const ALL: [Family; 6] =
        [Family::CrossEntropy, Family::SimLoss, Family::Proper, Family::Sord, Family::Smoothing, Family::Emd];

    fn of(line: &Line) -> Self {
        match (line.loss, line.truth) {
            (LossKind::Proper, _) => Family::Proper,
            (LossKind::Emd, _) => Family::Emd,
            (LossKind::SimLoss, Truth::Soft) => Family::Sord,
            (LossKind::SimLoss, Truth::Smoothed(_)) => Family::Smoothing,
            (LossKind::SimLoss, Truth::Class) if line.similarity == "none" => Family::CrossEntropy,
            (LossKind::SimLoss, Truth::Class) => Family::SimLoss,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Family::CrossEntropy => "cross entropy",
            Family::SimLoss => "SimLoss",
            Family::Proper => "proper SimLoss",
            Family::Sord => "soft labels (SORD)",
            Family::Smoothing => "label smoothing",
            Family::Emd => "squared EMD",
        }
    }

    fn color(self) -> RGBColor {
        match self {
            Family::CrossEntropy => Role::Plain.colour(),
            Family::SimLoss => Role::SimLoss.colour(),
            Family::Proper => Role::Proper.colour(),
            Family::Sord => Role::Second.colour(),
            Family::Smoothing => RGBColor(0x64, 0x74, 0x8b),
            Family::Emd => RGBColor(0xa2, 0x1c, 0x46),
        }
    }
}

/// The parameter of a loss: r, l or b; none for a loss without a similarity.
fn parameter(line: &Line) -> Option<(&'static str, f64)> {
    match (line.link, line.r, line.l) {
        (Link::Exp(b), ..) => Some(("steepness b", b)),
        (_, Some(r), _) => Some(("reduction factor r", r)),
        (_, _, Some(l)) => Some(("lower bound l", l)),
        _ => None,
    }
}

/// One loss in one panel: parameter, mean and standard deviation over its seeds.
type Curve = Vec<(f64, f64, f64)>;

/// Every loss of a comparison in one metric. A loss without a parameter has one point, whose place means nothing.
fn curves(lines: &[&Line], metric: &str) -> Result<BTreeMap<Family, Curve>, Error> {
    let mut values: BTreeMap<Family, Vec<(f64, Vec<f64>)>> = BTreeMap::new();
    for line in lines {
        let x = parameter(line).map_or(0.0, |(_, x)| x);
        let Some(&y) = line.test.get(metric) else {
            let known: Vec<&str> = line.test.keys().map(String::as_str).collect();
            let known = known.join(", ");
            return Err(Error::Usage(format!("the record has no metric {metric}; choose one of {known}")));
        };
        let of = values.entry(Family::of(line)).or_default();
        match of.iter_mut().find(|(other, _)| *other == x) {
            Some((_, all)) => all.push(y),
            None => of.push((x, vec![y])),
        }
    }
    Ok(values
        .into_iter()
        .map(|(family, mut points)| {
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            let curve = points.into_iter().filter_map(|(x, all)| {
                let Summary { mean, deviation, .. } = Summary::of(&all)?;
                Some((x, mean, deviation))
            });
            (family, curve.collect())
        })
        .collect())
}

/// A panel a metric, one beside the other: means over the seeds, with bands of one standard deviation; losses without a
/// parameter are dashed lines. `comparison` is needed where a record holds several.
///
/// # Errors
/// [`Error::Usage`] for a comparison or a metric that the record does not have, or one without a loss that has a parameter;
/// [`Error::Draw`].
pub fn draw(lines: &[Line], comparison: Option<&str>, metrics: &[String]) -> Result<String, Error> {
    let mut names: Vec<&str> = lines.iter().map(|line| &*line.comparison).collect();
    names.dedup();
    let name = match (comparison, &names[..]) {
        (Some(name), names) if names.contains(&name) => name,
        (None, [name]) => name,
        (None, []) => return Err(Error::Usage("the record holds no run".into())),
        _ => {
            let names = names.join(", ");
            return Err(Error::Usage(format!(
                "the record holds the comparisons {names}; choose one with --comparison"
            )));
        }
    };
    let lines: Vec<&Line> = lines.iter().filter(|line| line.comparison == name).collect();
    let Some((axis, _)) = lines.iter().find_map(|line| parameter(line)) else {
        return Err(Error::Usage(format!("no loss of {name} has a parameter to draw along")));
    };
    let panels = metrics.iter().map(|metric| curves(&lines, metric)).collect::<Result<Vec<_>, _>>()?;
    let shown: Vec<Family> =
        Family::ALL.into_iter().filter(|family| panels.iter().any(|panel| panel.contains_key(family))).collect();
    let rows = shown.len().div_ceil(3 * panels.len().div_ceil(2)) as u32;
    let size = (PANEL.0 * panels.len() as u32, PANEL.1 + KEY * rows + 8);
    let mut svg = String::new();
    let mut drawn = || -> Result<(), Box<dyn std::error::Error>> {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let (above, below) = area.split_vertically(PANEL.1);
        for ((part, metric), panel) in above.split_evenly((1, panels.len())).iter().zip(metrics).zip(&panels) {
            let points = || panel.values().flatten();
            let of_parameter = || panel.iter().filter(|(_, curve)| curve.len() > 1).flat_map(|(_, curve)| curve);
            let (left, right) = span(of_parameter().map(|p| p.0));
            let (low, high) = span(points().flat_map(|p| [p.1 - p.2, p.1 + p.2]));
            let rise = 0.06 * (high - low).max(1e-6);
            let mut chart = ChartBuilder::on(part)
                .margin(8)
                .x_label_area_size(40)
                .y_label_area_size(64)
                .build_cartesian_2d(left - 0.02..right + 0.02, (low - rise).max(0.0)..high + rise)?;
            let font = || ("sans-serif", 14).into_font().color(&INK);
            chart
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(GRID)
                .axis_style(GRID)
                .label_style(font())
                .axis_desc_style(font())
                .x_desc(axis)
                .y_desc(called(metric))
                .x_labels(6)
                .y_labels(6)
                .x_label_formatter(&|x| format!("{x:.1}"))
                .draw()?;
            for (family, curve) in panel {
                let color = family.color();
                match &curve[..] {
                    [(_, y, _)] => {
                        let level = vec![(left - 0.02, *y), (right + 0.02, *y)];
                        chart.draw_series(DashedLineSeries::new(level, 6, 4, color.stroke_width(2)))?;
                    }
                    curve => {
                        let up = curve.iter().map(|p| (p.0, p.1 + p.2));
                        let back = curve.iter().rev().map(|p| (p.0, p.1 - p.2));
                        chart.draw_series([Polygon::new(up.chain(back).collect::<Vec<_>>(), color.mix(0.14))])?;
                        let middle: Vec<(f64, f64)> = curve.iter().map(|p| (p.0, p.1)).collect();
                        chart.draw_series(LineSeries::new(middle.clone(), color.stroke_width(2)))?;
                        chart.draw_series(middle.into_iter().map(|p| Circle::new(p, 4, color.filled())))?;
                    }
                }
            }
        }
        let columns = shown.len().div_ceil(rows as usize);
        for (i, family) in shown.iter().enumerate() {
            let (row, column) = (i / columns, i % columns);
            let x = 24 + (column as u32 * (size.0 - 24) / columns as u32) as i32;
            let y = (row as u32 * KEY + KEY / 2) as i32;
            let style = family.color().stroke_width(3);
            let is_level = panels.iter().all(|panel| panel.get(family).is_none_or(|curve| curve.len() < 2));
            match is_level {
                true => (0..3).try_for_each(|dash| {
                    below.draw(&PathElement::new([(x + 10 * dash, y), (x + 10 * dash + 6, y)], style))
                })?,
                false => below.draw(&PathElement::new([(x, y), (x + 26, y)], style))?,
            }
            let text = ("sans-serif", 15).into_font().color(&INK).pos(Pos::new(HPos::Left, VPos::Center));
            below.draw_text(family.name(), &text, (x + 34, y))?;
        }
        area.present()?;
        Ok(())
    };
    drawn().map_err(|problem| Error::Draw { what: "a picture", problem: problem.to_string() })?;
    let end = svg.find('>').map_or(0, |at| at + 1);
    svg.insert_str(end, STYLE);
    Ok(svg)
}

/// What people call a metric: `mae_median` is the MAE of the median.
fn called(metric: &str) -> String {
    let (name, of) = metric.split_once('_').unwrap_or((metric, ""));
    let name = if name.len() <= 4 { name.to_uppercase() } else { name.to_owned() };
    match of {
        "" => name,
        "scaled" => format!("{name} after temperature scaling"),
        of => format!("{name} of the {}", of.replace('_', " ")),
    }
}

fn span(x: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = x.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
    if low <= high { (low, high) } else { (0.0, 1.0) }
}
