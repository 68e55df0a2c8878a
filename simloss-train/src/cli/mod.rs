//! The command line: what may be said, and what each word means.
//!
//! Values outside their domain are refused here, by the parser of the value, with a sentence that says what is allowed.
//! What only makes sense together is checked where it is used.

pub mod commands;
mod eval;
mod images;
mod plot;
pub(crate) mod table;
mod train;

pub use eval::{EvalArgs, EvalCommand, ExportCommand, ImportCommand, LossArg};
pub use images::{AgeArgs, Ages, CacheArgs, Cifar100Args, FolderArgs, UnnamedArg, UnnamedArgs};
pub use plot::PlotCommand;
pub use table::{CheckCommand, FormArgs, List, MissingArg, PredictCommand};
pub use train::{
    AugmentationArg, ImageCompareArgs, ImageTrainArgs, NetworkArg, TrainAgeCommand, TrainCifar100Command,
    TrainFolderCommand,
};

use crate::{
    run::record::Selection,
    similarity::{Kind, LinkKind, Request, names::Unnamed},
};
use clap::{Args, Parser, Subcommand, ValueEnum, builder::Styles};
use std::path::{Path, PathBuf};

/// Train classifiers with SimLoss and compare it with cross entropy
#[derive(Debug, Parser)]
#[command(
    name = "simloss",
    version,
    max_term_width = 100,
    styles = Styles::plain(),
    help_expected = true,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Without a command, `simloss` runs `simloss demo`."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The options of the demo, for `simloss` without a command.
    #[command(flatten)]
    pub demo: CompareArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the comparison on the built-in red wine data (1,599 samples)
    Demo(CompareArgs),
    /// Compare the losses on your data
    #[command(subcommand)]
    Train(TrainCommand),
    /// Run `train` with baselines and ten runs per loss, resuming earlier output
    #[command(subcommand)]
    Sweep(TrainCommand),
    /// Write a report on the finished runs, without training
    Report(ReportCommand),
    /// Plot metrics of a published record against r, l, or b, one line per loss
    Plot(PlotCommand),
    /// Predict samples without labels: rows of a table, or images
    Predict(PredictCommand),
    /// List everything that is wrong with a table or an image folder
    Check(CheckCommand),
    /// Evaluate a trained model
    #[command(subcommand)]
    Eval(EvalCommand),
    /// Export the parameters of a model to PyTorch, or its head to a microcontroller
    Export(ExportCommand),
    /// Import PyTorch parameters or a head fine-tuned on a device
    Import(ImportCommand),
    /// Build, check, and plot a similarity matrix
    Similarity(SimilarityCommand),
}

/// Which data.
#[derive(Debug, Subcommand)]
pub enum TrainCommand {
    /// CSV file with a label column and feature columns
    Table(TableCommand),
    /// CIFAR-100, published network and protocol
    Cifar100(TrainCifar100Command),
    /// Face images labeled with ages, published network and protocol
    Age(TrainAgeCommand),
    /// Your images, one folder per class
    Folder(TrainFolderCommand),
}

/// `simloss report`.
#[derive(Debug, Args)]
pub struct ReportCommand {
    /// Output directory of the comparison; the report is written there
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// JSON file for the finished runs, one line each; keeps other comparisons
    #[arg(long, value_name = "FILE.json")]
    pub record: Option<PathBuf>,
    /// Name of the comparison in the record, such as glove [default: the name of the similarity]
    #[arg(long = "name", alias = "called", value_name = "NAME", requires = "record")]
    pub called: Option<String>,
    /// The command that trained the runs, if comparison.json is missing
    #[command(subcommand)]
    pub asked: Option<ReportedCommand>,
}

/// What a comparison was made by.
#[derive(Debug, Subcommand)]
pub enum ReportedCommand {
    /// Report the runs of this `simloss train` command
    #[command(subcommand)]
    Train(TrainCommand),
    /// Report the runs of this `simloss sweep` command
    #[command(subcommand)]
    Sweep(TrainCommand),
}

/// `simloss train table`.
#[derive(Debug, Args)]
pub struct TableCommand {
    /// CSV file with column names in the first row; commas, semicolons, tabs, or bars
    #[arg(value_name = "FILE.csv")]
    pub file: PathBuf,
    /// Label column: numbers, which define an order, or names
    #[arg(long, value_name = "COLUMN")]
    pub label: String,
    /// Order of named classes, such as low,middle,high, or @FILE with one name per line; levels without samples count in
    /// distances. Put names with commas in quotes
    #[arg(long, value_name = "NAMES|@FILE", value_parser = names)]
    pub order: Option<Names>,
    /// Columns to ignore
    #[arg(long, value_name = "COLUMNS", value_parser = table::list)]
    pub ignore: Vec<List>,
    /// Numeric columns that hold categories, such as codes: each becomes columns of 0 and 1, as text columns do
    #[arg(long, value_name = "COLUMNS", value_parser = table::list)]
    pub categories: Vec<List>,
    /// How the file is written.
    #[command(flatten)]
    pub form: FormArgs,
    /// How to compare.
    #[command(flatten)]
    pub compare: CompareArgs,
}

/// The options of every comparison.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The similarity.
    #[command(flatten)]
    pub similarity: SimilarityArgs,
    /// The losses.
    #[command(flatten)]
    pub losses: LossArgs,
    /// The training.
    #[command(flatten)]
    pub train: TrainArgs,
    /// The output.
    #[command(flatten)]
    pub out: OutArgs,
}

/// `simloss similarity`.
#[derive(Debug, Args)]
pub struct SimilarityCommand {
    /// Which similarity.
    #[command(flatten)]
    pub similarity: SimilarityArgs,
    /// Number of classes, named 0, 1, 2, ..., if neither a file nor --names defines them
    #[arg(long, value_name = "N", value_parser = classes, allow_negative_numbers = true, conflicts_with = "names")]
    pub classes: Option<usize>,
    /// Class names in order, or @FILE with one name per line
    #[arg(long, value_name = "NAMES|@FILE", value_parser = names)]
    pub names: Option<Names>,
    /// What to do with classes that nothing names.
    #[command(flatten)]
    pub unnamed: UnnamedArgs,
    /// Directory for similarity.csv and similarity.html; replaces files of these names
    #[arg(long, value_name = "DIR", default_value = "out/similarity", help_heading = "Output")]
    pub out: PathBuf,
}

/// The one similarity option, and what belongs to it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Similarity")]
pub struct SimilarityArgs {
    /// Class similarity: none (cross entropy only), order, circular, superclass, vectors (cosines of word vectors), or a
    /// CSV or NPY matrix with true classes in rows [default: order for ordered classes, superclass for CIFAR-100 and
    /// nested folders, otherwise none]
    #[arg(long, value_name = "none|order|circular|superclass|vectors|FILE", value_parser = kind)]
    pub similarity: Option<Kind>,
    /// Similarity of neighboring classes, or within a superclass, 0 <= R < 1; a list when training [default: 0.1, 0.2,
    /// ..., 0.9; `train` on images: 0.8, superclasses 0.5]
    #[arg(
        short = 'r', long, value_name = "R", value_delimiter = ',', value_parser = reduction_factor,
        allow_negative_numbers = true
    )]
    pub reduction_factor: Vec<f32>,
    /// Lower bound of similarities s from a file or word vectors, 0 <= L < 1: S = max(0, (s - L) / (1 - L)); a list when
    /// training [default: a file holds S itself; vectors use 0.5, sweep: 0, 0.1, ..., 0.9, 0.99]
    #[arg(
        short = 'l', long, value_name = "L", value_delimiter = ',', value_parser = lower_bound,
        allow_negative_numbers = true
    )]
    pub lower_bound: Vec<f32>,
    /// How values from a file or word vectors become similarities [default: threshold]
    #[arg(long, value_name = "WHICH")]
    pub link: Option<LinkArg>,
    /// Steepness of --link exp, above 0: S = exp(B (s - 1)); a list when training [default: 1]
    #[arg(
        short = 'b', long, value_name = "B", value_delimiter = ',', value_parser = steepness,
        allow_negative_numbers = true
    )]
    pub steepness: Vec<f32>,
    /// CSV file with columns class and superclass, if the data have none
    #[arg(long, value_name = "FILE.csv")]
    pub superclasses: Option<PathBuf>,
    /// Word vectors for --similarity vectors: word2vec (text or binary) or GloVe text
    #[arg(long, value_name = "FILE")]
    pub vectors: Option<PathBuf>,
    /// CSV file with columns class and alias: the names that word vectors or matrices use [default for CIFAR-100: the
    /// published names]
    #[arg(long, value_name = "FILE.csv")]
    pub aliases: Option<PathBuf>,
}

impl SimilarityArgs {
    /// Whether any of these options is there.
    pub const fn is_given(&self) -> bool {
        let Self { similarity, reduction_factor, lower_bound, link, steepness, superclasses, vectors, aliases } = self;
        let files = superclasses.is_some() || vectors.is_some() || aliases.is_some();
        let numbers = !reduction_factor.is_empty() || !lower_bound.is_empty() || !steepness.is_empty();
        similarity.is_some() || numbers || link.is_some() || files
    }

    /// The files that these options name.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let matrix = match &self.similarity {
            Some(Kind::File(path)) => Some(path),
            _ => None,
        };
        [matrix, self.superclasses.as_ref(), self.vectors.as_ref(), self.aliases.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
    }

    /// As the rest of the program knows it; `default` is the similarity where none is given.
    pub fn request(self, default: Kind) -> Request {
        Request {
            kind: self.similarity.unwrap_or(default),
            reduction_factors: self.reduction_factor,
            lower_bounds: self.lower_bound,
            link: self.link.map_or(LinkKind::Threshold, Into::into),
            steepness: self.steepness,
            superclasses: self.superclasses,
            vectors: self.vectors,
            aliases: self.aliases,
            unnamed: Unnamed::Error,
        }
    }
}

/// [`LinkKind`], on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LinkArg {
    /// The part above the lower bound, as published: S = max(0, (s - L) / (1 - L))
    Threshold,
    /// S = exp(B (s - 1)); -b sets the steepness
    Exp,
    /// Threshold on the ultrametric hull: s is the level at which average linkage joins two classes
    Hull,
}

impl From<LinkArg> for LinkKind {
    fn from(link: LinkArg) -> Self {
        match link {
            LinkArg::Threshold => LinkKind::Threshold,
            LinkArg::Exp => LinkKind::Exp,
            LinkArg::Hull => LinkKind::Hull,
        }
    }
}

/// What to compare.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Losses")]
pub struct LossArgs {
    /// Losses to compare with cross entropy: simloss, proper (proper SimLoss: the same similarity, a proper scoring rule),
    /// sord (cross entropy with soft labels from the similarity), smoothing (label smoothing 0.1), emd (squared earth
    /// mover's distance, ordered classes only), or none. simloss, proper, and sord train once per R, L, or B [default:
    /// simloss,proper; sweep: all that fit]
    #[arg(long, value_name = "LIST|none", value_parser = losses)]
    pub losses: Option<Losses>,
    /// Cross-entropy baselines: smoothing=EPS (label smoothing), soft=R or soft=L (soft labels from the similarity), or
    /// none. A sweep with --baselines but without --losses trains simloss and proper beside them [default: none]
    #[arg(long, value_name = "LIST|none", value_parser = baselines)]
    pub baselines: Option<Baselines>,
}

/// A loss, as `--losses` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossName {
    /// SimLoss.
    SimLoss,
    /// Proper SimLoss.
    Proper,
    /// Cross entropy with soft labels.
    Sord,
    /// Cross entropy with label smoothing.
    Smoothing,
    /// Squared earth mover's distance.
    Emd,
}

impl LossName {
    /// All, in the order of a comparison.
    pub const ALL: [LossName; 5] =
        [LossName::SimLoss, LossName::Proper, LossName::Sord, LossName::Smoothing, LossName::Emd];

    /// As the option says it.
    pub const fn name(self) -> &'static str {
        match self {
            LossName::SimLoss => "simloss",
            LossName::Proper => "proper",
            LossName::Sord => "sord",
            LossName::Smoothing => "smoothing",
            LossName::Emd => "emd",
        }
    }
}

/// Losses, in the order given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses(pub Vec<LossName>);

/// Baselines, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baselines(pub Vec<Baseline>);

/// Cross entropy with another truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Baseline {
    /// Label smoothing with this share.
    Smoothing(f32),
    /// Soft labels of the similarity with this `r` or `l`.
    Soft(f32),
}

/// How to train.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Training")]
pub struct TrainArgs {
    /// Maximum number of epochs
    #[arg(long, value_name = "N", value_parser = epochs, allow_negative_numbers = true, default_value = "100")]
    pub epochs: usize,
    /// Samples per step
    #[arg(long = "batch-size", alias = "batch", value_name = "N", value_parser = batch, allow_negative_numbers = true, default_value = "32")]
    pub batch: usize,
    /// Adam's learning rate
    #[arg(long = "learning-rate", alias = "rate", value_name = "X", value_parser = rate, allow_negative_numbers = true, default_value = "0.003")]
    pub rate: f32,
    /// Stop after N epochs without improvement on the validation set, or none
    #[arg(long, value_name = "N|none", value_parser = patience, allow_negative_numbers = true, default_value = "20")]
    pub patience: Patience,
    /// Sizes of one or two hidden layers
    #[arg(long, value_name = "N[,N]", value_parser = hidden, allow_negative_numbers = true, default_value = "64")]
    pub hidden: Hidden,
    /// Validation metric that selects the best epoch [default: mae for ordered classes, otherwise accuracy]
    #[arg(long, value_name = "WHAT")]
    pub selection: Option<SelectionArg>,
    /// First seed, for the split, initial weights, and sample order
    #[arg(long, value_name = "SEED", allow_negative_numbers = true, default_value = "1")]
    pub seed: u64,
    /// Runs per loss, with consecutive seeds [default: 10]
    #[arg(long, visible_alias = "runs", value_name = "N", value_parser = seeds, allow_negative_numbers = true)]
    pub seeds: Option<usize>,
    /// Parallel runs; results do not change [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub threads: Option<usize>,
}

/// Where to write.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutArgs {
    /// Output directory [default: out/NAME; the demo overwrites out/demo]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Continue the unfinished runs in the output directory
    #[arg(long)]
    pub resume: bool,
    /// Delete the runs in the output directory and start over
    #[arg(long, conflicts_with = "resume")]
    pub overwrite: bool,
    /// Print one shell command per unfinished run instead of training; run them in any order, on any machine that shares
    /// the directory, then run `simloss report`
    #[arg(long)]
    pub list: bool,
    /// Train only this run, as named by --list; write no report
    #[arg(long, value_name = "RUN", conflicts_with_all = ["list", "overwrite"])]
    pub only: Option<String>,
}

/// Names of classes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// As they stand on the command line.
    Given(Vec<String>),
    /// The lines of a file.
    File(PathBuf),
}

/// Epochs of patience, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience(pub Option<usize>);

/// Units of the hidden layers, one or two numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden(pub Vec<usize>);

/// [`Selection`], on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SelectionArg {
    /// Lowest MAE of the argmax
    Mae,
    /// Highest accuracy
    Accuracy,
    /// Lowest validation loss
    Loss,
}

impl From<SelectionArg> for Selection {
    fn from(selection: SelectionArg) -> Self {
        match selection {
            SelectionArg::Mae => Selection::Mae,
            SelectionArg::Accuracy => Selection::Accuracy,
            SelectionArg::Loss => Selection::Loss,
        }
    }
}

/// A whole number in a range, or a sentence.
fn whole(text: &str, what: &str, least: usize, most: usize) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(n) if (least..=most).contains(&n) => Ok(n),
        _ => Err(format!("{what} must be a whole number from {least} to {most}")),
    }
}

fn losses(text: &str) -> Result<Losses, String> {
    if text == "none" {
        return Ok(Losses::default());
    }
    let one = |text: &str| {
        let found = LossName::ALL.into_iter().find(|loss| loss.name() == text);
        found.ok_or("the losses must be of simloss, proper, sord, smoothing and emd, separated by commas, or none")
    };
    let all = text.split(',').map(one).collect::<Result<Vec<_>, _>>()?;
    match all.iter().enumerate().find(|(i, loss)| all[..*i].contains(loss)) {
        Some((_, twice)) => Err(format!("{} is given twice", twice.name())),
        None => Ok(Losses(all)),
    }
}

fn baselines(text: &str) -> Result<Baselines, String> {
    if text == "none" {
        return Ok(Baselines::default());
    }
    let one = |text: &str| match text.split_once('=') {
        Some(("smoothing", share)) => {
            let sentence = "the share of label smoothing must be a number above 0 and below 1";
            below_one(share, sentence)
                .and_then(|x| if x > 0.0 { Ok(Baseline::Smoothing(x)) } else { Err(sentence.into()) })
        }
        Some(("soft", bound)) => {
            below_one(bound, "the r or l of soft labels must be a number at least 0 and below 1").map(Baseline::Soft)
        }
        _ => Err("the baselines must be smoothing=EPS and soft=R, separated by commas, or none".to_owned()),
    };
    let all = text.split(',').map(one).collect::<Result<Vec<_>, _>>()?;
    match all.iter().enumerate().find(|(i, baseline)| all[..*i].contains(baseline)) {
        Some(_) => Err("a baseline is given twice".into()),
        None => Ok(Baselines(all)),
    }
}

fn epochs(text: &str) -> Result<usize, String> {
    whole(text, "the number of epochs", 1, 1_000_000)
}

fn batch(text: &str) -> Result<usize, String> {
    whole(text, "the batch size", 1, 1_000_000)
}

fn seeds(text: &str) -> Result<usize, String> {
    whole(text, "the number of seeds", 1, 1000)
}

fn threads(text: &str) -> Result<usize, String> {
    whole(text, "the number of threads", 1, 1024)
}

fn classes(text: &str) -> Result<usize, String> {
    whole(text, "the number of classes", 2, crate::similarity::MOST_CLASSES)
}

fn names(text: &str) -> Result<Names, String> {
    Ok(match text.strip_prefix('@') {
        Some(path) => Names::File(path.into()),
        None => Names::Given(table::list(text)?.0),
    })
}

fn hidden(text: &str) -> Result<Hidden, String> {
    let sizes: Result<Vec<usize>, String> = text.split(',').map(|size| whole(size, "", 1, 4096)).collect();
    match sizes {
        Ok(sizes) if sizes.len() <= 2 => Ok(Hidden(sizes)),
        _ => Err("the hidden layers must be one or two whole numbers from 1 to 4096, such as 64 or 64,32".into()),
    }
}

fn patience(text: &str) -> Result<Patience, String> {
    match text {
        "none" => Ok(Patience(None)),
        _ => match whole(text, "", 1, 1_000_000) {
            Ok(n) => Ok(Patience(Some(n))),
            Err(_) => Err("the patience must be a whole number from 1 to 1000000, or none".into()),
        },
    }
}

fn rate(text: &str) -> Result<f32, String> {
    match text.trim().parse::<f32>() {
        Ok(x) if x > 0.0 && x.is_finite() => Ok(x),
        _ => Err("the learning rate must be a number above 0, such as 0.001".into()),
    }
}

/// A number in [0, 1), also after rounding to 32 bits.
fn below_one(text: &str, sentence: &str) -> Result<f32, String> {
    match text.trim().parse::<f32>() {
        Ok(x) if (0.0..1.0).contains(&x) => Ok(x),
        _ => Err(sentence.into()),
    }
}

fn reduction_factor(text: &str) -> Result<f32, String> {
    below_one(text, "the reduction factor r must be a number at least 0 and below 1 (0 is cross entropy)")
}

fn lower_bound(text: &str) -> Result<f32, String> {
    below_one(text, "the lower bound l must be a number at least 0 and below 1")
}

fn steepness(text: &str) -> Result<f32, String> {
    match text.trim().parse::<f32>() {
        Ok(x) if x > 0.0 && x.is_finite() => Ok(x),
        _ => Err("the steepness b must be a number above 0, such as 1".into()),
    }
}

fn kind(text: &str) -> Result<Kind, String> {
    if text.is_empty() {
        return Err("the similarity must be none, order, circular, superclass, vectors, or the name of a file".into());
    }
    text.parse().map_err(|never| match never {})
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_and_explained() {
        Cli::command().debug_assert();
    }

    #[test]
    fn old_names_of_options_are_understood() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).map(|cli| format!("{cli:?}"));
        for (new, old) in [
            ("simloss --learning-rate 0.1 --batch-size 8", "simloss --rate 0.1 --batch 8"),
            ("simloss train age d --learning-rate 0.1 --batch-size 8", "simloss train age d --rate 0.1 --batch 8"),
            ("simloss report d --record r --name n", "simloss report d --record r --called n"),
            ("simloss train folder d --missing-classes drop", "simloss train folder d --unnamed drop"),
        ] {
            let [new, old] = [new, old].map(parse);
            assert!(new.is_ok(), "{new:?}");
            assert_eq!(new.ok(), old.ok());
        }
    }

    #[test]
    fn domains() {
        for text in ["1", "1.5", "-0.1", "NaN", "inf", "x", "", "0.99999999999"] {
            assert!(reduction_factor(text).is_err() && lower_bound(text).is_err(), "{text}");
        }
        assert_eq!((reduction_factor("0"), reduction_factor("0.9")), (Ok(0.0), Ok(0.9)));
        for text in ["0", "-1", "1.5", "NaN", "1000001", ""] {
            assert!(epochs(text).is_err() && batch(text).is_err() && patience(text).is_err(), "{text}");
        }
        assert_eq!((epochs("1"), patience("none"), patience("3")), (Ok(1), Ok(Patience(None)), Ok(Patience(Some(3)))));
        for text in ["0", "-1", "NaN", "inf", "1e-60"] {
            assert!(rate(text).is_err(), "{text}");
        }
        for text in ["", "soft", "soft=1", "smoothing=0", "smoothing=1", "soft=0.1,", "soft=0.1,soft=.1", "none,none"] {
            assert!(baselines(text).is_err(), "{text}");
        }
        assert_eq!(baselines("none"), Ok(Baselines::default()));
        for text in ["", "cce", "simloss,", "proper,proper", "none,emd", "Emd"] {
            assert!(losses(text).is_err(), "{text}");
        }
        assert!(losses("emd,sord,emd").is_err_and(|e| e == "emd is given twice"));
        assert_eq!(losses("none"), Ok(Losses::default()));
        assert_eq!(losses("emd,simloss"), Ok(Losses(vec![LossName::Emd, LossName::SimLoss])));
        for text in ["0", "-1", "NaN", "inf", ""] {
            assert!(steepness(text).is_err_and(|e| e.contains("above 0")), "{text}");
        }
        assert_eq!(steepness("2.5"), Ok(2.5));
        let both = vec![Baseline::Smoothing(0.1), Baseline::Soft(0.0)];
        assert_eq!(baselines("smoothing=0.1,soft=0"), Ok(Baselines(both)));
    }
}
