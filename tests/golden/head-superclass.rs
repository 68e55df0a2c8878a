// Written by `simloss export`. Include it where the crate can reach simloss-core:
// mod head { include!("head.rs"); }

/// Features of the head.
pub const FEATURES: usize = 4;
/// Classes.
pub const CLASSES: usize = 3;
/// Weights and biases.
pub const PARAMETERS: usize = 43;
/// Numbers that a step works in: `train::Work::values`.
pub const VALUES: usize = 43;
/// And more of them, for the similarity: `train::Work::scalars`.
pub const SCALARS: usize = 6;
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
    static PARENTS: [u16; 6] = [3, 3, 4, 5, 5, 5];
    let s = ::simloss_core::similarity::Taxonomy::new(&PARENTS[..], [T::ONE, T::from_f32(0.5), T::ZERO], CLASSES)?;
    Ok(::simloss_core::loss::ProperSimLoss::new(s))
}

/// The loss that the head goes on learning with.
pub type Objective = ::simloss_core::device::Given<::simloss_core::loss::ProperSimLoss<::simloss_core::similarity::Taxonomy<f32, &'static [u16], [f32; 3]>>, 6, 27>;

/// The head, by plain SGD. Its memory is `[f32; Head::NUMBERS]`.
pub type Head<'m> = HeadBy<'m, ::simloss_core::optimizer::Sgd<f32>>;

/// The head, by any optimizer.
pub type HeadBy<'m, O> =
    ::simloss_core::device::Head<'m, FEATURES, CLASSES, Objective, O, ::simloss_core::device::Hidden<5>>;

/// Fingerprint of the layers before the head and of the scale of its features; `frozen::FINGERPRINT` is the same.
pub const FINGERPRINT: u64 = 0x36d7e1b388a0ef97;

/// Names of the classes.
pub static CLASS_NAMES: [&str; CLASSES] = ["1", "2", "3"];

/// The weights and biases to begin with, checked when this is compiled; they stay in flash.
#[allow(long_running_const_eval)] // a checksum of all bytes
pub static FACTORY: [f32; PARAMETERS] = match ::simloss_core::device::checkpoint::constant(include_bytes!("head.bin")) {
    Ok(parameters) => parameters,
    Err(_) => panic!("head.bin is not the file that was exported with head.rs"),
};

/// What the loss is made from.
///
/// # Errors
/// None, for what was exported.
pub fn settings()
-> Result<<Objective as ::simloss_core::device::Objective<f32, CLASSES>>::Settings, ::simloss_core::Error> {
    static PARENTS: [u16; 6] = [3, 3, 4, 5, 5, 5];
    Ok(::simloss_core::loss::ProperSimLoss::new(::simloss_core::similarity::Taxonomy::new(&PARENTS[..], [1.0, 0.5, 0.0], CLASSES)?))
}

/// The head in `memory`, of `HeadBy::<O>::NUMBERS` numbers, with its factory weights.
///
/// # Errors
/// Those of the optimizer.
pub fn head<O: ::simloss_core::optimizer::Optimizer<f32>, const M: usize>(
    memory: &mut [f32; M],
    optimizer: O,
) -> Result<HeadBy<'_, O>, ::simloss_core::Error> {
    let mut head = HeadBy::<'_, O>::new(memory, settings()?, optimizer)?.with_fingerprint(FINGERPRINT);
    head.reset_to_factory(&FACTORY)?;
    Ok(head)
}

/// The name of the predicted class.
///
/// # Errors
/// Those of `Head::predict`.
pub fn predict<O: ::simloss_core::optimizer::Optimizer<f32>>(
    head: &mut HeadBy<'_, O>,
    x: &::simloss_core::nalgebra::SVector<f32, FEATURES>,
) -> Result<&'static str, ::simloss_core::Error> {
    let class = head.predict(x)?;
    Ok(CLASS_NAMES.get(class.index()).copied().unwrap_or_default())
}
