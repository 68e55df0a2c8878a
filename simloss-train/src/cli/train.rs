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
    /// The network: small, or one of the published ones at its size
    #[arg(long, value_name = "WHICH", default_value = "small", help_heading = "Training")]
    pub network: NetworkArg,
    /// Rows and pixels of a row that images are resized to, for the small network [default: 32]
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
    /// Passes over the training images, at most [default: 1000 for cifar100, else 200]
    #[arg(long, value_name = "N", value_parser = epochs, allow_negative_numbers = true)]
    pub epochs: Option<usize>,
    /// Images per step
    #[arg(long, value_name = "N", value_parser = batch, allow_negative_numbers = true, default_value = "1024")]
    pub batch: usize,
    /// Adam's learning rate
    #[arg(long, value_name = "X", value_parser = rate, allow_negative_numbers = true, default_value = "0.001")]
    pub rate: f32,
    /// Epochs without a better one on the validation images before training stops, or none [default: 10 for ages,
    /// else 20]
    #[arg(long, value_name = "N|none", value_parser = patience, allow_negative_numbers = true)]
    pub patience: Option<Patience>,
    /// The padding of random crops for training, half of them mirrored, or none [default: 4 for cifar100, else none]
    #[arg(long, value_name = "N|none", value_parser = augmentation, allow_negative_numbers = true)]
    pub augmentation: Option<AugmentationArg>,
    /// What chooses the best epoch, on the validation images [default: mae for classes in an order, else accuracy]
    #[arg(long, value_name = "WHAT")]
    pub selection: Option<SelectionArg>,
    /// The first seed: of the split, the first parameters, the order and augmentation of images
    #[arg(long, value_name = "SEED", allow_negative_numbers = true, default_value = "1")]
    pub seed: u64,
    /// Runs of each loss, with one seed after the other, the same for every loss [default: 1, of a sweep 10]
    #[arg(long, visible_alias = "runs", value_name = "N", value_parser = seeds, allow_negative_numbers = true)]
    pub seeds: Option<usize>,
    /// Threads to decode and train with; changes no result [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub threads: Option<usize>,
}

/// A network, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NetworkArg {
    /// Two convolutions and two dense layers, for images of any size
    Small,
    /// The published one for CIFAR-100, for 32 x 32 pixels
    Lenet,
    /// The published one for ages, for 60 x 60 pixels
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
