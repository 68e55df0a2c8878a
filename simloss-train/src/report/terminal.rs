//! An analysis for a terminal of 80 columns.

use crate::{
    compare::analysis::Analysis,
    report::{
        format::{counted, tables, wrapped},
        words,
    },
};
use std::fmt::Write;

/// The report.
pub fn render(analysis: &Analysis) -> String {
    let mut out = String::new();
    let mut add = |text: &str, mark: &str| {
        let _ = writeln!(out, "{}", wrapped(text, mark));
    };
    add(&words::title(analysis), "");
    add("", "");
    add(&words::verdict(analysis), "");
    add("", "");
    add(&words::subject(analysis), "");
    add(&format!("Similarity: {}.", words::similarity(analysis)), "");
    out.push('\n');
    out.push_str(&tables(&compact(analysis)));
    let mut add = |text: &str, mark: &str| {
        let _ = writeln!(out, "{}", wrapped(text, mark));
    };
    add(&words::legend(analysis, "*"), "");
    if let Some(selection) = words::selection(analysis) {
        add(&selection, "");
    }
    if let Some(why) = words::none_tested(analysis) {
        add(&why, "");
    } else if analysis.losses.len() > 1 {
        add("", "");
        add("Significant changes", "");
        for result in analysis.metrics.iter().filter(|result| result.metric.is_tested()) {
            add(&format!("{}: {}", result.metric.short(), words::change(analysis, result)), "- ");
        }
    }
    if !analysis.contests.is_empty() {
        add("", "");
        add("Best decoder for each loss, selected on the test set", "");
        for contest in &analysis.contests {
            let fields = words::contest(analysis, contest);
            let said = words::CONTEST.iter().zip(&fields).filter(|(_, field)| !field.is_empty());
            let said: Vec<String> = said.map(|(head, field)| format!("{head}: {field}")).collect();
            add(&format!("{}: {}", contest.metric.short(), said.join("; ")), "- ");
        }
    }
    if !analysis.claims.is_empty() {
        add("", "");
        add("Published claims", "");
        for of in &analysis.claims {
            let (claim, verdict) = (words::claim(of.claim), words::decided(of.verdict));
            add(&format!("{claim}: {verdict}; {}", words::evidence(analysis, of)), "- ");
        }
    }
    let caveats = words::caveats(analysis);
    if !caveats.is_empty() {
        add("", "");
        add("Caveats", "");
        caveats.iter().for_each(|caveat| add(caveat, "- "));
    }
    out
}

/// A row a metric, a column a loss.
fn compact(analysis: &Analysis) -> Vec<Vec<String>> {
    let shown = words::compact(analysis);
    let heads = shown.iter().map(|&i| format!("{} ", analysis.losses[i].title));
    let mut rows = vec![std::iter::once(String::new()).chain(heads).collect::<Vec<_>>()];
    for result in &analysis.metrics {
        let cell = |&i: &usize| match result.cells.get(i).and_then(Option::as_ref) {
            Some(cell) => {
                let mark = if cell.is_significant() { "*" } else { " " };
                counted(result.metric, &cell.summary, analysis.seeds.len()) + mark
            }
            None => "- ".to_owned(),
        };
        rows.push(std::iter::once(result.metric.short().to_owned()).chain(shown.iter().map(cell)).collect());
    }
    rows
}
