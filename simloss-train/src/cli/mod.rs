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

/// Cross entropy that knows how classes relate: train, compare, inspect.
#[derive(Debug, Parser)]
#[command(
    name = "simloss",
    version,
    max_term_width = 100,
    styles = Styles::plain(),
    help_expected = true,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Without a command, `simloss` is `simloss demo`: it compares SimLoss with cross entropy on red wine \
                  quality and writes a report."
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
    /// Compare SimLoss with cross entropy on the quality of 1,599 red wines (in this program, no download)
    Demo(CompareArgs),
    /// Compare SimLoss with cross entropy on your own data
    #[command(subcommand)]
    Train(TrainCommand),
    /// Do the same with baselines and ten runs of each loss, going on with what the output folder holds; --list names
    /// the runs, to spread them over machines
    #[command(subcommand)]
    Sweep(TrainCommand),
    /// Report what is finished of a comparison, and train nothing
    Report(ReportCommand),
    /// Draw metrics of a published record against r, l or b, every loss a line
    Plot(PlotCommand),
    /// Write what a trained network says of samples without labels: the rows of a table, or images
    Predict(PredictCommand),
    /// Say everything that is wrong with a table or a folder of images, at once
    Check(CheckCommand),
    /// Judge a trained network on data, by every measure
    #[command(subcommand)]
    Eval(EvalCommand),
    /// Write the parameters of a model for PyTorch, or its head for a microcontroller
    Export(ExportCommand),
    /// Make a model of PyTorch's parameters, or of what a microcontroller has trained
    Import(ImportCommand),
    /// Build a similarity, check it, describe it and draw it as a heat map
    Similarity(SimilarityCommand),
}

/// Which data.
#[derive(Debug, Subcommand)]
pub enum TrainCommand {
    /// A CSV file with named columns: one of classes, the others of numbers
    Table(TableCommand),
    /// CIFAR-100, with the published network and protocol
    Cifar100(TrainCifar100Command),
    /// Faces with ages, with the published network and protocol
    Age(TrainAgeCommand),
    /// Images of your own, in class folders
    Folder(TrainFolderCommand),
}

/// `simloss report`.
#[derive(Debug, Args)]
pub struct ReportCommand {
    /// The output folder of the comparison; the report is written there
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
    /// The file to write every finished run to, as a JSON array, one line a run; lines of other comparisons stay
    #[arg(long, value_name = "FILE.json")]
    pub record: Option<PathBuf>,
    /// What the record calls the comparison and its similarity, such as glove [default: the name of the similarity]
    #[arg(long, value_name = "NAME", requires = "record")]
    pub called: Option<String>,
    /// The command that trained it again, where comparison.json is missing
    #[command(subcommand)]
    pub asked: Option<ReportedCommand>,
}

/// What a comparison was made by.
#[derive(Debug, Subcommand)]
pub enum ReportedCommand {
    /// Report a `simloss train` with these words
    #[command(subcommand)]
    Train(TrainCommand),
    /// Report a `simloss sweep` with these words
    #[command(subcommand)]
    Sweep(TrainCommand),
}

/// `simloss train table`.
#[derive(Debug, Args)]
pub struct TableCommand {
    /// The CSV file: a first row with the names of the columns, then one row a sample; commas, semicolons, tabs or bars
    #[arg(value_name = "FILE.csv")]
    pub file: PathBuf,
    /// The column of the classes: numbers, which are ordered as numbers, or names
    #[arg(long, value_name = "COLUMN")]
    pub label: String,
    /// The order of classes that are names, such as low,middle,high, or @FILE with one name a line; levels without samples
    /// count in distances. Names with commas stand in quotes
    #[arg(long, value_name = "NAMES|@FILE", value_parser = names)]
    pub order: Option<Names>,
    /// Columns to leave out
    #[arg(long, value_name = "COLUMNS", value_parser = table::list)]
    pub ignore: Vec<List>,
    /// Columns whose numbers are categories, such as codes: each becomes columns of 0 and 1, as text does by itself
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
    /// The number of classes, where neither a file nor --names says it; they are called 0, 1, 2, ...
    #[arg(long, value_name = "N", value_parser = classes, allow_negative_numbers = true, conflicts_with = "names")]
    pub classes: Option<usize>,
    /// The names of the classes, in their order, or @FILE with one name a line
    #[arg(long, value_name = "NAMES|@FILE", value_parser = names)]
    pub names: Option<Names>,
    /// What to do with classes that nothing names.
    #[command(flatten)]
    pub unnamed: UnnamedArgs,
    /// The folder to write similarity.csv and similarity.html to; files of these names are replaced
    #[arg(long, value_name = "DIR", default_value = "out/similarity", help_heading = "Output")]
    pub out: PathBuf,
}

/// The one similarity option, and what belongs to it.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Similarity")]
pub struct SimilarityArgs {
    /// How classes relate: none (cross entropy alone), order, circular, superclass, vectors (the cosines of word
    /// vectors), or a CSV or NPY file with a matrix, the TRUE class in the row, in CSV with or without names
    /// [default: order for classes in an order; to train on CIFAR-100 and on folders in folders superclass; else none]
    #[arg(long, value_name = "none|order|circular|superclass|vectors|FILE", value_parser = kind)]
    pub similarity: Option<Kind>,
    /// The reduction factor of order, circular and superclass: the similarity of neighbours (of classes of one
    /// superclass), at least 0 and below 1. Training compares several, separated by commas; without it, a table and a
    /// sweep 0.1, 0.2, ... 0.9, training on images one: 0.8, of superclasses 0.5
    #[arg(
        short = 'r', long, value_name = "R", value_delimiter = ',', value_parser = reduction_factor,
        allow_negative_numbers = true
    )]
    pub reduction_factor: Vec<f32>,
    /// The lower bound of a measure from a file or of word vectors, at least 0 and below 1: S = max(0, (s - l) / (1 - l)).
    /// Training compares several, separated by commas; without it, a file holds S itself, word vectors take 0.5, and of
    /// them a sweep compares the published 0, 0.1, ... 0.9, 0.99
    #[arg(
        short = 'l', long, value_name = "L", value_delimiter = ',', value_parser = lower_bound,
        allow_negative_numbers = true
    )]
    pub lower_bound: Vec<f32>,
    /// How a measure from a file or of word vectors becomes a similarity [default: threshold]
    #[arg(long, value_name = "WHICH")]
    pub link: Option<LinkArg>,
    /// The steepness of --link exp, above 0: S = exp(b (s - 1)). Training compares several, separated by commas
    /// [default: 1]
    #[arg(
        short = 'b', long, value_name = "B", value_delimiter = ',', value_parser = steepness,
        allow_negative_numbers = true
    )]
    pub steepness: Vec<f32>,
    /// The CSV file with the columns class and superclass that --similarity superclass needs, where the data give none
    #[arg(long, value_name = "FILE.csv")]
    pub superclasses: Option<PathBuf>,
    /// The word vectors that --similarity vectors needs: word2vec text, word2vec binary or GloVe text
    #[arg(long, value_name = "FILE")]
    pub vectors: Option<PathBuf>,
    /// A CSV file with the columns class and alias: what word vectors and matrices call classes. Without it, those of
    /// CIFAR-100 have the words of the published experiment (apples for apple, lawnmower for lawn_mower, ...)
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
    /// What is above the lower bound, as published: S = max(0, (s - l) / (1 - l))
    Threshold,
    /// S = exp(b (s - 1)); -b is the steepness
    Exp,
    /// As threshold, s being the level at which average linkage joins the two classes: the measure of a tree
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
    /// The losses to compare with cross entropy, separated by commas: simloss; proper (proper SimLoss: the same
    /// similarity, with probabilities that can be trusted); sord (cross entropy with soft labels of the similarity);
    /// smoothing (cross entropy with 0.1 of each label spread over all classes); emd (squared earth mover's distance, for
    /// classes in an order); or none. simloss, proper and sord are trained at each R (or L, or B). The loss of proper and
    /// emd is small: with an optimizer other than Adam its rate would have to be greater [default: simloss,proper; of a
    /// sweep all that fit]
    #[arg(long, value_name = "LIST|none", value_parser = losses)]
    pub losses: Option<Losses>,
    /// More losses, with numbers of their own, separated by commas: smoothing=EPS spreads the share EPS of each label over
    /// all classes, soft=R (or soft=L, where the similarity has a lower bound) all of it as the similarity says; or none.
    /// A sweep with --baselines and without --losses has no others but simloss and proper [default: none]
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
    /// Passes over the training samples, at most
    #[arg(long, value_name = "N", value_parser = epochs, allow_negative_numbers = true, default_value = "100")]
    pub epochs: usize,
    /// Samples per step
    #[arg(long, value_name = "N", value_parser = batch, allow_negative_numbers = true, default_value = "32")]
    pub batch: usize,
    /// Adam's learning rate
    #[arg(long, value_name = "X", value_parser = rate, allow_negative_numbers = true, default_value = "0.003")]
    pub rate: f32,
    /// Epochs without a better one on the validation samples before training stops, or none
    #[arg(long, value_name = "N|none", value_parser = patience, allow_negative_numbers = true, default_value = "20")]
    pub patience: Patience,
    /// Units of the one or two hidden layers
    #[arg(long, value_name = "N[,N]", value_parser = hidden, allow_negative_numbers = true, default_value = "64")]
    pub hidden: Hidden,
    /// What chooses the best epoch, on the validation samples [default: mae for classes in an order, else accuracy]
    #[arg(long, value_name = "WHAT")]
    pub selection: Option<SelectionArg>,
    /// The first seed: of the split, the first parameters and the order of samples
    #[arg(long, value_name = "SEED", allow_negative_numbers = true, default_value = "1")]
    pub seed: u64,
    /// Runs of each loss, with one seed after the other, the same for every loss [default: 10]
    #[arg(long, visible_alias = "runs", value_name = "N", value_parser = seeds, allow_negative_numbers = true)]
    pub seeds: Option<usize>,
    /// Runs at a time; changes no result [default: the number of processors]
    #[arg(long, value_name = "N", value_parser = threads, allow_negative_numbers = true)]
    pub threads: Option<usize>,
}

/// Where to write.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Output")]
pub struct OutArgs {
    /// The folder for records, models and the report [default: out/demo, which the demo replaces, or out/ and the name
    /// of the data]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Continue what the folder holds: finished runs are kept, unfinished ones go on to the same result
    #[arg(long)]
    pub resume: bool,
    /// Remove the runs that the folder holds, and start again
    #[arg(long, conflicts_with = "resume")]
    pub overwrite: bool,
    /// Train nothing, but print a command for each run that is not finished: a line for a shell, on any machine that sees
    /// the same files. Their order and number in parallel do not matter; `simloss report` makes the report of them
    #[arg(long)]
    pub list: bool,
    /// Train this run alone, as --list names it, and write no report
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
    /// The least mean absolute error of the most probable class
    Mae,
    /// The greatest accuracy
    Accuracy,
    /// The least loss that is trained with
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
    whole(text, "the samples per step", 1, 1_000_000)
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
