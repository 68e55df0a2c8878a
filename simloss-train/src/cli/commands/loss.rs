//! The loss of one trained network: the one that is asked for, else the one that it was trained with.

use super::load::note;
use crate::{
    Error,
    cli::{LossArg, SimilarityArgs},
    model::Model,
    similarity::{
        Kind, Request,
        names::Unnamed,
        spec::{Link, LossDescription, LossKind, Truth},
    },
};

fn unknown_loss(trained: &str) -> String {
    format!(
        "the loss below is cross entropy; the network was trained with another one ({trained}), which --similarity and its \
         options give"
    )
}

/// A formula, and the similarity that it is of.
pub(super) struct Wanted {
    pub(super) formula: LossKind,
    /// What is taken for the truth: of the loss that the network was trained with.
    pub(super) truth: Truth,
    pub(super) request: Request,
}

impl Wanted {
    /// What options say, else the metadata of a model, else cross entropy, or where `default` is a kind, SimLoss of that.
    ///
    /// # Errors
    /// [`Error::Usage`] for options that do not go together, and for a network whose similarity neither its file nor an
    /// option gives.
    pub(super) fn of(
        similarity: &SimilarityArgs,
        loss: Option<LossArg>,
        model: Option<&Model>,
        default: Kind,
    ) -> Result<Self, Error> {
        let trained = model.map(|model| &model.loss);
        let given = similarity.is_given();
        let formula = match loss {
            Some(LossArg::CrossEntropy | LossArg::SimLoss) => LossKind::SimLoss,
            Some(LossArg::Proper) => LossKind::Proper,
            Some(LossArg::Emd) => LossKind::Emd,
            // A similarity alone means the loss that the network knows it by.
            None => match trained.map(|loss| loss.loss) {
                Some(LossKind::Proper) => LossKind::Proper,
                Some(LossKind::Emd) if !given => LossKind::Emd,
                _ => LossKind::SimLoss,
            },
        };
        // Files that the network does not name may name more classes than it has.
        let asked = Request { unnamed: Unnamed::Drop, ..similarity.clone().request(default) };
        if matches!(loss, Some(LossArg::CrossEntropy | LossArg::Emd)) || (formula == LossKind::Emd && loss.is_none()) {
            if given {
                let none = "a similarity has no effect with --loss cross-entropy and --loss emd; leave it out";
                return Err(Error::Usage(none.into()));
            }
            return Ok(Wanted { formula, truth: Truth::Class, request: Request::new(Kind::None) });
        }
        let (true, Some(trained), Some(model)) = (!given, trained, model) else {
            asked.check_single()?;
            return Ok(Wanted { formula, truth: Truth::Class, request: asked });
        };
        let truth = if loss.is_none() { trained.truth } else { Truth::Class };
        let wanted = |request: Request| Wanted { formula, truth, request };
        if trained.similarity == "none" || (trained.similarity == "unknown" && loss.is_none()) {
            return match loss {
                Some(_) => Err(Error::Usage(
                    "the network was trained without a similarity; give the one of the loss with --similarity".into(),
                )),
                None => Ok(wanted(Request::new(Kind::None))),
            };
        }
        let LossDescription { similarity, link, reduction_factor, .. } = trained;
        let kind = match (similarity.as_str(), reduction_factor, link) {
            ("order", Some(_), Link::Threshold) => Kind::Order,
            ("circular", Some(_), Link::Threshold) => Kind::Circular,
            ("superclass", Some(_), Link::Threshold) if !model.groups.is_empty() => Kind::Superclass,
            _ => {
                return Err(Error::Usage(format!(
                    "the network was trained with {}, and its file does not hold that similarity; give it with \
                     --similarity and its options, or choose --loss cross-entropy",
                    trained.words()
                )));
            }
        };
        let reduction_factors = reduction_factor.iter().map(|&r| r as f32).collect();
        Ok(wanted(Request { reduction_factors, ..Request::new(kind) }))
    }

    /// As [`of`](Self::of), with cross entropy in place of a similarity that nothing gives, and a note that says so.
    ///
    /// # Errors
    /// [`Error::Usage`] for options that do not go together.
    pub(super) fn or_cross_entropy(
        similarity: &SimilarityArgs,
        loss: Option<LossArg>,
        model: Option<&Model>,
        default: Kind,
    ) -> Result<Self, Error> {
        let silent = loss.is_none() && !similarity.is_given();
        let unknown = model.is_some_and(|model| model.loss.similarity == "unknown");
        match (Self::of(similarity, loss, model, default), model) {
            (Ok(_) | Err(Error::Usage(_)), Some(model)) if silent && unknown => {
                note(&unknown_loss(&model.loss.similarity));
                let request = Request::new(Kind::None);
                Ok(Wanted { formula: LossKind::SimLoss, truth: Truth::Class, request })
            }
            (Err(Error::Usage(_)), Some(model)) if silent => {
                note(&unknown_loss(&model.loss.words()));
                let request = Request::new(Kind::None);
                Ok(Wanted { formula: LossKind::SimLoss, truth: Truth::Class, request })
            }
            (found, _) => found,
        }
    }

    /// Its description, of that of the similarity that was built.
    pub(super) fn describe(&self, of_similarity: LossDescription) -> LossDescription {
        match self.formula {
            LossKind::Emd => LossDescription::squared_emd(),
            loss => LossDescription { loss, truth: self.truth, ..of_similarity },
        }
    }
}
