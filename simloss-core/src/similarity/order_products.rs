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
    Label,
    label::in_lanes,
    number::{BlockSum, Scalar, TwoFloat, Value},
};

/// Classes between two starts of a recurrence.
const BLOCK: usize = 16;

/// The order and the samples' places in it.
struct Order<V: Value> {
    /// `r^0, r^1, ..`, as stored.
    powers: [V::Scalar; BLOCK],
    /// `r^BLOCK`: it multiplies once for each block, so its rounding would add up.
    block: TwoFloat<V::Scalar>,
    /// `r`.
    r: V,
    /// `1 - r^2`.
    d2: V,
    /// The true class of each lane.
    y: V,
    /// That of the first lane.
    first: usize,
}

/// The products; `table` holds `r^|k - C + 1|` at `k`.
#[inline(always)]
pub(super) fn products<V: Value>(t: V::Token, table: &[V::Scalar], classes: usize, mut x: Products<'_, V>) {
    let table = table.get(classes.saturating_sub(1)..).unwrap_or(&[]);
    let (r, d) = table.get(1).map_or((V::Scalar::ZERO, V::Scalar::ONE), |&x| split(V::Scalar::ONE, x));
    let d2 = d.mul(V::Scalar::ONE.add(r));
    let (y, first) = (in_lanes(t, x.labels), x.labels.first().map_or(0, |y: &Label| y.index()));
    let powers = [V::Scalar::ZERO; BLOCK];
    let mut block = TwoFloat::new(r);
    if classes > BLOCK {
        for _ in 0..BLOCK.ilog2() {
            block = block.times(block);
        }
    }
    let mut order = Order { powers, block, r: V::splat(t, r), d2: V::splat(t, d2), y, first };
    for (power, &x) in order.powers.iter_mut().zip(table) {
        *power = split(V::Scalar::ONE, x).0;
    }
    pass::<V, false>(t, &order, &mut x);
    pass::<V, true>(t, &order, &mut x);
}

/// Upwards, which writes results, or `DOWN`, which adds to them.
#[inline(always)]
fn pass<V: Value, const DOWN: bool>(t: V::Token, order: &Order<V>, x: &mut Products<'_, V>) {
    let mut walk = Walk::<V, DOWN>::new(t);
    let (one, sums) = (V::splat(t, V::Scalar::ONE), &mut *x.sums);
    let classes = x.v.iter().zip(x.row).zip(x.excess.iter_mut()).enumerate();
    if DOWN {
        classes.rev().for_each(|(c, ((&v, &x), to))| walk.visit(t, order, c, v, split(one, x), to, sums.get_mut(c)));
    } else {
        classes.for_each(|(c, ((&v, &x), to))| walk.visit(t, order, c, v, split(one, x), to, sums.get_mut(c)));
    }
}

/// The sums over the classes that were visited.
struct Walk<V, const DOWN: bool> {
    /// Of this block: sum, excess, mass.
    here: [V; 3],
    /// Of the blocks before: sum, excess.
    before: [V; 2],
    mass_before: BlockSum<V>,
    /// Classes since the block began, and whether there was one before.
    since: usize,
    later: bool,
}

impl<V: Value, const DOWN: bool> Walk<V, DOWN> {
    #[inline(always)]
    fn new(t: V::Token) -> Self {
        let zero = V::splat(t, V::Scalar::ZERO);
        Walk { here: [zero; 3], before: [zero; 2], mass_before: BlockSum::new(t), since: 0, later: false }
    }

    /// Results of class `c`, of what was visited before it; then it is visited itself.
    #[inline(always)]
    #[allow(clippy::too_many_arguments)] // a class is all of them
    fn visit(
        &mut self,
        t: V::Token,
        order: &Order<V>,
        c: usize,
        v: V,
        (s, d): (V, V),
        excess: &mut V,
        sum: Option<&mut V>,
    ) {
        let zero = V::splat(t, V::Scalar::ZERO);
        if self.since == BLOCK {
            let (high, low) = (V::splat(t, order.block.hi), V::splat(t, order.block.lo));
            let [sum, excess, mass] = self.here;
            let faded = self.before.map(|x| x.mul(high).add(x.mul(low)));
            self.before = [sum.add(faded[0]), excess.add(faded[1])];
            self.mass_before.add_one(mass);
            self.here = [zero; 3];
            (self.since, self.later) = (0, true);
        }
        // Before y only. One lane need not compute what it would not use.
        let past = if DOWN { c < order.first } else { c > order.first };
        if !(V::WIDTH == 1 && past) {
            let source = s.mul(order.d2).mul(self.mass_before.total().add(self.here[2]));
            let at = V::splat(t, V::Scalar::from_usize(c));
            let source = if V::WIDTH == 1 {
                source
            } else if DOWN {
                order.y.select_gt(at, zero, source)
            } else {
                at.select_gt(order.y, zero, source)
            };
            let to = if self.since == 0 { &mut self.before[1] } else { &mut self.here[1] };
            *to = to.sub(source);
        }
        let [mut all, mut all_excess, mass] = self.here;
        if self.later {
            let power = V::splat(t, order.powers.get(self.since).copied().unwrap_or(V::Scalar::ZERO));
            all = all.add(self.before[0].mul(power));
            all_excess = all_excess.add(self.before[1].mul(power));
        }
        let apart = d.mul(v);
        *excess = if DOWN { excess.add(all_excess) } else { apart.add(all_excess) };
        if let Some(sum) = sum {
            *sum = if DOWN { sum.add(all) } else { v.add(all) };
        }
        self.here = [order.r.mul(self.here[0].add(v)), order.r.mul(self.here[1].add(apart)), mass.add(v)];
        self.since += 1;
    }
}
