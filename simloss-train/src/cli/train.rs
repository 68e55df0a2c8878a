//! The options of training on images: the published protocols are their defaults.

use super::{
    AgeArgs, Cifar100Args, FolderArgs, LossArgs, OutArgs, Patience, SelectionArg, SimilarityArgs, UnnamedArgs, batch,
    epochs, patience, rate, seeds, threads, whole,
};
use crate::compute::network::SMALL;
use clap::{Args, ValueEnum};

/// `simloss train age`.
#[derive(Debug, Args)]
pub struct TrainAgeCommand {
    /// Where they are.
    #[command(flatten)]
    pub images: AgeArgs,
    /// How to compare.
    #[command(flatten)]
    pub compare: ImageCompareArgs,
}

/// `simloss train cifar100`.
#[derive(Debug, Args)]
pub struct TrainCifar100Command {
    /// Where they are.
    #[command(flatten)]
    pub images: Cifar100Args,
    /// What to do with classes that nothing names.
    #[command(flatten)]
    pub unnamed: UnnamedArgs,
    /// How to compare.
    #[command(flatten)]
    pub compare: ImageCompareArgs,
}

/// `simloss train folder`.
#[derive(Debug, Args)]
pub struct TrainFolderCommand {
    /// Where they are.
    #[command(flatten)]
    pub images: FolderArgs,
    /// Network: small, or a published one at its image size
    #[arg(long, value_name = "WHICH", default_value = "small", help_heading = "Training")]
    pub network: NetworkArg,
    /// Image height and width for the small network [default: 32]
    #[arg(long, value_name = "N", value_parser = size, allow_negative_numbers = true, help_heading = "Training")]
    pub size: Option<usize>,
    /// What to do with classes that nothing names.
    #[command(flatten)]
    pub unnamed: UnnamedArgs,
    /// How to compare.
    #[command(flatten)]
    pub compare: ImageCompareArgs,
}

/// The options of every comparison on images.
#[derive(Debug, Args)]
pub struct ImageCompareArgs {
    /// The similarity.
    #[command(flatten)]
    pub similarity: SimilarityArgs,
    /// The losses.
    #[command(flatten)]
    pub losses: LossArgs,
    /// The training.
    #[command(flatten)]
    pub train: ImageTrainArgs,
    /// The output.
    #[command(flatten)]
    pub out: OutArgs,
}

/// How to train on images.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Training")]
pub struct ImageTrainArgs {
    /// Maximum number of epochs [default: 1000 for cifar100, otherwise 200]
    #[arg(long, value_name = "N", value_parser = epochs, allow_negative_numbers = true)]
    pub epochs: Option<usize>,
    /// Images per step
    #[arg(long = "batch-size", alias = "batch", value_name = "N", value_parser = batch, allow_negative_numbers = true, default_value = "1024")]
    pub batch: usize,
    /// Adam's learning rate
    #[arg(long = "learning-rate", alias = "rate", value_name = "X", value_parser = rate, allow_negative_numbers = true, default_value = "0.001")]
    pub rate: f32,
    /// Stop after N epochs without improvement on the validation set, or none [default: 10 for ages, otherwise 20]
    #[arg(long, value_name = "N|none", value_parser = patience, allow_negative_numbers = true)]
    pub patience: Option<Patience>,
    /// Padding of random crops, with 50% mirrored, or none [default: 4 for cifar100, otherwise none]
    #[arg(long, value_name = "N|none", value_parser = augmentation, allow_negative_numbers = true)]
    pub augmentation: Option<AugmentationArg>,
    /// Validation metric that selects the best epoch [default: mae for ordered classes, otherwise accuracy]
    #[arg(long, value_name = "WHAT")]
    pub selection: Option<SelectionArg>,
    /// First seed, for the split, initial weights, image order, and augmentation
    #[arg(long, value_name = "SEED", allow_negative_numbers = true, default_value = "1")]
    pub seed: u64,
    /// Runs per loss, with consecutive seeds [default: 1; sweep: 10]
    #[arg(long, visible_alias = "runs", value_name = "N", value_parser = seeds, allow_negative_numbers = true)]
    pub seeds: Option<usize>,
    /// Threads; results do not change [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub threads: Option<usize>,
}

/// A network, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NetworkArg {
    /// Two convolutions and two dense layers, any image size
    Small,
    /// Published for CIFAR-100, 32 x 32 pixels
    Lenet,
    /// Published for ages, 60 x 60 pixels
    Age,
}

/// The padding of random crops, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AugmentationArg(pub Option<usize>);

fn augmentation(text: &str) -> Result<AugmentationArg, String> {
    match text {
        "none" => Ok(AugmentationArg(None)),
        _ => match whole(text, "", 1, 64) {
            Ok(n) => Ok(AugmentationArg(Some(n))),
            Err(_) => Err("the padding must be a whole number from 1 to 64, or none".into()),
        },
    }
}

fn size(text: &str) -> Result<usize, String> {
    whole(text, "the size of images", *SMALL.start(), *SMALL.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        for text in ["0", "-1", "65", "x", ""] {
            assert!(augmentation(text).is_err_and(|e| e.contains("or none")), "{text}");
        }
        assert_eq!(augmentation("none"), Ok(AugmentationArg(None)));
        assert_eq!(augmentation("4"), Ok(AugmentationArg(Some(4))));
        assert!(size("9").is_err_and(|e| e == "the size of images must be a whole number from 10 to 512"));
        assert_eq!(size("10"), Ok(10));
    }
}
