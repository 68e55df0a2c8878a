//! Plots as SVG, to stand inside a page.
//!
//! Every role has a colour of its own. The page's style sheet finds elements by that colour and puts the theme's in its
//! place, so that one drawing serves light, dark and print; by itself a drawing is right for a white page.

use crate::Error;
use plotters::{
    coord::Shift,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

/// Text.
pub(super) const INK: RGBColor = RGBColor(0x1b, 0x24, 0x30);
/// Lines behind the data.
pub(super) const GRID: RGBColor = RGBColor(0xdd, 0xe3, 0xea);

/// What a line stands for, which is what its colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Cross entropy.
    Plain,
    /// SimLoss.
    SimLoss,
    /// Proper SimLoss.
    Proper,
    /// A second number of SimLoss in the same plot.
    Second,
}

impl Role {
    pub(super) fn colour(self) -> RGBColor {
        match self {
            Role::Plain => RGBColor(0xb4, 0x53, 0x09),
            Role::SimLoss => RGBColor(0x1d, 0x5f, 0xd6),
            Role::Proper => RGBColor(0x8a, 0x3f, 0xb0),
            Role::Second => RGBColor(0x0f, 0x7b, 0x5f),
        }
    }
}

/// One line, with its spread or without.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) role: Role,
    /// `x`, `y`, and the half width of the band.
    pub(crate) points: Vec<(f64, f64, f64)>,
    pub(crate) look: Look,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// Points joined by a line.
    Points,
    /// A line from side to side.
    Level,
    /// A thin pale line, one among many.
    Thread,
    /// A strong line without points.
    Trend,
    /// A line of so many percent of its colour, one of a family.
    Shade(u8),
    /// A dashed line.
    Dashed,
}

/// A plot of lines.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    pub(crate) x: String,
    pub(crate) y: String,
    pub(crate) lines: Vec<Line>,
    /// Whether `y` is a share, written in percent.
    pub(crate) percent: bool,
}

const SIZE: (u32, u32) = (520, 320);

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Draws on `size`, and names what could not be drawn.
pub(super) fn draw(
    what: &'static str,
    size: (u32, u32),
    on: impl FnOnce(&Area<'_>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<String, Error> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        on(&area)
            .and_then(|()| Ok(area.present()?))
            .map_err(|problem| Error::Draw { what, problem: problem.to_string() })?;
    }
    // Without a size of its own a drawing is as wide as its place; its text stands beside it in the page.
    let (width, height) = size;
    Ok(svg.replacen(&format!("width=\"{width}\" height=\"{height}\" "), "aria-hidden=\"true\" ", 1))
}

impl Chart {
    /// The drawing, or nothing where there is nothing to draw.
    pub(crate) fn svg(&self) -> Result<Option<String>, Error> {
        let points = || self.lines.iter().flat_map(|line| &line.points);
        // A level has no place of its own along x.
        let placed = self.lines.iter().filter(|line| line.look != Look::Level).flat_map(|line| &line.points);
        let Some((left, right)) = range(placed.map(|p| p.0)) else { return Ok(None) };
        let bands = points().flat_map(|p| [p.1 - p.2, p.1 + p.2]);
        let Some((low, high)) = range(bands) else { return Ok(None) };
        let pad = |a: f64, b: f64, share: f64| if b > a { (b - a) * share } else { a.abs().max(1.0) * share };
        let (side, rise) = (pad(left, right, 0.03), pad(low, high, 0.08));
        let x = left - side..right + side;
        // Nothing here is negative, so no axis is.
        let y = if low >= 0.0 { (low - rise).max(0.0) } else { low - rise }..high + rise;
        draw("a plot", SIZE, |area| {
            let mut chart = ChartBuilder::on(area)
                .margin(6)
                .margin_right(12)
                .x_label_area_size(40)
                .y_label_area_size(62)
                .build_cartesian_2d(x.clone(), y.clone())?;
            let percent = |y: &f64| format!("{:.0} %", 100.0 * y);
            let plain = |y: &f64| if high < 10.0 { format!("{y:.2}") } else { format!("{y:.0}") };
            let written: &dyn Fn(&f64) -> String = if self.percent { &percent } else { &plain };
            let tick = |x: &f64| {
                let text = format!("{x:.2}");
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            };
            chart
                .configure_mesh()
                .disable_x_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(GRID)
                .axis_style(GRID)
                .label_style(("sans-serif", 15).into_font().color(&INK))
                .axis_desc_style(("sans-serif", 15).into_font().color(&INK))
                .x_desc(&self.x)
                .y_desc(&self.y)
                .x_labels(10)
                .y_labels(6)
                .x_label_formatter(&tick)
                .y_label_formatter(written)
                .draw()?;
            for line in &self.lines {
                let colour = line.role.colour();
                let middle: Vec<(f64, f64)> = match (line.look, line.points.first()) {
                    (Look::Level, Some(p)) => vec![(x.start, p.1), (x.end, p.1)],
                    _ => line.points.iter().map(|p| (p.0, p.1)).collect(),
                };
                let band = line.points.iter().map(|p| (p.0, p.1 + p.2));
                let back = line.points.iter().rev().map(|p| (p.0, p.1 - p.2));
                if matches!(line.look, Look::Points | Look::Trend) && line.points.iter().any(|p| p.2 > 0.0) {
                    let band: Vec<(f64, f64)> = band.chain(back).collect();
                    chart.draw_series([Polygon::new(band, colour.mix(0.14))])?;
                }
                match line.look {
                    Look::Level => {
                        chart.draw_series(DashedLineSeries::new(middle, 7, 5, colour.stroke_width(2)))?;
                    }
                    Look::Thread => {
                        chart.draw_series(LineSeries::new(middle, colour.mix(0.22).stroke_width(1)))?;
                    }
                    Look::Shade(percent) => {
                        let colour = colour.mix(f64::from(percent) / 100.0);
                        chart.draw_series(LineSeries::new(middle, colour.stroke_width(2)))?;
                    }
                    Look::Dashed => {
                        chart.draw_series(DashedLineSeries::new(middle, 5, 4, colour.stroke_width(2)))?;
                    }
                    Look::Trend => {
                        chart.draw_series(LineSeries::new(middle, colour.stroke_width(3)))?;
                    }
                    Look::Points => {
                        chart.draw_series(LineSeries::new(middle.clone(), colour.stroke_width(2)))?;
                        chart.draw_series(middle.iter().map(|&p| Circle::new(p, 4, colour.filled())))?;
                    }
                }
            }
            Ok(())
        })
        .map(Some)
    }
}

fn range(x: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    x.fold(None, |range, x| match range {
        None => Some((x, x)),
        Some((low, high)) => Some((low.min(x), high.max(x))),
    })
}

/// A square matrix of numbers from 0 to 1: the stronger the colour, the greater the number.
#[derive(Clone, Debug)]
pub(crate) struct HeatMap<'a> {
    /// Names of the rows and columns.
    pub(crate) names: &'a [String],
    /// Row by row.
    pub(crate) entries: &'a [f32],
    /// What a row is.
    pub(crate) rows: &'a str,
    /// What a column is.
    pub(crate) columns: &'a str,
}

/// The most cells on a side; more classes share cells, which show their mean.
const MOST_CELLS: usize = 128;
/// Up to so many classes have their names, and their numbers, written out.
const WRITTEN: usize = 12;
/// Steps of colour. Neighbours of one step are drawn as one.
const STEPS: f32 = 64.0;

impl HeatMap<'_> {
    /// The drawing.
    pub(crate) fn svg(&self) -> Result<String, Error> {
        let classes = self.names.len();
        let (cells, together) = self.cells();
        let side = 520i32;
        let written = classes <= WRITTEN;
        let longest = self.names.iter().map(|name| shorten(name).chars().count()).max().unwrap_or(0) as i32;
        let longest = if written { longest } else { longest.min(6) };
        let margin = 40 + 8 * longest;
        let at = |i: usize| margin + (side - margin - 8) * i as i32 / cells.len() as i32;
        let top = |i: usize| at(i) - margin + 8;
        let style = |size: i32| ("sans-serif", size).into_font().color(&INK);
        draw("a heat map", (side as u32, (side - margin + 8 + 44) as u32), |area| {
            for (y, row) in cells.iter().enumerate() {
                let mut from = 0;
                while from < row.len() {
                    let step = (row[from] * STEPS).round();
                    let to = (from..row.len()).find(|&c| (row[c] * STEPS).round() != step).unwrap_or(row.len());
                    if step > 0.0 {
                        let colour = Role::SimLoss.colour().mix(f64::from(step / STEPS));
                        let corners =
                            [(at(from), top(y)), (at(to) - i32::from(written), top(y + 1) - i32::from(written))];
                        area.draw(&Rectangle::new(corners, colour.filled()))?;
                    }
                    from = to;
                }
            }
            // A frame, so that rows of zeros are seen to belong.
            area.draw(&Rectangle::new([(at(0), top(0)), (at(cells.len()), top(cells.len()))], GRID.stroke_width(1)))?;
            let centre = |i: usize, edge: &dyn Fn(usize) -> i32| (edge(i) + edge(i + 1)) / 2;
            if written {
                for (i, name) in self.names.iter().enumerate() {
                    let name = shorten(name);
                    let right = style(14).pos(Pos::new(HPos::Right, VPos::Center));
                    area.draw_text(&name, &right, (margin - 8, centre(i, &top)))?;
                    let below = style(14).pos(Pos::new(HPos::Center, VPos::Top));
                    area.draw_text(&name, &below, (centre(i, &at), top(cells.len()) + 5))?;
                    for (c, entry) in cells[i].iter().enumerate() {
                        let colour = if *entry > 0.55 { &WHITE } else { &INK };
                        let text = ("sans-serif", 13).into_font().color(colour);
                        let text = text.pos(Pos::new(HPos::Center, VPos::Center));
                        area.draw_text(&format!("{entry:.2}"), &text, (centre(c, &at), centre(i, &top)))?;
                    }
                }
            }
            let height = top(cells.len());
            if let (false, [first, .., last]) = (written, self.names) {
                // The first and the last class say which way the axes run.
                let (first, last) = (shorten(first), shorten(last));
                let at_corner = |h, v| style(13).pos(Pos::new(h, v));
                area.draw_text(&first, &at_corner(HPos::Left, VPos::Top), (at(0), height + 4))?;
                area.draw_text(&last, &at_corner(HPos::Right, VPos::Top), (at(cells.len()), height + 4))?;
                area.draw_text(&first, &at_corner(HPos::Right, VPos::Top), (margin - 5, top(0)))?;
                area.draw_text(&last, &at_corner(HPos::Right, VPos::Bottom), (margin - 5, height))?;
            }
            let columns = style(15).pos(Pos::new(HPos::Center, VPos::Bottom));
            let note =
                if together > 1 { format!(" (each cell the mean of {together} x {together})") } else { String::new() };
            area.draw_text(&format!("{}{note}", self.columns), &columns, ((at(0) + side) / 2, height + 42))?;
            let rows = style(15).transform(FontTransform::Rotate270).pos(Pos::new(HPos::Center, VPos::Top));
            area.draw_text(self.rows, &rows, (4, height / 2))?;
            Ok(())
        })
    }

    /// Cells to draw, and how many classes each stands for, a side.
    fn cells(&self) -> (Vec<Vec<f32>>, usize) {
        let classes = self.names.len();
        let together = classes.div_ceil(MOST_CELLS);
        let count = classes.div_ceil(together);
        let mean = |y: usize, c: usize| {
            let part = |i: usize| i * together..((i + 1) * together).min(classes);
            let all: Vec<f32> =
                part(y).flat_map(|y| part(c).map(move |c| y * classes + c)).map(|i| self.entries[i]).collect();
            all.iter().sum::<f32>() / all.len() as f32
        };
        ((0..count).map(|y| (0..count).map(|c| mean(y, c)).collect()).collect(), together)
    }
}

fn shorten(name: &str) -> String {
    if name.chars().count() <= 10 { name.into() } else { name.chars().take(9).chain(['…']).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped_and_sizes_left_to_the_page() -> Result<(), Error> {
        let line = Line { role: Role::SimLoss, points: vec![(0.0, 1.0, 0.5), (1.0, 2.0, 0.0)], look: Look::Points };
        let chart = Chart { x: "<script>".into(), y: "y & z".into(), lines: vec![line], percent: false };
        let svg = chart.svg()?.unwrap_or_default();
        assert!(svg.contains("&lt;script&gt;") && svg.contains("y &amp; z") && !svg.contains("<script>"), "{svg}");
        assert!(svg.starts_with("<svg aria-hidden=\"true\" viewBox=\"0 0 520 320\""), "{svg}");
        assert_eq!(Chart { lines: vec![], ..chart }.svg()?, None);
        Ok(())
    }

    #[test]
    fn many_classes_share_cells() -> Result<(), Error> {
        let names: Vec<String> = (0..300).map(|i| i.to_string()).collect();
        let entries: Vec<f32> = (0..90_000).map(|i| if i / 300 == i % 300 { 1.0 } else { 0.0 }).collect();
        let map = HeatMap { names: &names, entries: &entries, rows: "true", columns: "<b>" };
        let (cells, together) = map.cells();
        assert_eq!((cells.len(), cells[0].len(), together), (100, 100, 3));
        assert_eq!((cells[5][5], cells[5][6]), (1.0 / 3.0, 0.0));
        let svg = map.svg()?;
        assert!(svg.contains("&lt;b&gt; (each cell the mean of 3 x 3)"));
        // Zeros are not drawn: one rectangle a row, and the frame.
        assert_eq!(svg.matches("<rect").count(), 101);
        Ok(())
    }
}
