//! Networks for microcontrollers: what a firmware includes, and what comes back from it.
//!
//! The head is the last one or two dense layers of a network, the part that a device tunes. It travels as one
//! [checkpoint](simloss_core::device::checkpoint), the same bytes that the core's flash slots hold, so what is exported, saved on
//! the device and imported again is compared by one header and one checksum. What lies before it is [`Frozen`].

mod front;
mod frozen;

pub use frozen::{Frozen, features};

use crate::{
    Error,
    compute::{loss::AnyLoss, network::Kind},
    data::Standardiser,
    error::Expected,
    similarity::{
        AnySimilarity, Candidate, Source,
        proper::AnyProper,
        spec::{Link, LossDescription, LossKind, Truth},
        superclasses,
    },
};
use simloss_core::{
    device::{
        Budget,
        checkpoint::{HEADER, Header, decode, encode, fingerprint},
    },
    layers::{Dense, Layer, Shape},
    loss::{Loss, Scratch},
    similarity::Similarity,
};
use std::{
    fmt::Write,
    path::{Path, PathBuf},
};

pub(crate) const SLOT: Expected = Expected::new(
    "a slot of this head",
    "give the bytes of one slot as the device holds them, and the model that its head was exported from",
);

/// The file of parameters that an export writes.
pub const BLOB: &str = "head.bin";
/// The Rust module that includes it.
pub const MODULE: &str = "head.rs";
/// What all of it takes on each target.
pub const SIZES: &str = "sizes.txt";

/// The loss that a head goes on learning with.
#[derive(Clone, Debug)]
pub struct HeadLoss<'a> {
    description: &'a LossDescription,
    source: &'a Source,
    similarity: &'a AnySimilarity,
    scratch: Scratch,
}

impl<'a> HeadLoss<'a> {
    /// The loss of a candidate that was built from `source`, by the formula that its description says.
    ///
    /// # Errors
    /// [`Error::Usage`] for proper SimLoss of a circular order or a matrix: the check that it is proper needs `classes^2`
    /// numbers of 64 bits whenever the device starts, which is twice the matrix. [`Error::Core`] for no similarity at all.
    pub fn of(candidate: &'a Candidate, source: &'a Source) -> Result<Self, Error> {
        let Candidate { description, similarity } = candidate;
        let classes = similarity.classes();
        let loss = match (description.loss, description.truth) {
            (LossKind::Emd, _) => AnyLoss::squared_emd(classes)?,
            (LossKind::Proper, _) if AnyProper::is_checked(source) => {
                return Err(Error::Usage(format!(
                    "proper SimLoss of {} cannot be exported: whenever it starts, the device would have to check that it \
                     is proper, in {classes} x {classes} numbers of 64 bits; train with --similarity order or superclass, \
                     or export with --loss simloss or --loss cross-entropy",
                    description.similarity
                )));
            }
            (LossKind::Proper, _) => AnyLoss::proper(AnyProper::of(source, candidate)?)?,
            (LossKind::SimLoss, Truth::Class) if *source != Source::None => AnyLoss::simloss(similarity.clone()),
            (LossKind::SimLoss, _) => AnyLoss::cross_entropy(classes)?,
        };
        Ok(HeadLoss { description, source, similarity, scratch: loss.scratch::<f32>() })
    }

    /// Numbers that its table takes on the device.
    pub fn table(&self) -> usize {
        let classes = self.similarity.classes();
        match (self.source, self.description.loss) {
            (Source::None, _) | (_, LossKind::Emd) | (Source::Superclass(_), LossKind::Proper) => 0,
            (Source::Order | Source::Circular, _) => 2 * classes - 1,
            (Source::Superclass(_) | Source::Matrix(_), _) => classes * classes,
        }
    }

    /// What a step needs with it, for a head of this shape: more than cross entropy's, where the loss works in memory of its
    /// own, or where labels are more than a class.
    fn budget(&self, shape: Shape) -> Budget {
        let budget = Budget::new(shape);
        let budget = match self.description.truth {
            Truth::Class => budget,
            Truth::Smoothed(_) | Truth::Soft => budget.with_soft_targets(self.similarity.classes()),
        };
        budget.with_loss_values(self.scratch.values).with_row_scratch(self.scratch.scalars)
    }

    /// Its classes.
    fn similarity_classes(&self) -> usize {
        self.similarity.classes()
    }

    /// How records of binaries call it.
    fn measured(&self) -> &'static str {
        match (self.description.loss, self.description.truth, self.source) {
            (LossKind::Emd, ..) => "emd",
            (LossKind::Proper, _, Source::Superclass(_)) => "proper-superclass",
            (LossKind::Proper, ..) => "proper-order",
            (LossKind::SimLoss, Truth::Soft | Truth::Smoothed(_), _) | (.., Source::None) => "cce",
            (.., Source::Order | Source::Circular) => "simloss-order",
            (.., Source::Superclass(_) | Source::Matrix(_)) => "simloss-dense",
        }
    }

    /// The function that makes it, and what belongs to that.
    fn text(&self) -> String {
        let HeadLoss { description, source, .. } = *self;
        let (table, classes) = (self.table(), self.similarity.classes());
        let [r, l] = [description.reduction_factor, description.lower_bound].map(|x| x.map(|x| x as f32));
        let made = |kind: &str, constructor: &str, rest: &str| {
            format!("::simloss_core::similarity::{kind}::{constructor}(table, CLASSES, {rest})?")
        };
        let entries = |numbers: &[f32]| statics(numbers);
        let entry = "|i, j| T::from_f32(S[i * CLASSES + j])";
        let factor = format!("T::from_f32({:?})", r.unwrap_or(0.0));
        // What comes before the similarity, and the similarity.
        let (before, made) = match source {
            Source::None => (String::new(), String::new()),
            Source::Order => (String::new(), made("OrderTable", "in_memory", &factor)),
            Source::Circular => (String::new(), made("CircularTable", "in_memory", &factor)),
            Source::Superclass(groups) if description.loss == LossKind::Proper => {
                let parents = superclasses::parents(groups);
                let list: Vec<String> = parents.iter().map(u16::to_string).collect();
                let parents = format!("    static PARENTS: [u16; {}] = [{}];\n", parents.len(), list.join(", "));
                let levels = format!("[T::ONE, {factor}, T::ZERO]");
                (parents, format!("::simloss_core::similarity::Taxonomy::new(&PARENTS[..], {levels}, CLASSES)?"))
            }
            Source::Superclass(groups) => {
                let s = |i: usize, j: usize| match (i == j, groups[i] == groups[j]) {
                    (true, _) => 1.0,
                    (_, true) => r.unwrap_or(0.0),
                    _ => 0.0,
                };
                let s: Vec<f32> = (0..classes * classes).map(|k| s(k / classes, k % classes)).collect();
                (entries(&s), made("DenseTable", "in_memory", entry))
            }
            Source::Matrix(matrix) => {
                let made = match (description.link, l) {
                    (Link::Exp(b), _) => {
                        let rest = format!("{entry}, T::from_f32({:?})", b as f32);
                        made("DenseTable", "exponential_in_memory", &rest)
                    }
                    (_, None) => made("DenseTable", "in_memory", entry),
                    (_, Some(l)) => {
                        let rest = format!("{entry}, T::from_f32({l:?})");
                        made("DenseTable", "lower_bounded_in_memory", &rest)
                    }
                };
                (entries(&matrix.entries), made)
            }
        };
        let head = |name: &str, used: bool, returned: &str| {
            let table = if used { "table" } else { "_table" };
            format!(
                "pub fn {name}<T: ::simloss_core::number::Scalar>(\n    {table}: &mut [T],\n) -> Result<impl {returned} + \
                 '_, ::simloss_core::Error> {{\n"
            )
        };
        let loss = |body: &str| {
            let used = table > 0 && description.truth == Truth::Class;
            let doc = "/// The loss, its table in `table`, of [`TABLE`] numbers.\n";
            format!("{doc}{}{body}\n}}\n", head("loss", used, "::simloss_core::loss::Loss<T>"))
        };
        let cross_entropy = "    ::simloss_core::loss::CrossEntropy::new(CLASSES)";
        let table = format!("/// Numbers that the table of the loss takes.\npub const TABLE: usize = {table};\n\n");
        table
            + &match (description.loss, description.truth) {
                (LossKind::Emd, _) => loss("    ::simloss_core::loss::SquaredEmd::new(CLASSES)"),
                (LossKind::SimLoss, Truth::Smoothed(share)) => {
                    let smoothing = "/// The head was trained with label smoothing: give this to \
                                     `loss::Criterion::with_label_smoothing`.\npub const LABEL_SMOOTHING: f32 = ";
                    format!("{smoothing}{:?};\n\n{}", share as f32, loss(cross_entropy))
                }
                (LossKind::SimLoss, Truth::Soft) => {
                    let doc = "/// The head was trained with soft labels of this similarity: `loss::soft_label_into` makes \
                               them, and\n/// `loss::Targets::soft` takes them. Its table in `table`, of [`TABLE`] \
                               numbers.\n";
                    let head = head("similarity", true, "::simloss_core::similarity::Similarity<T>");
                    format!("{}\n{doc}{head}{before}    {}\n}}\n", loss(cross_entropy), made.trim_end_matches('?'))
                }
                _ if *source == Source::None => loss(cross_entropy),
                (LossKind::SimLoss, Truth::Class) => {
                    loss(&format!("{before}    let s = {made};\n    Ok(::simloss_core::loss::SimLoss::new(s))"))
                }
                (LossKind::Proper, _) => {
                    loss(&format!("{before}    let s = {made};\n    Ok(::simloss_core::loss::ProperSimLoss::new(s))"))
                }
            }
    }
}

/// Numbers as a static named `S`.
fn statics(numbers: &[f32]) -> String {
    let list: Vec<String> = numbers.iter().map(|x| format!("{x:?}")).collect();
    format!("    static S: [f32; {}] = [{}];\n", numbers.len(), list.join(", "))
}

/// Which layers are the head: the sizes of what lies before, between and behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Features of the head, hidden units if it has two layers, classes.
    pub widths: Vec<usize>,
    /// Parameters of the network before the head's.
    pub before: usize,
    /// Of what it belongs to: [`of_base`](Self::of_base). 0 where nothing was said.
    pub fingerprint: u64,
    shape: Shape,
}

impl Head {
    /// The last `layers` (1 or 2) dense layers of a network.
    ///
    /// # Errors
    /// [`Error::Usage`] for a number of layers that is not 1 or 2, or more than the network's dense layers.
    ///
    /// ```
    /// use simloss_train::{compute::network::Kind, model::firmware::Head};
    /// let network = Kind::Table { inputs: 11, hidden: vec![32], classes: 6 };
    /// assert_eq!(Head::of(&network, 1)?.widths, [32, 6]);
    /// assert_eq!(Head::of(&network, 2)?.widths, [11, 32, 6]);
    /// assert!(Head::of(&network, 3).is_err());
    /// # Ok::<(), simloss_train::Error>(())
    /// ```
    pub fn of(network: &Kind, layers: usize) -> Result<Self, Error> {
        let tensors = network.tensors();
        let dense: Vec<[usize; 2]> = tensors
            .iter()
            .filter(|t| t.name.starts_with("dense"))
            .filter_map(|t| t.shape[..].try_into().ok())
            .collect();
        let Some(last) = dense.len().checked_sub(layers).and_then(|first| dense.get(first..)) else {
            return Err(Error::Usage(format!("--head {layers}: the network has {} dense layers", dense.len())));
        };
        let (mut widths, shape) = match *last {
            [[outputs, inputs]] => (vec![inputs], Dense::new(inputs, outputs).dense_shape()),
            [[hidden, inputs], [outputs, _]] => {
                let two =
                    Layer::<f32>::then(Layer::<f32>::relu(Dense::new(inputs, hidden)), Dense::new(hidden, outputs));
                (vec![inputs], Layer::<f32>::shape(&two))
            }
            _ => return Err(Error::Usage(format!("--head must be 1 or 2 dense layers, not {layers}"))),
        };
        widths.extend(last.iter().map(|[outputs, _]| outputs));
        let all: usize = tensors.iter().filter_map(|t| t.numbers()).sum();
        Ok(Head { widths, before: all - shape.parameters, fingerprint: 0, shape })
    }

    /// The same, as the head of a network with these parameters, whose features are scaled by `standardiser`: its checkpoints
    /// carry the fingerprint of both, and those of another base are refused.
    #[must_use]
    pub fn of_base(self, network: &Kind, parameters: &[f32], standardiser: Option<&Standardiser>) -> Self {
        let mut text = format!("simloss base 1\n{} before a head of {:?}\n", self.before, self.widths);
        let mut left = self.before;
        for tensor in network.tensors() {
            let Some(n) = tensor.numbers().filter(|n| left >= *n) else { break };
            left -= n;
            let shape: Vec<String> = tensor.shape.iter().map(usize::to_string).collect();
            text += &format!("{} {}\n", tensor.name, shape.join(" x "));
        }
        let frozen = parameters.get(..self.before).unwrap_or_default();
        let frozen: Vec<u8> = frozen.iter().flat_map(|w| w.to_le_bytes()).collect();
        let scale =
            standardiser.map(|scale| [scale.mean(), scale.deviation(), scale.median()].concat()).unwrap_or_default();
        let scale: Vec<u8> = scale.iter().flat_map(|x| x.to_le_bytes()).collect();
        let fingerprint = fingerprint([text.as_bytes(), &frozen, &scale]);
        Head { fingerprint, ..self }
    }

    /// Its weights and biases.
    pub fn parameters(&self) -> Option<u32> {
        u32::try_from(self.shape.parameters).ok()
    }

    /// The header of its checkpoints, for an optimizer with so many moments.
    ///
    /// # Errors
    /// [`Error::Core`] for a shape that does not fit 32 bits.
    pub fn header(&self, moments: usize) -> Result<Header, Error> {
        Ok(Header { fingerprint: self.fingerprint, ..Header::new(&self.shape, moments)? })
    }

    /// The checkpoint of the head of a network with these parameters: no moments, step 0.
    ///
    /// # Errors
    /// [`Error::Core`] for other parameters than the network's.
    pub fn blob(&self, parameters: &[f32]) -> Result<Vec<u8>, Error> {
        let header = self.header(0)?;
        let mut bytes = vec![0; header.bytes()];
        encode(&header, parameters.get(self.before..).unwrap_or_default(), &[], &mut bytes)?;
        Ok(bytes)
    }

    /// Puts the head in the bytes of `slot` (read from `path`) into the parameters of its network; returns its header. Of a dump
    /// that holds several slots it is the newest valid one.
    ///
    /// # Errors
    /// [`Error::Format`] that names what is wrong: another kind of file, version, shape, base or checksum, too few
    /// bytes, or a parameter that is no finite number. The parameters keep their values then.
    pub fn put(&self, path: &Path, slot: &[u8], parameters: &mut [f32]) -> Result<Header, Error> {
        let refuse = |problem: &dyn std::fmt::Display| Error::format(path, SLOT)(problem);
        let slot = self.newest(slot);
        let found = Header::read(slot).map_err(|e| refuse(&e))?;
        // Its checkpoint is as long as the file says it is: checked before memory is taken for it.
        if slot.len() < found.bytes() {
            return Err(refuse(&format!("it is {} bytes long and should be {}", slot.len(), found.bytes())));
        }
        let expected = self.header(usize::from(found.moments))?;
        let shape = |h: &Header| (h.inputs, h.outputs, h.parameters);
        if shape(&found) != shape(&expected) {
            let [found, expected] = [&found, &expected]
                .map(|h| format!("{} features, {} classes, {} parameters", h.inputs, h.outputs, h.parameters));
            return Err(refuse(&format!("it has another shape: {found}, not {expected}")));
        }
        let n = self.shape.parameters;
        let (mut head, mut moments) = (vec![0.0; n], vec![0.0; n * usize::from(found.moments)]);
        let header = decode(slot, &expected, &mut head, &mut moments).map_err(|e| refuse(&e))?;
        if let Some(at) = head.iter().position(|w| !w.is_finite()) {
            return Err(refuse(&format!("parameter {at} is {}", head[at])));
        }
        parameters[self.before..].copy_from_slice(&head);
        Ok(header)
    }

    /// The newest valid slot of a dump, from its first byte on; all of it where none is valid, to say what is wrong with that.
    fn newest<'a>(&self, dump: &'a [u8]) -> &'a [u8] {
        let valid = |bytes: &&[u8]| {
            let Ok(found) = Header::read(bytes) else { return false };
            if bytes.len() < found.bytes() {
                return false;
            }
            let Ok(expected) = self.header(usize::from(found.moments)) else { return false };
            let n = self.shape.parameters;
            let (mut head, mut moments) = (vec![0.0; n], vec![0.0; n * usize::from(found.moments)]);
            decode(bytes, &expected, &mut head, &mut moments).is_ok()
        };
        // A slot is a whole number of pages, and a page of 64 bytes.
        let starts = (0..dump.len()).step_by(HEADER).filter_map(|at| dump.get(at..));
        let sequence = |bytes: &[u8]| Header::read(bytes).map_or(0, |header| header.sequence);
        let newer = |a: &'a [u8], b: &'a [u8]| {
            // As the device decides: the later is less than half around ahead.
            if sequence(b).wrapping_sub(sequence(a)) < 1 << 31 { b } else { a }
        };
        starts.filter(valid).reduce(newer).unwrap_or(dump)
    }

    /// The Rust module that includes the blob, with the loss; `names` are those of the classes.
    ///
    /// # Errors
    /// [`Error::Core`] for a shape that does not fit 32 bits.
    pub fn module(&self, loss: &HeadLoss<'_>, names: Option<&[String]>) -> Result<String, Error> {
        let mut text = String::from(
            "// Written by `simloss export`. Include it where the crate can reach simloss-core:\n\
             // mod head { include!(\"head.rs\"); }\n\n",
        );
        let mut line = |args: std::fmt::Arguments<'_>| {
            // Writing to a string does not fail.
            let _ = text.write_fmt(args);
            text.push('\n');
        };
        let (features, classes) = (self.widths[0], loss.similarity.classes());
        line(format_args!("/// Features of the head.\npub const FEATURES: usize = {features};"));
        line(format_args!("/// Classes.\npub const CLASSES: usize = {classes};"));
        line(format_args!("/// Weights and biases.\npub const PARAMETERS: usize = {};", self.shape.parameters));
        line(format_args!("/// Numbers that a step works in: `train::Work::values`."));
        let budget = loss.budget(self.shape);
        line(format_args!("pub const VALUES: usize = {};", budget.values));
        if budget.scalars > 0 {
            line(format_args!("/// And more of them, for the similarity: `train::Work::scalars`."));
            line(format_args!("pub const SCALARS: usize = {};", budget.scalars));
        }
        let bytes = self.header(0)?.bytes();
        line(format_args!("/// The parameters to begin with: a checkpoint without moments."));
        line(format_args!("pub static BLOB: [u8; {bytes}] = *include_bytes!(\"{BLOB}\");\n"));
        let [dense, chain, relu] = ["Dense", "Chain", "Relu"].map(|name| format!("::simloss_core::layers::{name}"));
        line(format_args!("/// The layers of the head."));
        match self.widths[..] {
            [inputs, hidden, outputs] => {
                line(format_args!("pub fn layers() -> {chain}<{relu}<{dense}>, {dense}> {{"));
                line(format_args!("    use ::simloss_core::layers::Layer;"));
                line(format_args!(
                    "    Layer::<f32>::then(Layer::<f32>::relu({dense}::new({inputs}, {hidden})), {dense}::new({hidden}, {outputs}))\n}}\n"
                ));
            }
            _ => line(format_args!("pub fn layers() -> {dense} {{\n    {dense}::new(FEATURES, CLASSES)\n}}\n")),
        }
        text.push_str(&loss.text());
        text.push_str(&front::text(self, loss, names));
        Ok(text)
    }

    /// What the head and what lies before it take, in bytes: flash and RAM by optimizer, and the text of the binaries that
    /// were measured on each target with a loss of this kind (`docs/records/firmware.json`).
    ///
    /// # Errors
    /// None: the record is part of the program.
    pub fn sizes(&self, frozen: &Frozen<'_>, loss: &HeadLoss<'_>) -> Result<String, Error> {
        let mut text = String::new();
        let mut line = |what: &str, bytes: usize| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{what:<82}{bytes:>9}");
        };
        let budget = loss.budget(self.shape);
        let slot = |moments: usize| HEADER + 4 * self.shape.parameters * (1 + moments);
        frozen.sizes().into_iter().for_each(|(what, bytes)| line(what, bytes));
        line("flash: the parameters to begin with", slot(0));
        for (name, moments) in [("SGD", 0), ("momentum", 1), ("Adam", 2)] {
            line(&format!("flash: two slots, {name}, before rounding to pages"), 2 * slot(moments));
            let held = budget.with_moments(moments).bytes() + 4 * (loss.table() + self.widths[0]);
            line(&format!("RAM: {name}, in place, with the similarity's table and one sample"), held);
            line(&format!("RAM: {name}, accumulating"), held + budget.with_accumulation().bytes() - budget.bytes());
        }
        let rows: Vec<Measured> = serde_json::from_str(MEASURED)
            .map_err(|e| Error::format(Path::new("docs/records/firmware.json"), Expected::written("a record"))(&e))?;
        // Programs of two layers were not measured: no figure stands for them.
        let one_layer = self.widths.len() == 2;
        let measured = |row: &&Measured| row.api == "head" && row.instructions_per_step > 0;
        let of_loss = rows.iter().filter(measured).filter(|row| row.loss == loss.measured() && row.classes == 90);
        for row in of_loss.filter(|_| one_layer) {
            let Measured { target, board, binary, optimizer, instructions_per_step, text_bytes, rodata_bytes, .. } =
                row;
            let how = if binary.starts_with("accumulate") { ", accumulating" } else { "" };
            line(
                &format!("flash: program, {target} on {board}, {optimizer}{how}, one layer"),
                text_bytes + rodata_bytes,
            );
            line(
                &format!("instructions: a step of 80 -> 90, {target} on {board}, {optimizer}{how}"),
                *instructions_per_step,
            );
        }
        Ok(text)
    }
}

const MEASURED: &str = include_str!("../../records/firmware.json");

/// One binary that was measured.
#[derive(Debug, serde::Deserialize)]
struct Measured {
    target: String,
    board: String,
    binary: String,
    api: String,
    optimizer: String,
    loss: String,
    classes: usize,
    #[serde(default)]
    instructions_per_step: usize,
    text_bytes: usize,
    rodata_bytes: usize,
}

/// Where an export puts its files: the head's blob and module, those of what is frozen, and the sizes.
pub fn files(folder: &Path) -> [PathBuf; 5] {
    [BLOB, MODULE, frozen::BLOB, frozen::MODULE, SIZES].map(|name| folder.join(name))
}
