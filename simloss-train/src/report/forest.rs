//! Differences from cross entropy with their confidence intervals, all losses of a comparison in one metric.

use super::plot::{GRID, INK, Role, draw};
use crate::Error;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

/// One loss.
#[derive(Clone, Debug)]
pub(crate) struct Bar {
    pub(crate) title: String,
    pub(crate) role: Role,
    /// The mean difference,
    pub(crate) mean: f64,
    /// and its interval.
    pub(crate) interval: [f64; 2],
}

/// The losses, from the top.
#[derive(Clone, Debug)]
pub(crate) struct Forest {
    /// What the axis shows.
    pub(crate) axis: String,
    pub(crate) bars: Vec<Bar>,
    /// Whether differences are fractions, written in percentage points.
    pub(crate) points: bool,
}

/// Pixels of the drawing, of a row, and below the rows.
const WIDTH: u32 = 440;
const ROW: u32 = 22;
const BELOW: u32 = 52;

impl Forest {
    /// The drawing, or nothing without differences.
    pub(crate) fn svg(&self) -> Result<Option<String>, Error> {
        if self.bars.is_empty() {
            return Ok(None);
        }
        // Zero is always in sight: that is cross entropy.
        let ends = || self.bars.iter().flat_map(|bar| bar.interval).chain([0.0]);
        let (low, high) = ends().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
        let pad = 0.05 * (high - low).max(1e-6);
        let longest = self.bars.iter().map(|bar| bar.title.chars().count()).max().unwrap_or(0) as u32;
        let margin = (12 + 7 * longest).min(WIDTH / 2);
        let rows = self.bars.len() as u32;
        let drawing = draw("a plot of differences", (WIDTH, ROW * rows + BELOW), |area| {
            let mut chart = ChartBuilder::on(area)
                .margin_top(4)
                .margin_right(14)
                .x_label_area_size(BELOW - 6)
                .y_label_area_size(margin)
                .build_cartesian_2d(low - pad..high + pad, f64::from(rows)..0.0)?;
            let written = |x: &f64| if self.points { format!("{:+.1}", 100.0 * x) } else { format!("{x:+.2}") };
            chart
                .configure_mesh()
                .disable_y_mesh()
                .light_line_style(TRANSPARENT)
                .bold_line_style(GRID)
                .axis_style(GRID)
                .label_style(("sans-serif", 13).into_font().color(&INK))
                .axis_desc_style(("sans-serif", 13).into_font().color(&INK))
                .x_desc(&self.axis)
                .x_labels(6)
                .y_labels(0)
                .x_label_formatter(&written)
                .draw()?;
            let zero = vec![(0.0, 0.0), (0.0, f64::from(rows))];
            chart.draw_series(DashedLineSeries::new(zero, 6, 4, Role::Plain.colour().stroke_width(2)))?;
            for (row, bar) in self.bars.iter().enumerate() {
                let (color, y) = (bar.role.colour(), row as f64 + 0.5);
                let [from, to] = bar.interval;
                chart.draw_series(LineSeries::new([(from, y), (to, y)], color.stroke_width(3)))?;
                chart.draw_series([Circle::new((bar.mean, y), 5, color.filled())])?;
                let style = ("sans-serif", 13).into_font().color(&INK).pos(Pos::new(HPos::Right, VPos::Center));
                let at = (margin as i32 - 8, 4 + (ROW as usize * row + ROW as usize / 2) as i32);
                area.draw_text(&bar.title, &style, at)?;
            }
            Ok(())
        });
        drawing.map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_loss_has_a_name_a_line_and_a_point() -> Result<(), Error> {
        let bar = |title: &str, mean: f64| Bar {
            title: title.into(),
            role: Role::SimLoss,
            mean,
            interval: [mean - 0.1, mean + 0.1],
        };
        let bars = vec![bar("r = <0.5>", 0.2), bar("r = 0.8", -0.3)];
        let forest = Forest { axis: "MAE".into(), bars, points: false };
        let svg = forest.svg()?.unwrap_or_default();
        assert!(svg.contains("r = &lt;0.5&gt;") && svg.contains("r = 0.8"), "{svg}");
        assert_eq!(svg.matches("<circle").count(), 2, "{svg}");
        assert_eq!(Forest { bars: vec![], ..forest }.svg()?, None);
        Ok(())
    }
}
