//! The [products](super::products) of a class order, `S[c, k] = r^|c - k|`, in `O(C)`.
//!
//! Upwards, over the classes `k < c` (downwards is the mirror image), with `D = 1 - S`:
//!
//! ```text
//! sum_c    = sum_(k < c) r^(c - k) v_k
//! excess_c = sum_(k < c) (r^(c - k) - S[c, y]) v_k
//!
//! sum_(c+1)    = r (sum_c + v_c)
//! excess_(c+1) = r (excess_c + D[c, y] v_c) - (c + 1 <= y ? S[c + 1, y] (1 - r^2) sum_(k <= c) v_k : 0)
//! ```
//!
//! Every term is as small as what sets the classes apart, so nothing cancels as `r` approaches 1. Each step of a recurrence
//! rounds; so the recurrences start again every [`BLOCK`] classes, and what came before enters by stored powers of `r`.

use super::{Products, split};
use crate::{
    label::in_lanes,
    number::{BlockSum, Scalar, Value},
};

/// Classes between two starts of a recurrence.
const BLOCK: usize = 16;

/// The order and the samples' places in it.
struct Order<'a, V: Value> {
    /// `r^0, r^1, ..`, as stored.
    powers: &'a [V::Scalar],
    /// `r`.
    r: V,
    /// `1 - r^2`.
    d2: V,
    /// The true class of each lane.
    y: V,
}

/// The products; `table` holds `r^|k - C + 1|` at `k`.
#[inline(always)]
pub(super) fn products<V: Value>(t: V::Token, table: &[V::Scalar], classes: usize, mut x: Products<'_, V>) {
    let powers = table.get(classes.saturating_sub(1)..).unwrap_or(&[]);
    let (r, d) = powers.get(1).map_or((V::Scalar::ZERO, V::Scalar::ONE), |&x| split(V::Scalar::ONE, x));
    let d2 = d.mul(V::Scalar::ONE.add(r));
    let order = Order { powers, r: V::splat(t, r), d2: V::splat(t, d2), y: in_lanes(t, x.labels) };
    pass::<V, false>(t, &order, classes, &mut x);
    pass::<V, true>(t, &order, classes, &mut x);
}

/// Upwards, which writes results, or `DOWN`, which adds to them.
#[inline(always)]
fn pass<V: Value, const DOWN: bool>(t: V::Token, order: &Order<'_, V>, classes: usize, x: &mut Products<'_, V>) {
    let &Order { powers, r, d2, y } = order;
    let [zero, one] = [V::Scalar::ZERO, V::Scalar::ONE].map(|x| V::splat(t, x));
    let power = |n: usize| V::splat(t, powers.get(n).map_or(V::Scalar::ZERO, |&x| split(V::Scalar::ONE, x).0));
    // Of this block, and of all before it: sum, excess, mass.
    let [mut sum, mut excess, mut mass] = [zero; 3];
    let ([mut sum_before, mut excess_before], mut mass_before) = ([zero; 2], BlockSum::new(t));
    for step in 0..classes {
        let c = if DOWN { classes - 1 - step } else { step };
        let (Some(&v), Some(&entry), Some(to)) = (x.v.get(c), x.row.get(c), x.excess.get_mut(c)) else { return };
        let (s, d) = split(one, entry);
        let since = step % BLOCK;
        if since == 0 && step > 0 {
            let power = power(BLOCK);
            sum_before = sum.add(sum_before.mul(power));
            excess_before = excess.add(excess_before.mul(power));
            mass_before.add_one(mass);
            [sum, excess, mass] = [zero; 3];
        }
        let at = V::splat(t, V::Scalar::from_usize(c));
        let source = s.mul(d2).mul(mass_before.total().add(mass));
        let source = if DOWN { y.select_gt(at, zero, source) } else { at.select_gt(y, zero, source) };
        let (mut all, mut all_excess) = (sum, excess);
        if since == 0 {
            excess_before = excess_before.sub(source);
        } else {
            excess = excess.sub(source);
            all_excess = excess;
        }
        if step >= BLOCK {
            let power = power(since);
            all = all.add(sum_before.mul(power));
            all_excess = all_excess.add(excess_before.mul(power));
        }
        let apart = d.mul(v);
        *to = if DOWN { to.add(all_excess) } else { apart.add(all_excess) };
        if let Some(to) = x.sums.get_mut(c) {
            *to = if DOWN { to.add(all) } else { v.add(all) };
        }
        sum = r.mul(sum.add(v));
        excess = r.mul(excess.add(apart));
        mass = mass.add(v);
    }
}
