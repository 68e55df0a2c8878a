//! What came of the draws, as JSON and as a table.

use super::{Drawn, MEASURES, Scores, Tests, Tuned};
use crate::Outcome;
use serde_json::Value;

/// JSON with a line for each object that holds no other one.
pub fn lines(value: &Value, depth: usize, to: &mut String) {
    fn holds(value: &Value) -> bool {
        match value {
            Value::Object(all) => all.values().any(|value| value.is_object() || holds(value)),
            Value::Array(all) => all.iter().any(Value::is_object),
            _ => false,
        }
    }
    let (ends, all): (_, Vec<(String, &Value)>) = match value {
        Value::Object(all) if holds(value) => {
            (['{', '}'], all.iter().map(|(name, value)| (format!("\"{name}\": "), value)).collect())
        }
        Value::Array(all) if holds(value) => (['[', ']'], all.iter().map(|value| (String::new(), value)).collect()),
        _ => {
            *to += &value.to_string();
            return;
        }
    };
    to.push(ends[0]);
    for (i, (name, value)) in all.iter().enumerate() {
        *to += &format!("{}\n{}{name}", if i == 0 { "" } else { "," }, "  ".repeat(depth + 1));
        lines(value, depth + 1, to);
    }
    *to += &format!("\n{}{}", "  ".repeat(depth), ends[1]);
}

/// Prints the first line that differs.
pub fn differ(recorded: Option<&Drawn>, drawn: &Drawn) -> Outcome {
    let text = |drawn: &Drawn| -> Outcome<String> {
        let mut text = String::new();
        lines(&serde_json::to_value(drawn)?, 0, &mut text);
        Ok(text)
    };
    let Some(recorded) = recorded else {
        eprintln!("the record has nothing of this story");
        return Ok(());
    };
    let (recorded, drawn) = (text(recorded)?, text(drawn)?);
    let mut both = recorded.lines().zip(drawn.lines());
    if let Some((recorded, drawn)) = both.find(|(recorded, drawn)| recorded != drawn) {
        eprintln!(
            "record {}
now    {}",
            recorded.trim(),
            drawn.trim()
        );
    }
    Ok(())
}

/// Means over the draws, and Holm's p of the difference from cross entropy.
pub fn print(name: &str, drawn: &Drawn) {
    for network in &drawn.networks {
        println!("\n{name}, trained by {}: mean, standard deviation, p against cross entropy", network.trained);
        print!("{:<36}", "");
        MEASURES.iter().for_each(|(measure, _)| print!("{measure:>26}"));
        println!("  rounds kept");
        let row = |what: &str, scores: &Scores, tests: Option<&Tests>| {
            print!("{what:<36}");
            for (measure, _) in MEASURES {
                let p = tests.and_then(|tests| tests[measure].holm).map_or(String::new(), |p| format!("{p:.4}"));
                print!("{:>10.4}{:>8.4}{p:>8}", scores[measure].mean, scores[measure].std);
            }
        };
        for (what, scores) in [("before drift", &network.before), ("after drift", &network.drifted)] {
            row(what, scores, None);
            println!();
        }
        for Tuned { loss, r, rate, rounds_kept, adapted, against } in &network.tuned {
            let r = r.map_or(String::new(), |r| format!(", r = {r}"));
            row(&format!("{loss}{r}, rate {rate}"), adapted, against.as_ref());
            println!("  {rounds_kept:?}");
        }
    }
}
