//! Numbers, lists, columns and paragraphs, as every report writes them.

use crate::compare::{metric::Metric, statistics::Summary};
use std::fmt::Write;

/// The columns of a terminal that everything fits into.
pub(crate) const WIDTH: usize = 80;

/// Digits after the point: squared errors above 10 need fewer.
fn digits(metric: Metric, x: f64) -> usize {
    match metric {
        _ if metric.is_fraction() => 1,
        Metric::Mse if x.abs() >= 10.0 => 1,
        _ => 3,
    }
}

/// A number of a metric: `61.3%` or `0.418`.
pub(crate) fn number(metric: Metric, x: f64) -> String {
    let digits = digits(metric, x);
    match metric.is_fraction() {
        true => format!("{:.digits$}%", 100.0 * x),
        false => format!("{x:.digits$}"),
    }
}

/// A difference: as a number, with its sign; of fractions in percentage points.
pub(crate) fn difference(metric: Metric, x: f64) -> String {
    let digits = digits(metric, x);
    match metric.is_fraction() {
        true => format!("{:+.digits$} points", 100.0 * x),
        false => format!("{x:+.digits$}"),
    }
}

/// Mean and standard deviation; a single number has no deviation.
pub(crate) fn spread(metric: Metric, summary: &Summary) -> String {
    let Summary { count, mean, deviation } = *summary;
    let digits = digits(metric, mean);
    match (count, metric.is_fraction()) {
        (..2, _) => number(metric, mean),
        (_, true) => format!("{:.digits$} ± {:.digits$}%", 100.0 * mean, 100.0 * deviation),
        (_, false) => format!("{mean:.digits$} ± {deviation:.digits$}"),
    }
}

/// As [`spread`], with the number of seeds in parentheses where some are missing.
pub(crate) fn counted(metric: Metric, summary: &Summary, seeds: usize) -> String {
    let text = spread(metric, summary);
    if summary.count < seeds { format!("{text} ({})", summary.count) } else { text }
}

/// A p value.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "<0.001".into()
    } else if p >= 0.9995 {
        "1".into()
    } else {
        format!("{p:.3}")
    }
}

/// `p = 0.281`.
pub(crate) fn p_equals(p: f64) -> String {
    let p = p_value(p);
    p.strip_prefix('<').map_or_else(|| format!("p = {p}"), |p| format!("p < {p}"))
}

/// A count with commas between thousands.
pub(crate) fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `a`, `a and b`, `a, b, and c`.
pub(crate) fn list(items: &[String], conjunction: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [one, two] => format!("{one} {conjunction} {two}"),
        [first @ .., last] => format!("{}, {conjunction} {last}", first.join(", ")),
    }
}

/// The text with its first letter as a capital.
pub(crate) fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Rows with their fields in columns: the first to the left, the others to the right.
pub(crate) fn columns(rows: &[Vec<String>]) -> String {
    let widths = widths(rows);
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

/// As [`columns`], in as many tables as [`WIDTH`] asks for, each with the first column.
pub(crate) fn tables(rows: &[Vec<String>]) -> String {
    let widths = widths(rows);
    let first = widths.first().copied().unwrap_or(0);
    let (mut tables, mut used): (Vec<Vec<usize>>, usize) = (vec![vec![0]], first);
    for (i, width) in widths.iter().enumerate().skip(1) {
        if used + 2 + width > WIDTH && used > first {
            tables.push(vec![0]);
            used = first;
        }
        if let Some(table) = tables.last_mut() {
            table.push(i);
        }
        used += 2 + width;
    }
    let select = |table: &[usize]| -> Vec<Vec<String>> {
        let row = |row: &Vec<String>| table.iter().map(|&i| row.get(i).cloned().unwrap_or_default()).collect();
        rows.iter().map(row).collect()
    };
    tables.iter().map(|table| columns(&select(table))).collect::<Vec<_>>().join("\n")
}

fn widths(rows: &[Vec<String>]) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |i: usize| rows.iter().filter_map(|row| row.get(i)).map(|field| field.chars().count()).max();
    (0..columns).map(|i| widest(i).unwrap_or(0)).collect()
}

/// A paragraph in lines of at most [`WIDTH`] letters, the first after `mark`, the others indented as far.
pub(crate) fn wrapped(text: &str, mark: &str) -> String {
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

    fn row(fields: &[&str]) -> Vec<String> {
        fields.iter().map(|&field| field.to_owned()).collect()
    }

    #[test]
    fn paragraphs_and_columns() {
        let text = wrapped(&"word ".repeat(30), "- ");
        assert!(
            text.lines().all(|line| line.len() <= WIDTH) && text.lines().nth(1).is_some_and(|l| l.starts_with("  w"))
        );
        assert_eq!(columns(&[row(&["a", "±1"]), row(&["bcd", "10.5"])]), "a      ±1\nbcd  10.5\n");
    }

    #[test]
    fn wide_tables_are_split() {
        let wide = "x".repeat(36);
        let text = tables(&[row(&["loss", &wide, &wide, "1"]), row(&["ce", "2", "3", "4"])]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines.iter().all(|line| line.len() <= WIDTH) && lines[3].starts_with("loss"), "{text}");
        assert_eq!(tables(&[row(&["a", "b"])]), "a  b\n");
    }

    #[test]
    fn p_values_are_never_zero() {
        assert_eq!(
            [0.0, 0.0004, 0.001, 0.04999, 0.5, 0.9996, 1.0].map(p_value).join(" "),
            "<0.001 <0.001 0.001 0.050 0.500 1 1"
        );
        assert_eq!([0.0, 0.5].map(p_equals), ["p < 0.001", "p = 0.500"]);
    }

    #[test]
    fn counts_and_lists() {
        assert_eq!([7, 999, 1000, 1_234_567].map(thousands), ["7", "999", "1,000", "1,234,567"]);
        let of = |n: usize| list(&row(&["a", "b", "c"])[..n], "or");
        assert_eq!([0, 1, 2, 3].map(of), ["", "a", "a or b", "a, b, or c"]);
    }
}
