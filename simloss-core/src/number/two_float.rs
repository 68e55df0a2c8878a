//! A number as the unevaluated sum of two: about twice the digits, for constructors.
//!
//! Used where a table is made once (powers of the reduction factor, `(s - l) / (1 - l)`, `1 - beta^t`), so that what is
//! stored is the correctly rounded value in all but about one of 2^12 cases near a tie.
//! Source: T. J. Dekker, "A floating-point technique for extending the available precision", 1971.

use super::Scalar;

/// `hi + lo`, with `|lo|` at most half an ulp of `hi`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoFloat<T> {
    /// The value, rounded.
    pub hi: T,
    /// What rounding lost.
    pub lo: T,
}

impl<T: Scalar> TwoFloat<T> {
    /// `x` exactly.
    pub fn new(x: T) -> Self {
        TwoFloat { hi: x, lo: T::ZERO }
    }

    /// `a + b` exactly.
    pub fn sum(a: T, b: T) -> Self {
        let (hi, lo) = a.two_sum(b);
        TwoFloat { hi, lo }
    }

    /// `a - b` exactly.
    pub fn difference(a: T, b: T) -> Self {
        Self::sum(a, T::ZERO.sub(b))
    }

    /// `a * b` exactly, unless the low part underflows.
    pub fn product(a: T, b: T) -> Self {
        let split = |x: T| {
            let t = x.mul(T::SPLIT);
            let high = t.sub(t.sub(x));
            (high, x.sub(high))
        };
        let hi = a.mul(b);
        let ((a1, a2), (b1, b2)) = (split(a), split(b));
        let lo = a1.mul(b1).sub(hi).add(a1.mul(b2)).add(a2.mul(b1)).add(a2.mul(b2));
        TwoFloat { hi, lo }
    }

    fn normalised(hi: T, lo: T) -> Self {
        let sum = hi.add(lo);
        TwoFloat { hi: sum, lo: lo.sub(sum.sub(hi)) }
    }

    /// `self * o` to about twice the working precision.
    pub fn times(self, o: Self) -> Self {
        let p = Self::product(self.hi, o.hi);
        Self::normalised(p.hi, p.lo.add(self.hi.mul(o.lo).add(self.lo.mul(o.hi))))
    }

    /// `self / o` to about twice the working precision.
    pub fn over(self, o: Self) -> Self {
        let q = self.hi.div(o.hi);
        let back = o.times(Self::new(q));
        let rest = Self::sum(self.hi, T::ZERO.sub(back.hi));
        let rest = rest.hi.add(rest.lo.add(self.lo.sub(back.lo)));
        Self::normalised(q, rest.div(o.hi))
    }

    /// `1 - self`.
    pub fn complement(self) -> Self {
        let d = Self::difference(T::ONE, self.hi);
        Self::normalised(d.hi, d.lo.sub(self.lo))
    }
}

/// `r^d` for `d = 0, 1, 2, ..` with `0 <= r <= 1`, each from the one before, without loss near underflow.
#[derive(Clone, Copy, Debug)]
pub struct Powers<T> {
    base: TwoFloat<T>,
    power: TwoFloat<T>,
    // power is held times 2^(40 shifts), so that its low part never underflows.
    shifts: u32,
}

impl<T: Scalar> Powers<T> {
    /// The powers of `base`, starting with the zeroth.
    pub fn new(base: TwoFloat<T>) -> Self {
        Powers { base, power: TwoFloat::new(T::ONE), shifts: 0 }
    }
}

impl<T: Scalar> Iterator for Powers<T> {
    type Item = TwoFloat<T>;

    fn next(&mut self) -> Option<TwoFloat<T>> {
        let mut current = self.power;
        let down = T::from_usize(40).mul(T::ZERO.sub(T::ONE)).pow2();
        for _ in 0..self.shifts {
            current = TwoFloat { hi: current.hi.mul(down), lo: current.lo.mul(down) };
            if current.hi == T::ZERO {
                break;
            }
        }
        self.power = self.power.times(self.base);
        // A base that is itself tiny may step below the range in one product: then the power means 0 anyway.
        if self.power.hi < down {
            let up = T::from_usize(40).pow2();
            self.power = TwoFloat { hi: self.power.hi.mul(up), lo: self.power.lo.mul(up) };
            self.shifts = self.shifts.saturating_add(1).min(64);
        }
        Some(current)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_round_correctly() {
        for r in [0.8f32, 0.1, 0.3, 0.999, 0.5, 1.0 - 1.0 / 1_048_576.0] {
            let mut worst: f64 = 0.0;
            for (d, p) in Powers::new(TwoFloat::new(r)).take(600).enumerate() {
                let exact = f64::from(r).powi(d as i32);
                if exact > f64::from(f32::MIN_POSITIVE) {
                    let ulp = f64::from(f32::from_bits(p.hi.to_bits() + 1)) - f64::from(p.hi);
                    worst = worst.max((f64::from(p.hi) - exact).abs() / ulp);
                }
            }
            assert!(worst < 0.501, "r = {r}: {worst} ulp");
        }
        assert!(Powers::new(TwoFloat::new(0.0f32)).nth(1).is_some_and(|p| p.hi == 0.0));
        assert!(Powers::new(TwoFloat::new(1e-30f32)).nth(3).is_some_and(|p| p.hi == 0.0));
    }

    #[test]
    fn quotients_and_complements() {
        let q = TwoFloat::new(1.0f32).over(TwoFloat::new(3.0));
        assert!((f64::from(q.hi) + f64::from(q.lo) - 1.0 / 3.0).abs() < 1e-14);
        let c = q.complement();
        assert!((f64::from(c.hi) + f64::from(c.lo) - 2.0 / 3.0).abs() < 1e-14);
    }
}
