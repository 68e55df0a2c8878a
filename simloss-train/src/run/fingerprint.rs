//! What determines the bits of a run, as one hash. `state.safetensors` and `details.json` say by it which run they belong
//! to.

use crate::{
    compute::network::Kind,
    data::hex,
    run::record::{Record, Selection, Settings},
    similarity::spec::{Link, LossDescription, LossKind, Truth},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The number of this format. Format 1 was a text with the names of this program's types.
const FORMAT: u32 = 2;

impl Record {
    /// SHA-256 over canonical JSON: everything that was asked for except the number of epochs and threads, its objects with
    /// sorted keys and without spaces.
    pub(crate) fn fingerprint(&self) -> String {
        let Record { version, settings, loss, data, network, .. } = self;
        let settings = Settings { epochs: 0, threads: 0, ..settings.clone() };
        let asked = json!({
            "format": FORMAT,
            "version": version,
            "settings": settings,
            "loss": loss,
            "data": data.fingerprint,
            "split": data.split,
            "network": network,
        });
        let mut text = String::new();
        canonical(&asked, &mut text);
        hex(&Sha256::digest(text))
    }

    /// Whether a file with the fingerprint `found` belongs to this run, also if format 1 wrote it.
    pub(crate) fn is_fingerprint(&self, found: &str) -> bool {
        found == self.fingerprint() || found == hex(&Sha256::digest(self.format_1()))
    }

    /// What format 1 hashed.
    fn format_1(&self) -> String {
        let Record { version, settings, loss, data, network, .. } = self;
        let Settings { batch, rate, patience, seed, hidden, augmentation, selection, epochs: _, threads: _ } = settings;
        let selection = match selection {
            Selection::Mae => "Mae",
            Selection::Accuracy => "Accuracy",
            Selection::Loss => "Loss",
        };
        let LossDescription { similarity, reduction_factor, lower_bound, fingerprint, .. } = loss;
        let mut rest = String::new();
        match loss.truth {
            Truth::Class => {}
            Truth::Smoothed(share) => rest.push_str(&format!(", truth: Smoothed({share:?})")),
            Truth::Soft => rest.push_str(", truth: Soft"),
        }
        rest.push_str(match loss.loss {
            LossKind::SimLoss => "",
            LossKind::Proper => ", loss: Proper",
            LossKind::Emd => ", loss: Emd",
        });
        match loss.link {
            Link::Threshold => {}
            Link::Exp(b) => rest.push_str(&format!(", link: Exp({b:?})")),
            Link::Hull => rest.push_str(", link: Hull"),
        }
        let network = match network {
            Kind::Table { inputs, hidden, classes } => {
                format!("Table {{ inputs: {inputs}, hidden: {hidden:?}, classes: {classes} }}")
            }
            Kind::LeNet { classes } => format!("LeNet {{ classes: {classes} }}"),
            Kind::Ages { classes } => format!("Ages {{ classes: {classes} }}"),
            Kind::Small { size, classes } => format!("Small {{ size: {size}, classes: {classes} }}"),
        };
        let settings = format!(
            "Settings {{ epochs: 0, batch: {batch}, rate: {rate:?}, patience: {patience:?}, seed: {seed}, hidden: \
             {hidden:?}, augmentation: {augmentation:?}, selection: {selection}, threads: 0 }}"
        );
        let loss = format!(
            "LossDescription {{ similarity: {similarity:?}, reduction_factor: {reduction_factor:?}, lower_bound: \
             {lower_bound:?}, fingerprint: {fingerprint:?}{rest} }}"
        );
        format!("{version:?} {settings} {loss} {:?} {:?} {network}", data.fingerprint, data.split)
    }
}

/// Writes a value with the keys of its objects sorted, whatever order they are kept in.
fn canonical(value: &Value, to: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            to.push('{');
            for (i, (name, value)) in fields.into_iter().enumerate() {
                let _ = write!(to, "{}{}:", if i == 0 { "" } else { "," }, Value::from(name.as_str()));
                canonical(value, to);
            }
            to.push('}');
        }
        Value::Array(values) => {
            to.push('[');
            for (i, value) in values.iter().enumerate() {
                if i > 0 {
                    to.push(',');
                }
                canonical(value, to);
            }
            to.push(']');
        }
        other => {
            let _ = write!(to, "{other}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::record::DataDescription;

    fn record(loss: LossDescription) -> Record {
        Record {
            version: "0.1.0".to_owned(),
            settings: Settings {
                epochs: 3,
                batch: 8,
                rate: 0.001,
                patience: None,
                seed: 1,
                hidden: vec![4],
                augmentation: None,
                selection: Selection::Mae,
                threads: 2,
            },
            loss,
            data: DataDescription {
                name: "x".to_owned(),
                fingerprint: "d".to_owned(),
                split: "s".to_owned(),
                samples: [3, 1, 1],
                features: 2,
                class_names: vec![],
                class_values: vec![],
            },
            network: Kind::Table { inputs: 2, hidden: vec![4], classes: 3 },
            parameters: 27,
            epochs: vec![],
            result: None,
        }
    }

    #[test]
    fn json_is_canonical() {
        let mut text = String::new();
        canonical(&json!({"b": [1, {"z": null, "a": "\""}, {}], "a": 0.5}), &mut text);
        assert_eq!(text, r#"{"a":0.5,"b":[1,{"a":"\"","z":null},{}]}"#);
    }

    #[test]
    fn only_what_changes_bits_changes_it() {
        let first = record(LossDescription::cross_entropy());
        let same = Record {
            settings: Settings { epochs: 9, threads: 1, ..first.settings.clone() },
            parameters: 0,
            ..first.clone()
        };
        assert_eq!(first.fingerprint(), same.fingerprint());
        let seed = Record { settings: Settings { seed: 2, ..first.settings.clone() }, ..first.clone() };
        let network = Record { network: Kind::LeNet { classes: 3 }, ..first.clone() };
        let loss = record(LossDescription::squared_emd());
        for other in [seed, network, loss] {
            assert!(!first.is_fingerprint(&other.fingerprint()), "{other:?}");
            assert!(!first.is_fingerprint(&hex(&Sha256::digest(other.format_1()))), "{other:?}");
        }
    }

    #[test]
    fn format_1_is_as_it_was_written() {
        let loss = LossDescription {
            loss: LossKind::Proper,
            similarity: "a\"b".to_owned(),
            link: Link::Exp(2.0),
            reduction_factor: None,
            lower_bound: Some(0.5),
            fingerprint: Some("f".to_owned()),
            truth: Truth::Smoothed(0.1),
        };
        let text = record(loss).format_1();
        assert_eq!(
            text,
            "\"0.1.0\" Settings { epochs: 0, batch: 8, rate: 0.001, patience: None, seed: 1, hidden: [4], augmentation: \
             None, selection: Mae, threads: 0 } LossDescription { similarity: \"a\\\"b\", reduction_factor: None, \
             lower_bound: Some(0.5), fingerprint: Some(\"f\"), truth: Smoothed(0.1), loss: Proper, link: Exp(2.0) } \"d\" \
             \"s\" Table { inputs: 2, hidden: [4], classes: 3 }"
        );
        let record = record(LossDescription::cross_entropy());
        assert!(record.is_fingerprint(&hex(&Sha256::digest(record.format_1()))));
    }
}
