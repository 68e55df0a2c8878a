// Written by `simloss export`. Include it where the crate can reach simloss-core:
// mod frozen { include!("frozen.rs"); }

/// Numbers of a sample, as it is measured; of an image all red, all green, all blue, each byte divided by 255.
pub const INPUTS: usize = 4;
/// Features of the head.
pub const FEATURES: usize = 5;
/// Numbers that [`features`] works in.
pub const MEMORY: usize = 10;
/// Fingerprint of all this; `head::FINGERPRINT` is the same.
pub const FINGERPRINT: u64 = 0x7a9ae7f61e0501d8;
/// Weights and biases, checked when this is compiled; they stay in flash.
#[allow(long_running_const_eval)] // a checksum of all bytes
pub static PARAMETERS: [f32; 65] = match ::simloss_core::device::checkpoint::constant(include_bytes!("frozen.bin")) {
    Ok(parameters) => parameters,
    Err(_) => panic!("frozen.bin is not the file that was exported with frozen.rs"),
};
/// The mean and the standard deviation of each number of a sample where the network was trained.
pub static SCALE: ::simloss_core::Scale<INPUTS> =
    match ::simloss_core::Scale::new(
        &[0.36666666716337204, 100.25, -4.666666666666667, 7.5],
        &[0.2494438188819246, 0.6123724356957945, 3.0912061651652345, 0.408248290463863],
    ) {
        Ok(scale) => scale,
        Err(_) => panic!("a deviation is no normal number"),
    };

/// The features of a sample. What is no number among the sample's is none among the features, and a training
/// step refuses it.
///
/// # Errors
/// None: all lengths are those of the network.
pub fn features(
    sample: &[f32; INPUTS],
    memory: &mut [f32; MEMORY],
    features: &mut [f32; FEATURES],
) -> Result<(), ::simloss_core::Error> {
    use ::simloss_core::layers::Layer;
    let (x, tape) = memory.split_at_mut(INPUTS);
    SCALE.scale_into(sample, x)?;
    let layers = Layer::<f32>::then(Layer::<f32>::relu(::simloss_core::layers::Dense::new(4, 6)), Layer::<f32>::relu(::simloss_core::layers::Dense::new(6, 5)));
    Layer::<f32>::forward(&layers, (), &PARAMETERS, &x[..], &mut tape[..], &mut features[..]);
    Ok(())
}
