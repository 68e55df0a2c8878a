// Written by `simloss export`. Include it where the crate can reach simloss-core:
// mod head { include!("head.rs"); }

/// Features of the head.
pub const FEATURES: usize = 4;
/// Classes.
pub const CLASSES: usize = 3;
/// Weights and biases.
pub const PARAMETERS: usize = 43;
/// Numbers that a step works in: `train::Work::values`.
pub const VALUES: usize = 22;
/// The parameters to begin with: a checkpoint without moments.
pub static BLOB: [u8; 236] = *include_bytes!("head.bin");

/// The layers of the head.
pub fn layers() -> ::simloss_core::layers::Chain<::simloss_core::layers::Relu<::simloss_core::layers::Dense>, ::simloss_core::layers::Dense> {
    use ::simloss_core::layers::Layer;
    Layer::<f32>::then(Layer::<f32>::relu(::simloss_core::layers::Dense::new(4, 5)), ::simloss_core::layers::Dense::new(5, 3))
}

/// Numbers that the table of the loss takes.
pub const TABLE: usize = 0;

/// The loss, its table in `table`, of [`TABLE`] numbers.
pub fn loss<T: ::simloss_core::number::Scalar>(
    _table: &mut [T],
) -> Result<impl ::simloss_core::loss::Loss<T> + '_, ::simloss_core::Error> {
    ::simloss_core::loss::SquaredEmd::new(CLASSES)
}
