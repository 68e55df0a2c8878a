//! How classes relate: the one similarity option, from the command line to a checked matrix.
//!
//! | `--similarity` | `S[y, c]`, `y` being the true class | options |
//! |---|---|---|
//! | `none` | 1 for `c = y`, else 0: cross entropy | |
//! | `order` | `r^abs(y - c)` | `-r` |
//! | `circular` | `r^min(abs(y - c), C - abs(y - c))` | `-r` |
//! | `superclass` | `r` for two classes of one superclass, 0 for others | `-r`, `--superclasses FILE` |
//! | a file ([`matrix`]) | its entries; with `-l`: `max(0, (s - l) / (1 - l))` | `-l`, `--link`, `--aliases` |
//! | `vectors` ([`vectors`]) | `max(0, (s - l) / (1 - l))`, `s` being the cosine of two words | `-l`, `--link`, `--vectors FILE`, `--aliases` |
//!
//! With `--link exp` it is `exp(b (s - 1))` instead (`-b`), and with `--link hull` `s` is the level at which average linkage
//! joins the two classes ([`hull`]). For which of them SimLoss has a proper scoring rule, [`proper`] says.
//!
//! # Where to add one
//! A variant of [`Kind`], of [`Source`] and, if its rows are not stored, of [`AnySimilarity`].

pub mod describe;
pub mod hull;
pub mod matrix;
pub mod names;
mod npy;
pub mod proper;
pub mod spec;
pub mod superclasses;
pub mod vectors;

pub use crate::error::similarity::{DIAGONAL, MOST_CLASSES, Problem};
use crate::{
    Error,
    data::hex,
    error::place::InFile,
    similarity::spec::{Link, LossDescription, LossKind, Truth},
};
use matrix::Matrix;
use names::{Aliases, Unnamed, Wanted};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use simloss_core::{
    Label,
    similarity::{CircularTable, DenseTable, Identity, OrderTable, Similarity, Taxonomy, similarity},
};
use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

/// The reduction factors that are compared where none is given.
pub const REDUCTION_FACTORS: [f32; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];

/// The lower bounds that are compared where word vectors are given without one: the published ones.
pub const LOWER_BOUNDS: [f32; 11] = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99];

/// The steepness of `--link exp` where none is given.
pub const STEEPNESS: f32 = 1.0;

/// What `--link` names: how a measure becomes a similarity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkKind {
    /// What is above a lower bound.
    #[default]
    Threshold,
    /// An exponential.
    Exp,
    /// The tree of average linkage.
    Hull,
}

/// What `--similarity` names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Cross entropy.
    None,
    /// Classes in an order.
    Order,
    /// Classes in a circle.
    Circular,
    /// Classes in groups.
    Superclass,
    /// Cosines of word vectors.
    Vectors,
    /// A matrix in a file.
    File(PathBuf),
}

impl Kind {
    /// Its name on the command line and in records.
    pub fn name(&self) -> String {
        match self {
            Kind::None => "none".into(),
            Kind::Order => "order".into(),
            Kind::Circular => "circular".into(),
            Kind::Superclass => "superclass".into(),
            Kind::Vectors => "vectors".into(),
            Kind::File(path) => path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "none" => Kind::None,
            "order" => Kind::Order,
            "circular" => Kind::Circular,
            "superclass" => Kind::Superclass,
            "vectors" => Kind::Vectors,
            path => Kind::File(path.into()),
        })
    }
}

/// The options of a similarity, as given.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// Which.
    pub kind: Kind,
    /// Each `r` to build one with.
    pub reduction_factors: Vec<f32>,
    /// Each `l` to build one with.
    pub lower_bounds: Vec<f32>,
    /// How a measure becomes a similarity.
    pub link: LinkKind,
    /// Each `b` to build one with, for [`LinkKind::Exp`].
    pub steepness: Vec<f32>,
    /// The file with the superclass of each class.
    pub superclasses: Option<PathBuf>,
    /// The file of word vectors.
    pub vectors: Option<PathBuf>,
    /// The file of other words for classes. Without one, the classes of CIFAR-100 have the published words.
    pub aliases: Option<PathBuf>,
    /// What to do with classes that the similarity does not name.
    pub unnamed: Unnamed,
}

/// What a similarity is built from: all files read, `r` and `l` still open.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// Cross entropy.
    None,
    /// Classes in an order.
    Order,
    /// Classes in a circle.
    Circular,
    /// The superclass of each class.
    Superclass(Vec<u16>),
    /// A matrix from a file or of cosines, classes in their order.
    Matrix(Matrix),
}

/// A similarity between classes whose number is known at run time.
#[derive(Clone, Debug, PartialEq)]
pub enum AnySimilarity {
    /// The identity.
    None(Identity),
    /// A class order.
    Order(OrderTable<f32, Vec<f32>>),
    /// A circular order.
    Circular(CircularTable<f32, Vec<f32>>),
    /// A matrix.
    Dense(DenseTable<f32, Vec<f32>>),
}

impl Similarity<f32> for AnySimilarity {
    fn classes(&self) -> usize {
        match self {
            AnySimilarity::None(s) => Similarity::<f32>::classes(s),
            AnySimilarity::Order(s) => s.classes(),
            AnySimilarity::Circular(s) => s.classes(),
            AnySimilarity::Dense(s) => s.classes(),
        }
    }

    fn scratch(&self) -> usize {
        match self {
            AnySimilarity::None(s) => Similarity::<f32>::scratch(s),
            AnySimilarity::Order(s) => s.scratch(),
            AnySimilarity::Circular(s) => s.scratch(),
            AnySimilarity::Dense(s) => s.scratch(),
        }
    }

    #[inline]
    fn row<'a>(&'a self, y: Label, scratch: &'a mut [f32]) -> &'a [f32] {
        match self {
            AnySimilarity::None(s) => s.row(y, scratch),
            AnySimilarity::Order(s) => s.row(y, scratch),
            AnySimilarity::Circular(s) => s.row(y, scratch),
            AnySimilarity::Dense(s) => s.row(y, scratch),
        }
    }

    #[inline]
    fn stored(&self, y: Label, c: Label) -> f32 {
        match self {
            AnySimilarity::None(s) => s.stored(y, c),
            AnySimilarity::Order(s) => s.stored(y, c),
            AnySimilarity::Circular(s) => s.stored(y, c),
            AnySimilarity::Dense(s) => s.stored(y, c),
        }
    }
}

/// What a similarity is built with, beside its source.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Parameter {
    /// Nothing.
    None,
    /// `r`.
    Factor(f32),
    /// `l`.
    Bound(f32),
    /// `b`.
    Steepness(f32),
}

/// A similarity and what it was built from.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// For records.
    pub description: LossDescription,
    /// Ready for a loss.
    pub similarity: AnySimilarity,
}

impl Request {
    /// A similarity of this kind and no options.
    pub fn new(kind: Kind) -> Self {
        Request {
            kind,
            reduction_factors: vec![],
            lower_bounds: vec![],
            link: LinkKind::Threshold,
            steepness: vec![],
            superclasses: None,
            vectors: None,
            aliases: None,
            unnamed: Unnamed::Error,
        }
    }

    /// Refuses options that would have no effect, and combinations that lack one.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub fn check(&self) -> Result<(), Error> {
        let kind = self.kind.name();
        let no_effect = |option: &str, belongs: &str| {
            Err(Error::Usage(format!(
                "{option} has no effect with --similarity {kind}; it belongs to {belongs}. Leave it out, or choose \
                 another similarity"
            )))
        };
        let ordered = matches!(self.kind, Kind::Order | Kind::Circular | Kind::Superclass);
        if !self.reduction_factors.is_empty() && !ordered {
            return no_effect("-r, --reduction-factor", "order, circular and superclass");
        }
        if !self.lower_bounds.is_empty() && !matches!(self.kind, Kind::File(_) | Kind::Vectors) {
            return no_effect("-l, --lower-bound", "a similarity from a file");
        }
        let measured = matches!(self.kind, Kind::File(_) | Kind::Vectors);
        if self.link != LinkKind::Threshold && !measured {
            return no_effect("--link", "vectors and a similarity from a file");
        }
        if !self.steepness.is_empty() && self.link != LinkKind::Exp {
            return Err(Error::Usage("-b, --steepness belongs to --link exp; leave it out, or add that".into()));
        }
        if !self.lower_bounds.is_empty() && self.link == LinkKind::Exp {
            let none = "-l, --lower-bound has no effect with --link exp, which takes -b, --steepness; leave it out";
            return Err(Error::Usage(none.into()));
        }
        if self.superclasses.is_some() && self.kind != Kind::Superclass {
            return no_effect("--superclasses", "superclass");
        }
        if self.vectors.is_some() && self.kind != Kind::Vectors {
            return no_effect("--vectors", "vectors");
        }
        if self.aliases.is_some() && matches!(self.kind, Kind::None | Kind::Order | Kind::Circular) {
            return no_effect("--aliases", "superclass, vectors and a similarity from a file");
        }
        if self.kind == Kind::Vectors && self.vectors.is_none() {
            let needs = "--similarity vectors needs --vectors FILE, word vectors of word2vec or GloVe";
            return Err(Error::Usage(needs.into()));
        }
        Ok(())
    }

    /// With one value of the similarity's parameter where none is given: r = 0.8 of an order, 0.5 of superclasses,
    /// l = 0.5 of word vectors. What is given stays.
    pub fn with_one_value(mut self) -> Self {
        match (&self.kind, self.link) {
            (Kind::Order | Kind::Circular, _) if self.reduction_factors.is_empty() => self.reduction_factors.push(0.8),
            (Kind::Superclass, _) if self.reduction_factors.is_empty() => self.reduction_factors.push(0.5),
            (Kind::Vectors, LinkKind::Threshold) if self.lower_bounds.is_empty() => self.lower_bounds.push(0.5),
            _ => {}
        }
        self
    }

    /// As [`check`](Self::check), for a command that needs exactly one similarity.
    ///
    /// # Errors
    /// [`Error::Usage`].
    pub fn check_single(&self) -> Result<(), Error> {
        self.check()?;
        let kind = self.kind.name();
        let (r, l, b) = (&self.reduction_factors, &self.lower_bounds, &self.steepness);
        for (given, option) in [(r, "-r, --reduction-factor"), (l, "-l, --lower-bound"), (b, "-b, --steepness")] {
            if given.len() > 1 {
                return Err(Error::Usage(format!("give one {option}, not {}: one similarity is needed", given.len())));
            }
        }
        if r.is_empty() && matches!(self.kind, Kind::Order | Kind::Circular | Kind::Superclass) {
            return Err(Error::Usage(format!("--similarity {kind} needs -r, --reduction-factor, such as -r 0.5")));
        }
        if l.is_empty() && self.kind == Kind::Vectors && self.link == LinkKind::Threshold {
            return Err(Error::Usage(format!("--similarity {kind} needs -l, --lower-bound, such as -l 0.5")));
        }
        Ok(())
    }

    /// Reads the files. `classes` are the names of the classes, where the data say so, and `groups` their superclasses,
    /// for where no file says so; the order of classes is that of the result.
    ///
    /// # Errors
    /// As [`check`](Self::check); [`Error::Usage`] for superclasses that nothing gives; [`Error::File`],
    /// [`Error::Text`], [`Error::Similarity`].
    pub fn load(&self, classes: Option<&[String]>, groups: Option<&[u16]>) -> Result<Loaded, Error> {
        self.check()?;
        let mut notes = vec![];
        let aliases = match &self.aliases {
            Some(path) => Aliases::read(path)?,
            None => classes.and_then(Aliases::published_for).unwrap_or_default(),
        };
        let wanted = Wanted { classes, aliases: &aliases, unnamed: self.unnamed };
        let given = classes.map(<[String]>::to_vec);
        let (source, names) = match &self.kind {
            Kind::None => (Source::None, given),
            Kind::Order => (Source::Order, given),
            Kind::Circular => (Source::Circular, given),
            Kind::Superclass => match (&self.superclasses, groups) {
                (Some(path), _) => {
                    let (names, superclasses) = superclasses::read(path, &wanted)?;
                    (Source::Superclass(superclasses), Some(names))
                }
                (None, Some(groups)) => (Source::Superclass(groups.to_vec()), given),
                (None, None) => {
                    let needs = "--similarity superclass needs --superclasses FILE, a CSV file with the columns class \
                                 and superclass";
                    return Err(Error::Usage(needs.into()));
                }
            },
            Kind::Vectors => {
                let path = self.vectors.as_deref().unwrap_or(Path::new(""));
                let matrix = self.linked(path, vectors::matrix(path, &wanted)?)?;
                let names = matrix.names.clone();
                (Source::Matrix(matrix), names)
            }
            Kind::File(path) => {
                let measure = !self.lower_bounds.is_empty() || self.link != LinkKind::Threshold;
                let (matrix, said) = matrix::read(path, &wanted, measure)?;
                notes.extend(said);
                let matrix = self.linked(path, matrix)?;
                let names = matrix.names.clone();
                (Source::Matrix(matrix), names)
            }
        };
        if let Source::Superclass(groups) = &source {
            let count = groups.iter().collect::<HashSet<_>>().len();
            let problem = match count {
                1 => Some("all classes are of one superclass: all are equally similar"),
                _ if count == groups.len() => Some("every class has a superclass of its own: no two are similar"),
                _ => None,
            };
            notes.extend(problem.map(|problem| format!("the superclasses group nothing; {problem}")));
        }
        let kept: HashSet<&String> = names.iter().flatten().collect();
        let unnamed: Vec<String> =
            classes.unwrap_or(&[]).iter().filter(|class| !kept.contains(class)).cloned().collect();
        if !unnamed.is_empty() {
            let (n, listed) = (unnamed.len(), crate::error::place::list(&unnamed));
            notes.push(format!("left out {n} classes that the similarity does not name: {listed}"));
        }
        Ok(Loaded { source, names, unnamed, notes })
    }

    /// A matrix of measures from the file `path`, or that of their tree.
    fn linked(&self, path: &Path, matrix: Matrix) -> Result<Matrix, Error> {
        match self.link {
            LinkKind::Threshold | LinkKind::Exp => Ok(matrix),
            LinkKind::Hull => Ok(hull::of(path, matrix)?),
        }
    }

    /// Each parameter that is asked for: all given, else those of the published grids, and of a matrix none.
    fn parameters(&self) -> Vec<Parameter> {
        let all = |given: &[f32], usual: &[f32], of: fn(f32) -> Parameter| {
            let all = if given.is_empty() { usual } else { given };
            all.iter().map(|&x| of(x)).collect()
        };
        match (&self.kind, self.link) {
            (Kind::None, _) => vec![Parameter::None],
            (Kind::Order | Kind::Circular | Kind::Superclass, _) => {
                all(&self.reduction_factors, &REDUCTION_FACTORS, Parameter::Factor)
            }
            (Kind::File(_) | Kind::Vectors, LinkKind::Exp) => all(&self.steepness, &[STEEPNESS], Parameter::Steepness),
            (Kind::File(_) | Kind::Vectors, LinkKind::Hull) => all(&self.lower_bounds, &[0.0], Parameter::Bound),
            (Kind::Vectors, LinkKind::Threshold) => all(&self.lower_bounds, &LOWER_BOUNDS, Parameter::Bound),
            (Kind::File(_), LinkKind::Threshold) if self.lower_bounds.is_empty() => vec![Parameter::None],
            (Kind::File(_), LinkKind::Threshold) => all(&self.lower_bounds, &[], Parameter::Bound),
        }
    }

    /// Builds every similarity that is asked for, between `classes` classes.
    ///
    /// # Errors
    /// [`Error::Usage`] for too many classes or a parameter given twice, [`Error::Core`].
    pub fn candidates(&self, source: &Source, classes: usize) -> Result<Vec<Candidate>, Error> {
        if !(2..=MOST_CLASSES).contains(&classes) {
            return Err(Error::Usage(format!("there must be from 2 to {MOST_CLASSES} classes, not {classes}")));
        }
        let parameters = self.parameters();
        for (i, &parameter) in parameters.iter().enumerate() {
            let twice = match parameter {
                Parameter::None => continue,
                Parameter::Factor(r) => format!("-r {r}"),
                Parameter::Bound(l) => format!("-l {l}"),
                Parameter::Steepness(b) => format!("-b {b}"),
            };
            if parameters[..i].contains(&parameter) {
                return Err(Error::Usage(format!("{twice} is given twice")));
            }
        }
        parameters.into_iter().map(|parameter| self.candidate(source, classes, parameter)).collect()
    }

    fn candidate(&self, source: &Source, classes: usize, parameter: Parameter) -> Result<Candidate, Error> {
        let (r, l, b) = match parameter {
            Parameter::None => (None, None, None),
            Parameter::Factor(r) => (Some(r), None, None),
            Parameter::Bound(l) => (None, Some(l), None),
            Parameter::Steepness(b) => (None, None, Some(b)),
        };
        let similarity = built(source, classes, [r, l, b])?;
        let fingerprint = match source {
            Source::None => None,
            _ => Some(fingerprint(&similarity)?),
        };
        let description = LossDescription {
            loss: LossKind::SimLoss,
            similarity: self.kind.name(),
            link: match (self.link, b) {
                (LinkKind::Exp, Some(b)) => Link::Exp(decimal(b)),
                (LinkKind::Hull, _) => Link::Hull,
                _ => Link::Threshold,
            },
            reduction_factor: r.map(decimal),
            lower_bound: l.map(decimal),
            fingerprint,
            truth: Truth::Class,
        };
        Ok(Candidate { description, similarity })
    }
}

/// The similarity of a reduction factor, a lower bound or a steepness.
fn built(source: &Source, classes: usize, [r, l, b]: [Option<f32>; 3]) -> Result<AnySimilarity, Error> {
    let factor = r.unwrap_or(0.0);
    let dense = || vec![0.0f32; classes * classes];
    Ok(match source {
        Source::None => AnySimilarity::None(Identity::new(classes)?),
        Source::Order => AnySimilarity::Order(OrderTable::in_memory(vec![0.0; 2 * classes], classes, factor)?),
        Source::Circular => AnySimilarity::Circular(CircularTable::in_memory(vec![0.0; 2 * classes], classes, factor)?),
        Source::Superclass(superclasses) => {
            let taxonomy = superclasses::taxonomy(superclasses, factor)?;
            AnySimilarity::Dense(copy(&taxonomy, dense(), classes)?)
        }
        Source::Matrix(matrix) => {
            let entry = |row: usize, column: usize| matrix.entries[row * classes + column];
            AnySimilarity::Dense(match (l, b) {
                (None, None) => DenseTable::in_memory(dense(), classes, entry)?,
                (Some(l), _) => DenseTable::lower_bounded_in_memory(dense(), classes, entry, l)?,
                (None, Some(b)) => DenseTable::exponential_in_memory(dense(), classes, entry, b)?,
            })
        }
    })
}

/// The similarity that a loss was trained with, between so many classes.
///
/// # Errors
/// [`Error::Core`] for a matrix that is none; [`Error::Usage`] if the entries are not those of the loss.
pub(crate) fn rebuilt(source: &Source, classes: usize, loss: &LossDescription) -> Result<AnySimilarity, Error> {
    if let Source::Matrix(matrix) = source
        && matrix.entries.len() != classes * classes
    {
        let entries = matrix.entries.len();
        return Err(Error::Usage(format!(
            "the similarity has {entries} entries, not one for each two of {classes} classes"
        )));
    }
    let single = |x: Option<f64>| x.map(|x| x as f32);
    let steepness = match loss.link {
        Link::Exp(b) => Some(b as f32),
        Link::Threshold | Link::Hull => None,
    };
    let similarity = built(source, classes, [single(loss.reduction_factor), single(loss.lower_bound), steepness])?;
    match loss.fingerprint == Some(fingerprint(&similarity)?) {
        true => Ok(similarity),
        false => Err(Error::Usage(format!("the similarity that is kept is not that of {}", loss.options()))),
    }
}

/// What [`Request::load`] found.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// What to build similarities from.
    pub source: Source,
    /// The names of the classes, if anything gives them.
    pub names: Option<Vec<String>>,
    /// Classes that were asked for and are left out, because the similarity does not name them.
    pub unnamed: Vec<String>,
    /// What was accepted and should be said.
    pub notes: Vec<String>,
}

fn copy<P: AsRef<[u16]>, L: AsRef<[f32]>>(
    taxonomy: &Taxonomy<f32, P, L>,
    rows: Vec<f32>,
    classes: usize,
) -> Result<DenseTable<f32, Vec<f32>>, Error> {
    Ok(DenseTable::copy_in_memory(rows, taxonomy, &mut vec![0.0; classes])?)
}

/// The decimal number that a person wrote for `x`: 0.1, not 0.10000000149.
pub(crate) fn decimal(x: f32) -> f64 {
    x.to_string().parse().unwrap_or(f64::from(x))
}

/// Calls `f` with every row of `S`: the true class, and one stored entry per class.
pub(crate) fn each_row(s: &impl Similarity<f32>, mut f: impl FnMut(usize, &[f32])) -> Result<(), Error> {
    let classes = s.classes();
    let mut scratch = vec![0.0; s.scratch()];
    for y in 0..classes {
        f(y, s.row(Label::new(y, classes)?, &mut scratch));
    }
    Ok(())
}

/// Whether no two classes are similar: then SimLoss is cross entropy.
pub(crate) fn is_identity(s: &AnySimilarity) -> Result<bool, Error> {
    let mut none = true;
    each_row(s, |y, row| none &= row.iter().enumerate().all(|(c, &x)| c == y || similarity(x) == 0.0))?;
    Ok(none)
}

/// SHA-256 over the stored entries.
fn fingerprint(s: &impl Similarity<f32>) -> Result<String, Error> {
    let mut hash = Sha256::new();
    each_row(s, |_, row| row.iter().for_each(|x| hash.update(x.to_bits().to_le_bytes())))?;
    Ok(hex(&hash.finalize()))
}

/// Refuses names that are empty or stand twice.
fn distinct(path: &Path, names: &[String]) -> Result<(), InFile<Problem>> {
    let mut seen = HashSet::new();
    for name in names {
        if name.is_empty() {
            return Err(InFile::file(path, Problem::Unnamed));
        }
        if !seen.insert(name) {
            return Err(InFile::file(path, Problem::Twice(name.clone())));
        }
    }
    Ok(())
}
