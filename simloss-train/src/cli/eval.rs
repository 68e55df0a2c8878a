//! The options of evaluation, and of models that come from elsewhere or go there.

use super::{AgeArgs, Ages, Cifar100Args, FolderArgs, FormArgs, List, Names, SimilarityArgs, names, threads};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What to judge a network on.
#[derive(Debug, Subcommand)]
pub enum EvalCommand {
    /// Face images labeled with ages: all of a directory, or its test set
    Age {
        /// Where they are.
        #[command(flatten)]
        images: AgeArgs,
        /// How to judge.
        #[command(flatten)]
        eval: EvalArgs,
    },
    /// CIFAR-100 test set
    Cifar100 {
        /// Where they are.
        #[command(flatten)]
        images: Cifar100Args,
        /// How to judge.
        #[command(flatten)]
        eval: EvalArgs,
    },
    /// Your images, one folder per class: all of them, or the test set
    Folder {
        /// Where they are.
        #[command(flatten)]
        images: FolderArgs,
        /// How to judge.
        #[command(flatten)]
        eval: EvalArgs,
    },
    /// All rows of a CSV file with a label column and feature columns
    Table {
        /// CSV file with column names in the first row; commas, semicolons, tabs, or bars
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
        /// Label column
        #[arg(long, value_name = "COLUMN")]
        label: String,
        /// Columns to ignore
        #[arg(long, value_name = "COLUMNS", value_parser = super::table::list)]
        ignore: Vec<List>,
        /// How the file is written.
        #[command(flatten)]
        form: FormArgs,
        /// How to judge.
        #[command(flatten)]
        eval: EvalArgs,
    },
}

/// The options of every evaluation.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Model: model.safetensors of this program, or a safetensors file in PyTorch's layout with tensors named conv1.weight,
    /// conv1.bias, ..., dense1.weight, ...
    #[arg(long, value_name = "FILE")]
    pub checkpoint: PathBuf,
    /// Loss to compute [default: the training loss of the model]
    #[arg(long, value_name = "WHICH", help_heading = "Losses")]
    pub loss: Option<LossArg>,
    /// The similarity.
    #[command(flatten)]
    pub similarity: SimilarityArgs,
    /// Print one JSON object instead of a table
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// Write each sample's predictions to a CSV file: path, label, argmax, expectation, probabilities
    #[arg(long, value_name = "FILE.csv", help_heading = "Output")]
    pub predictions: Option<PathBuf>,
    /// Threads; results do not change [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub threads: Option<usize>,
}

/// `simloss export`.
#[derive(Debug, Args)]
pub struct ExportCommand {
    /// Model: model.safetensors of this program
    #[arg(long, value_name = "FILE")]
    pub checkpoint: PathBuf,
    /// Safetensors file for PyTorch (safetensors.torch.load_file; for tables with standardise.mean and
    /// standardise.deviation, which scale the features); with --head, the directory for head.bin, head.rs, frozen.bin,
    /// frozen.rs, and sizes.txt
    #[arg(long, value_name = "FILE.safetensors|DIR")]
    pub out: PathBuf,
    /// Export the last 1 or 2 dense layers, to train on a microcontroller
    #[arg(long, value_name = "1|2", value_parser = clap::value_parser!(u8).range(1..=2), allow_negative_numbers = true,
          help_heading = "For firmware")]
    pub head: Option<u8>,
    /// Training loss on the device [default: the training loss of the model]
    #[arg(long, value_name = "WHICH", help_heading = "For firmware")]
    pub loss: Option<LossArg>,
    /// The similarity of the loss on the device; that of the network where it is not given.
    #[command(flatten)]
    pub similarity: SimilarityArgs,
}

/// The loss of one network, on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LossArg {
    /// Cross entropy
    CrossEntropy,
    /// SimLoss
    #[value(name = "simloss")]
    SimLoss,
    /// Proper SimLoss
    Proper,
    /// Squared earth mover's distance
    Emd,
}

/// `simloss import`.
#[derive(Debug, Args)]
pub struct ImportCommand {
    /// Safetensors file in PyTorch's layout; the names and shapes of its tensors identify the network, and
    /// standardise.mean and standardise.deviation the scaling of its features. With --base, a dump of a device's slots, or
    /// a head.bin
    #[arg(long, value_name = "FILE")]
    pub checkpoint: PathBuf,
    /// Model file to write
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: PathBuf,
    /// Model the head came from; supplies all other parameters
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ages", "names"])]
    pub base: Option<PathBuf>,
    /// Age range of the classes, for a network for ages
    #[arg(long, value_name = "A..B", value_parser = super::images::ages, conflicts_with = "names")]
    pub ages: Option<Ages>,
    /// Class names in order, or @FILE with one name per line; names that are all numbers are values
    #[arg(long, value_name = "NAMES|@FILE", value_parser = names)]
    pub names: Option<Names>,
}
