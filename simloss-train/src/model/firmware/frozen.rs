//! What lies before a head and stays as it was trained: the scale of the features, and layers that a device reads from
//! flash.

use super::Head;
use crate::{
    Error,
    compute::network::{Kind, Layers, Listed, Visitor},
    data::Standardiser,
};
use simloss_core::{
    Scale,
    device::checkpoint::{Header, encode},
    layers::Shape,
};
use std::fmt::Write;

/// The file of frozen parameters that an export writes, where there are any.
pub const BLOB: &str = "frozen.bin";
/// The Rust module that includes it.
pub const MODULE: &str = "frozen.rs";

/// Everything of a network but its head.
#[derive(Clone, Debug)]
pub struct Frozen<'a> {
    layers: Vec<Listed>,
    shape: Shape,
    fingerprint: u64,
    standardiser: Option<&'a Standardiser>,
}

impl<'a> Frozen<'a> {
    /// What lies before `head` in a network whose features are scaled by `standardiser`, or taken as they are.
    ///
    /// # Errors
    /// As [`Kind::visit`].
    ///
    /// ```
    /// use simloss_train::{compute::network::Kind, model::firmware::{Frozen, Head}};
    /// let network = Kind::LeNet { classes: 96 };
    /// let frozen = Frozen::of(&network, &Head::of(&network, 1)?, None)?;
    /// assert_eq!((frozen.shape().inputs, frozen.shape().outputs), (3 * 32 * 32, 84));
    /// assert_eq!(frozen.shape().parameters, 456 + 2_416 + 48_120 + 10_164);
    /// # Ok::<(), simloss_train::Error>(())
    /// ```
    pub fn of(network: &Kind, head: &Head, standardiser: Option<&'a Standardiser>) -> Result<Self, Error> {
        let mut layers = network.list()?;
        layers.truncate(layers.len().saturating_sub(head.widths.len() - 1));
        let (inputs, outputs) = (network.inputs(), head.widths[0]);
        let between = layers.iter().rev().skip(1).map(|layer| layer.shape.outputs).sum();
        let shape = Shape { inputs, outputs, parameters: head.before, tape: between };
        Ok(Frozen { layers, shape, fingerprint: head.fingerprint, standardiser })
    }

    /// Numbers in, numbers out, parameters, and what lies between its layers.
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Numbers that the device works in, to get the features of a sample.
    const fn memory(&self) -> usize {
        self.shape.tape + if self.standardiser.is_some() && !self.layers.is_empty() { self.shape.inputs } else { 0 }
    }

    /// The checkpoint of its parameters, those of the network being `parameters`: none where it has none.
    ///
    /// # Errors
    /// [`Error::Core`] for other parameters than the network's.
    pub fn blob(&self, parameters: &[f32]) -> Result<Option<Vec<u8>>, Error> {
        if self.layers.is_empty() {
            return Ok(None);
        }
        let header = Header { fingerprint: self.fingerprint, ..Header::new(&self.shape, 0)? };
        let mut bytes = vec![0; header.bytes()];
        encode(&header, parameters.get(..self.shape.parameters).unwrap_or_default(), &[], &mut bytes)?;
        Ok(Some(bytes))
    }

    /// The Rust module that includes the blob and computes the features of a sample.
    pub fn module(&self) -> String {
        let Shape { inputs, outputs, parameters, .. } = self.shape;
        let mut text = format!(
            "// Written by `simloss export`. Include it where the crate can reach simloss-core:\n\
             // mod frozen {{ include!(\"{MODULE}\"); }}\n\n\
             /// Numbers of a sample, as it is measured; of an image all red, all green, all blue, each byte divided by 255.\n\
             pub const INPUTS: usize = {inputs};\n\
             /// Features of the head.\n\
             pub const FEATURES: usize = {outputs};\n\
             /// Numbers that [`features`] works in.\n\
             pub const MEMORY: usize = {};\n\
             /// Fingerprint of all this; `head::FINGERPRINT` is the same.\n\
             pub const FINGERPRINT: u64 = {:#018x};\n",
            self.memory(),
            self.fingerprint
        );
        // Writing to a string does not fail.
        if !self.layers.is_empty() {
            let _ = write!(
                text,
                "/// Weights and biases, checked when this is compiled; they stay in flash.\n\
                 #[allow(long_running_const_eval)] // a checksum of all bytes\n\
                 pub static PARAMETERS: [f32; {parameters}] = \
                 match ::simloss_core::device::checkpoint::constant(include_bytes!(\"{BLOB}\")) {{\n    \
                 Ok(parameters) => parameters,\n    \
                 Err(_) => panic!(\"{BLOB} is not the file that was exported with {MODULE}\"),\n}};\n"
            );
        }
        if let Some(scale) = self.standardiser {
            let _ = write!(
                text,
                "/// The mean and the standard deviation of each number of a sample where the network was trained.\n\
                 pub static SCALE: ::simloss_core::Scale<INPUTS> =\n    \
                 match ::simloss_core::Scale::new(\n        &{:?},\n        &{:?},\n    ) {{\n        \
                 Ok(scale) => scale,\n        Err(_) => panic!(\"a deviation is no normal number\"),\n    }};\n",
                scale.mean(),
                scale.deviation()
            );
            if !scale.median().is_empty() {
                let _ = write!(
                    text,
                    "/// What stands for a number of a sample that is missing (NaN).\n\
                     pub static MEDIAN: [f64; INPUTS] = {:?};\n",
                    scale.median()
                );
            }
        }
        let fills = self.standardiser.is_some_and(|scale| !scale.median().is_empty());
        let (fill, sample) = match fills {
            true => (
                "    let mut filled = *sample;\n    \
                 for (x, &median) in filled.iter_mut().zip(&MEDIAN) {\n        \
                 if x.is_nan() {\n            *x = median as f32;\n        }\n    }\n",
                "&filled",
            ),
            false => ("", "sample"),
        };
        let scaled = |x: &str, y: &str| format!("    SCALE.scale_into({x}, {y})");
        let import = "    use ::simloss_core::layers::Layer;\n";
        let (unused, body) = match (self.standardiser, &self.layers[..]) {
            (None, []) => ("_", "    features.copy_from_slice(sample);\n    Ok(())\n".to_owned()),
            (Some(_), []) => ("_", format!("{fill}{}\n", scaled(sample, "features"))),
            (None, layers) => ("", format!("{import}{}", forward(layers, "sample", "memory"))),
            (Some(_), layers) => {
                let cut = format!("{import}{fill}    let (x, tape) = memory.split_at_mut(INPUTS);\n");
                ("", format!("{cut}{}?;\n{}", scaled(sample, "x"), forward(layers, "x", "tape")))
            }
        };
        let _ = write!(
            text,
            "\n/// The features of a sample. What is no number among the sample's is none among the features, and a training\n\
             /// step refuses it.\n\
             ///\n\
             /// # Errors\n\
             /// None: all lengths are those of the network.\n\
             pub fn features(\n    sample: &[f32; INPUTS],\n    {unused}memory: &mut [f32; MEMORY],\n    \
             features: &mut [f32; FEATURES],\n) -> Result<(), ::simloss_core::Error> {{\n{body}}}\n"
        );
        text
    }

    /// What it takes, in bytes.
    pub(super) fn sizes(&self) -> [(&'static str, usize); 2] {
        let scale = self.standardiser.map_or(0, |scale| size_of::<Scale<1>>() * scale.width());
        [
            ("flash: frozen parameters, and the scale of the features", 4 * self.shape.parameters + scale),
            ("RAM: what is frozen, with one sample as it is measured", 4 * (self.shape.inputs + self.memory())),
        ]
    }
}

/// The forward pass of `layers` from `x` to `features`.
fn forward(layers: &[Listed], x: &str, tape: &str) -> String {
    let mut sources = layers.iter().map(|layer| layer.source.clone());
    let first = sources.next().unwrap_or_default();
    let chain = sources.fold(first, |chain, next| format!("Layer::<f32>::then({chain}, {next})"));
    format!(
        "    let layers = {chain};\n    \
         Layer::<f32>::forward(&layers, (), &PARAMETERS, &{x}[..], &mut {tape}[..], &mut features[..]);\n    Ok(())\n"
    )
}

/// The features that a head gets, of samples as the network gets them, row by row.
///
/// # Errors
/// As [`Kind::visit`]; [`Error::Core`] for parameters of another number than the network's, and samples that are not whole
/// rows.
///
/// ```
/// use simloss_train::{compute::network::Kind, model::firmware::{Head, features}};
/// let network = Kind::Table { inputs: 1, hidden: vec![2], classes: 2 };
/// let parameters = [1.0, -1.0, 0.5, 0.0, /* dense2 */ 9.0, 9.0, 9.0, 9.0, 9.0, 9.0];
/// let head = Head::of(&network, 1)?;
/// assert_eq!(features(&network, &head, &parameters, &[3.0, -2.0])?, [3.5, 0.0, 0.0, 2.0]);
/// // Nothing lies before a head of two layers.
/// assert_eq!(features(&network, &Head::of(&network, 2)?, &parameters, &[3.0, -2.0])?, [3.0, -2.0]);
/// # Ok::<(), simloss_train::Error>(())
/// ```
pub fn features(network: &Kind, head: &Head, parameters: &[f32], samples: &[f32]) -> Result<Vec<f32>, Error> {
    struct Forward<'a> {
        head: &'a Head,
        parameters: &'a [f32],
        samples: &'a [f32],
    }
    impl Visitor for Forward<'_> {
        type Output = Result<Vec<f32>, Error>;
        fn visit<N: Layers>(self, layers: N) -> Self::Output {
            let Forward { head, parameters, samples } = self;
            let shape = layers.shape();
            let length = |what, expected, found| match expected == found {
                true => Ok(()),
                false => Err(simloss_core::Error::Length { what, expected, found }),
            };
            length("the parameters", shape.parameters, parameters.len())?;
            let width = shape.inputs.max(1);
            length("the features", samples.len() / width * width, samples.len())?;
            // What layers give lies on the tape, one layer after the other.
            let [width, tape] = [head.widths[0], head.shape.tape];
            let (mut between, mut logits) = (vec![0.0; shape.tape], vec![0.0; shape.outputs]);
            let mut features = Vec::with_capacity(samples.len() / shape.inputs * width);
            for x in samples.chunks_exact(shape.inputs) {
                layers.forward((), parameters, x, &mut between, &mut logits);
                match shape.tape.checked_sub(tape + width) {
                    Some(first) => features.extend_from_slice(&between[first..first + width]),
                    None => features.extend_from_slice(x),
                }
            }
            Ok(features)
        }
    }
    network.visit(Forward { head, parameters, samples })?
}
