//! Lanes without SIMD instructions: several samples in an array, each computed by the scalar's own operations.
//!
//! What the core computes in these lanes must have the bits of one sample at a time. No lane is a scalar, so the core
//! cannot take the short cuts that it has for scalars.

use simloss_core::number::{Scalar, Value};

/// `W` numbers, one sample each; `W` divides 16.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Array<T, const W: usize>([T; W]);

/// Stands for the proof that instructions may be used, so that code which makes up a token does not compile.
#[derive(Clone, Copy, Debug)]
pub struct Token(());

impl Token {
    /// The one token.
    pub const fn new() -> Self {
        Token(())
    }
}

impl Default for Token {
    fn default() -> Self {
        Token::new()
    }
}

impl<T: Scalar, const W: usize> Array<T, W> {
    fn zip(self, o: Self, f: impl Fn(T, T) -> T) -> Self {
        Array(std::array::from_fn(|l| f(self.0[l], o.0[l])))
    }
}

impl<T: Scalar, const W: usize> Value for Array<T, W> {
    type Scalar = T;
    type Token = Token;
    const WIDTH: usize = W;

    fn splat(_: Token, x: T) -> Self {
        Array([x; W])
    }

    fn load(_: Token, from: &[T]) -> Self {
        Array(std::array::from_fn(|l| from.get(l).copied().unwrap_or(T::ZERO)))
    }

    fn store(self, to: &mut [T]) {
        for (to, x) in to.iter_mut().zip(self.0) {
            *to = x;
        }
    }

    fn add(self, o: Self) -> Self {
        self.zip(o, T::add)
    }

    fn sub(self, o: Self) -> Self {
        self.zip(o, T::sub)
    }

    fn mul(self, o: Self) -> Self {
        self.zip(o, T::mul)
    }

    fn div(self, o: Self) -> Self {
        self.zip(o, T::div)
    }

    fn sqrt(self) -> Self {
        Array(self.0.map(T::sqrt))
    }

    fn select_gt(self, o: Self, yes: Self, no: Self) -> Self {
        Array(std::array::from_fn(|l| self.0[l].select_gt(o.0[l], yes.0[l], no.0[l])))
    }

    fn select_sign(self, set: Self, clear: Self) -> Self {
        Array(std::array::from_fn(|l| self.0[l].select_sign(set.0[l], clear.0[l])))
    }

    fn abs(self) -> Self {
        Array(self.0.map(T::abs))
    }

    fn pow2(self) -> Self {
        Array(self.0.map(T::pow2))
    }

    fn exponent(self) -> Self {
        Array(self.0.map(T::exponent))
    }

    fn lane(self, l: usize) -> T {
        self.0[l]
    }

    fn with_lane(mut self, l: usize, x: T) -> Self {
        self.0[l] = x;
        self
    }

    fn from_scalars(_: &[T]) -> Option<&[Self]> {
        None
    }

    fn as_scalars(_: &[Self]) -> Option<&[T]> {
        None
    }
}
