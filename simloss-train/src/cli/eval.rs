//! The options of evaluation, and of models that come from elsewhere or go there.

use super::{AgeArgs, Ages, Cifar100Args, FolderArgs, FormArgs, List, Names, SimilarityArgs, names, threads};
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// What to judge a network on.
#[derive(Debug, Subcommand)]
pub enum EvalCommand {
    /// Faces with ages: all of a folder, or its part test
    Age {
        /// Where they are.
        #[command(flatten)]
        images: AgeArgs,
        /// How to judge.
        #[command(flatten)]
        eval: EvalArgs,
    },
    /// The test images of CIFAR-100
    Cifar100 {
        /// Where they are.
        #[command(flatten)]
        images: Cifar100Args,
        /// How to judge.
        #[command(flatten)]
        eval: EvalArgs,
    },
    /// Images in class folders: all of them, or their part test
    Folder {
        /// Where they are.
        #[command(flatten)]
        images: FolderArgs,
        /// How to judge.
        #[command(flatten)]
        eval: EvalArgs,
    },
    /// All rows of a CSV file with named columns: one of classes, the others of numbers
    Table {
        /// The CSV file: a first row with the names of the columns, then one row a sample; commas, semicolons, tabs or bars
        #[arg(value_name = "FILE.csv")]
        file: PathBuf,
        /// The column of the classes
        #[arg(long, value_name = "COLUMN")]
        label: String,
        /// Columns to leave out
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
    /// The network: a model.safetensors of this program, or any safetensors file of PyTorch's layout whose tensors are
    /// named conv1.weight, conv1.bias, ... dense1.weight, ...
    #[arg(long, value_name = "FILE")]
    pub checkpoint: PathBuf,
    /// The loss to compute [default: the one that the network was trained with]
    #[arg(long, value_name = "WHICH", help_heading = "Losses")]
    pub loss: Option<LossArg>,
    /// The similarity.
    #[command(flatten)]
    pub similarity: SimilarityArgs,
    /// Print one JSON object with every figure, instead of a table
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    /// The CSV file to write what the network says of each sample to: path, label, argmax, expectation, probabilities
    #[arg(long, value_name = "FILE.csv", help_heading = "Output")]
    pub predictions: Option<PathBuf>,
    /// Threads to decode and compute with; changes no result [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub threads: Option<usize>,
}

/// `simloss export`.
#[derive(Debug, Args)]
pub struct ExportCommand {
    /// The model: a model.safetensors of this program
    #[arg(long, value_name = "FILE")]
    pub checkpoint: PathBuf,
    /// The file to write: PyTorch's tensors for safetensors.torch.load_file, and for a table standardise.mean and
    /// standardise.deviation, by which its features are scaled before they enter. With --head, the folder to
    /// write what a firmware includes to: head.bin and head.rs, frozen.bin and frozen.rs (what lies before the head), and
    /// sizes.txt
    #[arg(long, value_name = "FILE.safetensors|DIR")]
    pub out: PathBuf,
    /// Export the last 1 or 2 dense layers, for a microcontroller to go on training
    #[arg(long, value_name = "1|2", value_parser = clap::value_parser!(u8).range(1..=2), allow_negative_numbers = true,
          help_heading = "For firmware")]
    pub head: Option<u8>,
    /// The loss that the device goes on training with [default: the one that the network was trained with]
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
    /// The parameters: a safetensors file of PyTorch's layout; names and shapes of its tensors tell which network it is,
    /// and standardise.mean and standardise.deviation, where they are there, how its features are scaled.
    /// With --base, a slot read from a device's flash (or a head.bin)
    #[arg(long, value_name = "FILE")]
    pub checkpoint: PathBuf,
    /// The model to write, which this program evaluates without further options
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: PathBuf,
    /// The model whose head the device trained: what the slot does not hold is taken from it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["ages", "names"])]
    pub base: Option<PathBuf>,
    /// What the classes are, for a network of ages
    #[arg(long, value_name = "A..B", value_parser = super::images::ages, conflicts_with = "names")]
    pub ages: Option<Ages>,
    /// The names of the classes, in their order, or @FILE with one name a line; names that are all numbers are values
    #[arg(long, value_name = "NAMES|@FILE", value_parser = names)]
    pub names: Option<Names>,
}
