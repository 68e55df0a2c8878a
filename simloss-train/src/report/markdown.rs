//! An analysis in Markdown.

use crate::{
    compare::{analysis::Analysis, metric::Metric, statistics::Summary},
    report::{
        format::{capitalized, counted, difference, p_value},
        words,
    },
};
use std::fmt::Write;

/// The report.
pub fn render(analysis: &Analysis) -> String {
    let mut out = format!("# {}\n\n**{}**\n\n", words::title(analysis), words::verdict(analysis));
    let _ = writeln!(out, "{} Similarity: {}.\n", words::subject(analysis), words::similarity(analysis));
    out.push_str(&compact(analysis));
    let legend = [Some(words::legend(analysis, "*")), words::selection(analysis)];
    let _ = writeln!(out, "\n{}", legend.into_iter().flatten().collect::<Vec<_>>().join(" "));
    if !analysis.contests.is_empty() {
        out.push_str("\n## Best decoder for each loss\n\n");
        let rows = analysis.contests.iter().map(|contest| {
            let fields = words::contest(analysis, contest).into_iter();
            std::iter::once(contest.metric.short().to_owned()).chain(fields).collect()
        });
        out.push_str(&table(&["Test set"].into_iter().chain(words::CONTEST).collect::<Vec<_>>(), rows.collect()));
    }
    let caveats = words::caveats(analysis);
    if !caveats.is_empty() {
        out.push_str("\n## Caveats\n\n");
        caveats.iter().for_each(|caveat| out.push_str(&format!("- {caveat}\n")));
    }
    if !analysis.claims.is_empty() {
        out.push_str("\n## Published claims\n\n");
        let rows = analysis.claims.iter().map(|of| {
            vec![
                words::claim(of.claim).to_owned(),
                words::decided(of.verdict).to_owned(),
                words::evidence(analysis, of),
            ]
        });
        out.push_str(&table(&["Claim", "Here", "Evidence"], rows.collect()));
    }
    out.push_str("\n## All losses\n\n");
    out.push_str(&all(analysis));
    out.push_str(&differences(analysis));
    out.push_str(&decoders(analysis));
    out
}

/// A table; fields are written as they are.
fn table(heads: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut out = format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for row in rows {
        let row: Vec<String> = row.iter().map(|field| field.replace('|', "\\|")).collect();
        let _ = writeln!(out, "| {} |", row.join(" | "));
    }
    out
}

fn field(analysis: &Analysis, metric: Metric, loss: usize) -> String {
    let cell = analysis.metric(metric).and_then(|result| result.cells.get(loss)?.as_ref());
    cell.map_or_else(String::new, |cell| {
        let mark = if cell.is_significant() { " *" } else { "" };
        counted(metric, &cell.summary, analysis.seeds.len()) + mark
    })
}

fn compact(analysis: &Analysis) -> String {
    let shown = words::compact(analysis);
    let mut heads = vec!["Test set"];
    heads.extend(shown.iter().map(|&i| &analysis.losses[i].title[..]));
    let compared = analysis.losses.len() > 1;
    if compared {
        heads.push("Significant change");
    }
    let rows = analysis.metrics.iter().map(|result| {
        let mut row = vec![result.metric.short().to_owned()];
        row.extend(shown.iter().map(|&i| field(analysis, result.metric, i)));
        if compared {
            row.push(words::change(analysis, result));
        }
        row
    });
    table(&heads, rows.collect())
}

fn all(analysis: &Analysis) -> String {
    let mut heads = vec!["Loss", "Runs"];
    heads.extend(analysis.metrics.iter().map(|result| result.metric.short()));
    let rows = analysis.losses.iter().enumerate().map(|(i, loss)| {
        let mut row = vec![loss.title.clone(), loss.runs.len().to_string()];
        row.extend(analysis.metrics.iter().map(|result| field(analysis, result.metric, i)));
        row
    });
    table(&heads, rows.collect())
}

fn differences(analysis: &Analysis) -> String {
    let mut out = String::new();
    for result in &analysis.metrics {
        let rows = analysis.losses.iter().zip(&result.cells).filter_map(|(loss, cell)| {
            let cell = cell.as_ref()?;
            let test = cell.test?;
            let [low, high] = test.interval.map(|x| difference(result.metric, x));
            let corrected = cell.corrected.map_or_else(|| "not tested".to_owned(), p_value);
            Some(vec![
                loss.title.clone(),
                difference(result.metric, test.difference.mean),
                format!("{low} to {high}"),
                format!("{:.2}", test.effect),
                p_value(test.p),
                corrected,
            ])
        });
        let rows: Vec<Vec<String>> = rows.collect();
        if !rows.is_empty() {
            let _ = writeln!(out, "\n### {}, difference from cross entropy\n", capitalized(result.metric.long()));
            out.push_str(&table(&["Loss", "Mean", "95% interval", "d_z", "p", "p, corrected"], rows));
        }
    }
    out
}

fn decoders(analysis: &Analysis) -> String {
    let decoded = &analysis.decoded;
    let titles = std::iter::once("cross entropy")
        .chain(analysis.selected.iter().map(|selected| &analysis.losses[selected.loss].title[..]));
    let mut heads = vec!["Decoder".to_owned()];
    for (i, title) in titles.enumerate() {
        heads.extend(decoded.metrics.iter().map(|metric| format!("{title}: {}", metric.short())));
        if i > 0 {
            heads.push("p".to_owned());
        }
    }
    let rows = decoded.rows.iter().map(|row| {
        let numbers = |of: &[Option<Summary>]| {
            let written = decoded.metrics.iter().zip(of);
            let text = |(&metric, summary): (&Metric, &Option<Summary>)| {
                summary.map_or_else(String::new, |s| counted(metric, &s, analysis.seeds.len()))
            };
            written.map(text).collect::<Vec<_>>()
        };
        let mut fields = vec![row.decoder.map_or("most frequent class", |decoder| decoder.name()).to_owned()];
        fields.extend(numbers(&row.reference));
        for (selected, p) in &row.selected {
            fields.extend(numbers(selected));
            fields.push(p.map_or_else(String::new, p_value));
        }
        fields
    });
    let heads: Vec<&str> = heads.iter().map(|head| &head[..]).collect();
    format!("\n## Decoders\n\n{}", table(&heads, rows.collect()))
}
