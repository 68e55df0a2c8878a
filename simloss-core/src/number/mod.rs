//! Numbers: the arithmetic that every other module is written in.

mod exp;
mod log1p;
mod scalar;
mod sum;
mod transpose;
mod two_float;
mod value;

pub use exp::{Exponential, scaled_exp};
pub use log1p::Logarithm;
pub(crate) use log1p::{log1p, log1p_beyond_share};
pub use scalar::Scalar;
pub use sum::{BlockSum, FixedSum, Terms, block_sum, block_sum_of, block_sums, sum_of_squares};
pub(crate) use sum::{SampleSum, poison};
pub use transpose::transpose;
pub(crate) use transpose::{transpose_back, transpose_rows};
pub use two_float::{Powers, TwoFloat};
pub use value::{GROUP, Job, Value};
