//! A loss and its similarity, as records say them.

use serde::{Deserialize, Serialize};

/// What is taken for the truth of a sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Truth {
    /// Its class.
    #[default]
    Class,
    /// Its class but for this share, which is spread evenly over all classes: label smoothing.
    Smoothed(f64),
    /// All classes, as similar as they are to its own: soft labels, for cross entropy.
    Soft,
}

impl Truth {
    pub(crate) fn is_class(&self) -> bool {
        *self == Truth::Class
    }
}

/// The formula of a loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LossKind {
    /// SimLoss; without a similarity, or with another truth than the class, cross entropy.
    #[default]
    SimLoss,
    /// Proper SimLoss: the proper scoring rule of the same similarity.
    Proper,
    /// The squared earth mover's distance between classes in an order: the ranked probability score.
    Emd,
}

impl LossKind {
    pub(crate) fn is_simloss(&self) -> bool {
        *self == LossKind::SimLoss
    }
}

/// How a measure of two classes, such as the cosine of their words, becomes a similarity.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// As published: `S = max(0, (s - l) / (1 - l))`; without an `l` the measure is the similarity.
    #[default]
    Threshold,
    /// `S = exp(b (s - 1))`, for this `b`.
    Exp(f64),
    /// That of [`Link::Threshold`], `s` being the level at which average linkage joins the two classes.
    Hull,
}

impl Link {
    pub(crate) fn is_threshold(&self) -> bool {
        *self == Link::Threshold
    }
}

/// The loss that is trained with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LossDescription {
    /// Its formula.
    #[serde(default, skip_serializing_if = "LossKind::is_simloss")]
    pub loss: LossKind,
    /// `none` (cross entropy), `order`, `circular`, `superclass`, or the name of a file.
    pub similarity: String,
    /// How the measure of a file, or of word vectors, becomes that similarity.
    #[serde(default, skip_serializing_if = "Link::is_threshold")]
    pub link: Link,
    /// `r`, where there is one.
    pub reduction_factor: Option<f64>,
    /// `l`, where there is one.
    pub lower_bound: Option<f64>,
    /// SHA-256 over the matrix, so that a file that changed is noticed; absent for cross entropy.
    pub fingerprint: Option<String>,
    /// What is taken for the truth; with soft labels the loss is cross entropy, and the similarity is that of the labels.
    #[serde(default, skip_serializing_if = "Truth::is_class")]
    pub truth: Truth,
}

impl LossDescription {
    /// Plain cross entropy.
    pub fn cross_entropy() -> Self {
        LossDescription {
            loss: LossKind::SimLoss,
            similarity: "none".to_owned(),
            link: Link::Threshold,
            reduction_factor: None,
            lower_bound: None,
            fingerprint: None,
            truth: Truth::Class,
        }
    }

    /// Squared earth mover's distance.
    pub fn squared_emd() -> Self {
        LossDescription { loss: LossKind::Emd, ..Self::cross_entropy() }
    }

    /// Whether it is plain cross entropy.
    pub fn is_cross_entropy(&self) -> bool {
        self.loss.is_simloss() && self.truth.is_class() && self.similarity == "none"
    }

    /// What the similarity was made with, in words: `r = 0.5`; `None` for a similarity as it stands in a file.
    pub(crate) fn parameter(&self) -> Option<String> {
        let LossDescription { link, reduction_factor: r, lower_bound: l, .. } = self;
        let number = r.map(|r| format!("r = {r}")).or_else(|| l.map(|l| format!("l = {l}")));
        match (link, number) {
            (Link::Threshold, number) => number,
            (Link::Exp(b), _) => Some(format!("b = {b}")),
            (Link::Hull, None) => Some("hull".to_owned()),
            (Link::Hull, Some(number)) => Some(format!("hull, {number}")),
        }
    }

    /// The loss in words, such as `proper SimLoss (order, r = 0.8)`.
    pub(crate) fn words(&self) -> String {
        let LossDescription { loss, similarity, truth, .. } = self;
        let of = [Some(similarity.clone()), self.parameter()].into_iter().flatten().collect::<Vec<_>>().join(", ");
        match (loss, truth) {
            _ if self.is_cross_entropy() => "cross entropy".to_owned(),
            (LossKind::SimLoss, Truth::Class) => format!("SimLoss ({of})"),
            (LossKind::Proper, _) => format!("proper SimLoss ({of})"),
            (LossKind::Emd, _) => "squared EMD".to_owned(),
            (LossKind::SimLoss, Truth::Soft) => format!("cross entropy with soft labels ({of})"),
            (LossKind::SimLoss, Truth::Smoothed(share)) => format!("cross entropy with label smoothing {share}"),
        }
    }

    /// What differs in another one: what asks for it, else what a file holds.
    pub(crate) fn other(&self, asked: &LossDescription) -> Option<Difference> {
        let content = |of: &LossDescription| of.fingerprint.clone().unwrap_or_else(|| "none".to_owned());
        let [this, that] = [self, asked].map(LossDescription::options);
        match (self == asked, this == that) {
            (true, _) => None,
            (false, false) => Some(("loss", this, that)),
            (false, true) => Some(("SHA-256 of the similarity", content(self), content(asked))),
        }
    }

    /// The options that ask for it.
    pub(crate) fn options(&self) -> String {
        let LossDescription { loss, similarity, link, reduction_factor: r, lower_bound: l, truth, .. } = self;
        let link_option = match link {
            Link::Threshold => None,
            Link::Exp(b) => Some(format!(" --link exp -b {b}")),
            Link::Hull => Some(" --link hull".to_owned()),
        };
        let given = [link_option, r.map(|r| format!(" -r {r}")), l.map(|l| format!(" -l {l}"))];
        let options = format!("--similarity {similarity}{}", given.into_iter().flatten().collect::<String>());
        match (loss, truth) {
            (LossKind::SimLoss, Truth::Class) => options,
            (LossKind::SimLoss, Truth::Soft) if link.is_threshold() => {
                let bound = r.or(*l).unwrap_or(0.0);
                format!("--similarity {similarity} --baselines soft={bound}")
            }
            (LossKind::SimLoss, Truth::Soft) => format!("{options} --losses sord"),
            (LossKind::SimLoss, Truth::Smoothed(share)) => format!("--baselines smoothing={share}"),
            (LossKind::Proper, _) => format!("{options} --losses proper"),
            (LossKind::Emd, _) => "--losses emd".to_owned(),
        }
    }
}

/// What differs, what is recorded, and what is asked for.
pub(crate) type Difference = (&'static str, String, String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_said_as_it_is_asked_for() {
        let order = LossDescription {
            similarity: "order".to_owned(),
            reduction_factor: Some(0.5),
            fingerprint: Some("ab".to_owned()),
            ..LossDescription::cross_entropy()
        };
        let matrix = LossDescription { similarity: "s.csv".to_owned(), reduction_factor: None, ..order.clone() };
        let bounded = LossDescription { lower_bound: Some(0.2), ..matrix.clone() };
        let soft = LossDescription { truth: Truth::Soft, ..order.clone() };
        let smoothed = LossDescription { truth: Truth::Smoothed(0.1), ..LossDescription::cross_entropy() };
        let proper = LossDescription { loss: LossKind::Proper, ..order.clone() };
        let steep = LossDescription { link: Link::Exp(2.0), lower_bound: None, ..bounded.clone() };
        let hull = LossDescription { link: Link::Hull, ..bounded.clone() };
        let [soft_steep, emd] =
            [LossDescription { truth: Truth::Soft, ..steep.clone() }, LossDescription::squared_emd()];
        let all = [
            LossDescription::cross_entropy(),
            order.clone(),
            matrix,
            bounded,
            soft,
            smoothed,
            proper,
            steep,
            hull,
            soft_steep,
            emd,
        ];
        let said: Vec<String> = all.iter().map(LossDescription::options).collect();
        let expected = [
            "--similarity none",
            "--similarity order -r 0.5",
            "--similarity s.csv",
            "--similarity s.csv -l 0.2",
            "--similarity order --baselines soft=0.5",
            "--baselines smoothing=0.1",
            "--similarity order -r 0.5 --losses proper",
            "--similarity s.csv --link exp -b 2",
            "--similarity s.csv --link hull -l 0.2",
            "--similarity s.csv --link exp -b 2 --losses sord",
            "--losses emd",
        ];
        assert_eq!(said, expected);
        for (a, b) in all.iter().zip(all.iter().skip(1)) {
            assert_eq!(a.other(b), Some(("loss", a.options(), b.options())));
            assert_eq!(a.other(a), None);
        }
        let other = LossDescription { fingerprint: Some("cd".to_owned()), ..order.clone() };
        assert_eq!(order.other(&other), Some(("SHA-256 of the similarity", "ab".to_owned(), "cd".to_owned())));
    }

    #[test]
    fn what_is_customary_leaves_no_trace() -> Result<(), Box<dyn std::error::Error>> {
        // Records and states that were written before losses had a truth are read, and continued.
        let old = r#"{"similarity":"order","reduction_factor":0.5,"lower_bound":null,"fingerprint":"ab"}"#;
        let loss: LossDescription = serde_json::from_str(old)?;
        assert_eq!((loss.truth, serde_json::to_string(&loss)?), (Truth::Class, old.to_owned()));
        assert_eq!((loss.loss, loss.link), (LossKind::SimLoss, Link::Threshold));
        for other in [
            LossDescription { truth: Truth::Soft, ..loss.clone() },
            LossDescription { truth: Truth::Smoothed(0.1), ..loss.clone() },
            LossDescription { loss: LossKind::Proper, ..loss.clone() },
            LossDescription { loss: LossKind::Emd, ..loss.clone() },
            LossDescription { link: Link::Exp(1.5), ..loss.clone() },
            LossDescription { link: Link::Hull, ..loss.clone() },
        ] {
            assert_ne!(serde_json::to_string(&other)?, old);
            assert_eq!(serde_json::from_str::<LossDescription>(&serde_json::to_string(&other)?)?, other);
        }
        Ok(())
    }
}
