//! The algorithm of proper SimLoss, one sample per lane.
//!
//! With `e_k = exp(z_k - m)`, `y` the true class, `~` for a sum without `y`, and `D = 1 - S`:
//!
//! ```text
//! W = sum~ S_yc e_c,     X = sum~ D_yc e_c,     Q = e_y + W,     Z = Q + X,     x = X / Q
//! q_c = S_cy e_y + sum_c,     d_c = excess_c,     l_c = lead_c                     (`Products` of e without e_y)
//!
//! L   = ln(1 + x) - x / (1 + x) + (1 / Z) sum~ (e_c / q_c) a_c
//! a_c = d_c + S_yc q_c x                                           (1)
//!     = D_yc q_c + S_yc (l_c - D_yc e_y) Z / Q                     (2)
//!     = (D_yc (e_y d_c + W q_c) / Z + S_yc l_c) Z / Q              (3)
//! ```
//!
//! The three forms of `a_c` are equal. (1) loses nothing unless `c` is almost a duplicate of `y`; there (2) serves samples
//! that are wrong, and (3) those that are right. The sizes of the parts say which to take. With `u_c = e_c S_yc / q_c^2`:
//!
//! ```text
//! dL/dz_k = (e_k / q_k) d_k / Z + e_k excess_k(u) - (e_k S_yk / Q) K
//! K       = sum~ (l_c - D_yc e_y) (e_c / q_c) (S_yc / q_c + S_yc / Q)
//! ```
//!
//! and the gradient adds up to 0: a class with most of the probability gets what the others leave.
//!
//! Range: all of this holds while `Q >= 2^(-K/10)`, the exponentials being scaled by `2^K`. A sample with less is wrong by
//! more than any similarity can bridge but the smallest: it is taken relative to the largest logit of the classes that
//! are similar to its own, and `-ln` of the probability of these classes together is added (`out_of_range`).

use super::{Lanes, kernel};
use crate::{
    Label,
    label::{exchange, gather},
    number::{BlockSum, Job, Scalar, Value, block_sums, log1p_beyond_share, scaled_exp},
    similarity::{Products, Similarity, split},
    slices::split_mut,
};

/// Values of scratch for each class, beyond the row.
pub(super) const VALUES: usize = 4;

/// Proper SimLoss of the exponentials `x.e`; with `GRADIENT` they become the gradient, else anything.
#[inline(always)]
pub(super) fn proper<V: Value, S: Similarity<V::Scalar>, const GRADIENT: bool>(
    t: V::Token,
    similarity: &S,
    x: Lanes<'_, V>,
) -> V {
    let Lanes { logits, most, labels, scratch, rows, e } = x;
    let (of_row, scratch) = split_mut(scratch, kernel::rows_scratch::<V>(similarity.scratch()));
    let (row, values) = split_mut(rows, if const { V::WIDTH == 1 } { 0 } else { similarity.classes() });
    let row = kernel::rows(t, similarity, labels, of_row, row);
    let sums = Sums::new(t, labels, row, e);
    if kernel::any_below(sums.right(), lowest::<V>()) {
        let sample = Sample { t, similarity, labels, row, scratch, values };
        return out_of_range::<V, S, GRADIENT>(sample, logits, most, sums, e);
    }
    let sample = Sample { t, similarity, labels, row, scratch, values };
    let apart = V::splat(t, V::Scalar::ZERO);
    once(t, Centred::<V, S, GRADIENT> { sample, sums, apart, e })
}

/// Runs a job that is called from several places, compiled once for each width of lanes.
#[inline(always)]
fn once<V: Value, J: Job<V>>(t: V::Token, job: J) -> J::Output {
    #[inline(never)]
    fn one_lane<V: Value, J: Job<V>>(t: V::Token, job: J) -> J::Output {
        job.run(t)
    }
    if const { V::WIDTH == 1 } { one_lane(t, job) } else { V::call(t, job) }
}

/// The products with `S`.
struct Multiply<'a, V: Value, S> {
    similarity: &'a S,
    x: Products<'a, V>,
}

impl<V: Value, S: Similarity<V::Scalar>> Job<V> for Multiply<'_, V, S> {
    type Output = ();

    #[inline(always)]
    fn run(self, t: V::Token) {
        self.similarity.products(t, self.x);
    }
}

/// The loss, for `e` without `e_y` and every `Q` in range.
struct Centred<'a, V: Value, S, const GRADIENT: bool> {
    sample: Sample<'a, V, S>,
    sums: Sums<V>,
    /// 1 in the lanes whose gradient leaves out `p_k`, 0 in the others.
    apart: V,
    e: &'a mut [V],
}

impl<V: Value, S: Similarity<V::Scalar>, const GRADIENT: bool> Job<V> for Centred<'_, V, S, GRADIENT> {
    type Output = V;

    #[inline(always)]
    fn run(self, _: V::Token) -> V {
        centred::<V, S, GRADIENT>(self.sample, self.sums, self.apart, self.e)
    }
}

/// What the exponentials are weighed with, and memory.
struct Sample<'a, V: Value, S> {
    t: V::Token,
    similarity: &'a S,
    labels: &'a [Label],
    row: &'a [V],
    scratch: &'a mut [V::Scalar],
    values: &'a mut [V],
}

/// The sums over one row of `S`.
#[derive(Clone, Copy)]
struct Sums<V> {
    /// `e_y`.
    own: V,
    /// `W`.
    similar: V,
    /// `X`.
    dissimilar: V,
}

impl<V: Value> Sums<V> {
    /// Takes `e_y` out of `e`, which is 0 there from now on.
    #[inline(always)]
    fn new(t: V::Token, labels: &[Label], row: &[V], e: &mut [V]) -> Self {
        let own = exchange(t, labels, e, V::splat(t, V::Scalar::ZERO));
        let [similar, dissimilar] = block_sums(t, row, e, &kernel::Weighed { one: V::splat(t, V::Scalar::ONE) });
        Sums { own, similar, dissimilar }
    }

    /// `Q`.
    #[inline(always)]
    fn right(&self) -> V {
        self.own.add(self.similar)
    }

    /// `Z`.
    #[inline(always)]
    fn total(&self) -> V {
        self.right().add(self.dissimilar)
    }
}

/// `2^(n K)`.
#[inline(always)]
fn power_of_scale<T: Scalar>(n: T) -> T {
    T::EXPONENTIAL.scale.mul(n).pow2()
}

/// The least `Q` that [`centred`] takes.
#[inline(always)]
fn lowest<V: Value>() -> V::Scalar {
    power_of_scale(V::Scalar::ZERO.sub(V::Scalar::ONE.div(V::Scalar::from_usize(10))))
}

/// The loss, for `e` without `e_y` and every `Q` in range.
#[inline(always)]
fn centred<V: Value, S: Similarity<V::Scalar>, const GRADIENT: bool>(
    sample: Sample<'_, V, S>,
    sums: Sums<V>,
    apart: V,
    e: &mut [V],
) -> V {
    let Sample { t, similarity, labels, row, scratch, values } = sample;
    let [zero, one] = [V::Scalar::ZERO, V::Scalar::ONE].map(|x| V::splat(t, x));
    let Sums { own, dissimilar, .. } = sums;
    let (right, total) = (sums.right(), sums.total());
    let (of_right, of_total) = (one.div(right), one.div(total));

    let share = dissimilar.mul(of_total);
    let mut loss = log1p_beyond_share(t, dissimilar.div(right), share);
    if kernel::any_far(right) {
        // The quotient may have overflowed.
        let far = total.map(t, V::Scalar::ln).sub(right.map(t, V::Scalar::ln)).sub(share);
        loss = V::splat(t, V::Scalar::EXPONENTIAL.far).select_gt(right, far, loss);
    }

    let (q, values) = split_mut(values, row.len());
    let (excess, values) = split_mut(values, row.len());
    let (leads, values) = split_mut(values, row.len());
    let (moved, values) = split_mut(values, row.len());
    let products = Products {
        labels,
        row,
        v: e,
        sums: &mut *q,
        excess: &mut *excess,
        leads: &mut *leads,
        scratch: &mut *scratch,
        values: &mut *values,
    };
    once(t, Multiply { similarity, x: products });

    let forms = Forms { sums, right, total, of_right, of_total, leads: S::LEADS };
    let tiny = V::splat(t, V::Scalar::MIN_POSITIVE.mul(V::Scalar::from_usize(4)));
    let half_scale = V::splat(t, power_of_scale(V::Scalar::HALF));
    let (mut rest, mut correction) = (BlockSum::new(t), BlockSum::new(t));
    let classes = row.chunks(4).zip(e.chunks(4)).zip(q.chunks_mut(4)).zip(excess.chunks(4)).zip(leads.chunks_mut(4));
    for ((((row, e), q), excess), leads) in classes {
        let [mut terms, mut corrections] = [[zero; 4]; 2];
        let block = row.iter().zip(e).zip(q).zip(excess).zip(leads).zip(terms.iter_mut().zip(&mut corrections));
        for (((((&x, &e), q), &d), lead), (term, correction)) in block {
            let (s, apart) = split(one, x);
            let sum = q.add(s.mul(own));
            // Where even the sum has left the range, so has e.
            let inverse = sum.select_gt(tiny, one.div(sum), zero);
            let ratio = e.mul(inverse);
            *term = ratio.mul(forms.of(s, apart, sum, d, *lead));
            if const { GRADIENT } {
                // Times the square root of the scale, in the middle of the range; `s` first, which may be small.
                let scaled = s.mul(half_scale);
                let own_share = scaled.mul(inverse);
                let both = own_share.add(scaled.mul(of_right));
                let lead_of_all = forms.lead(apart, sum, d, *lead);
                *correction = lead_of_all.mul(of_total).mul(ratio.mul(both));
                *lead = ratio.mul(own_share);
                *q = inverse;
            }
        }
        rest.add(terms);
        if const { GRADIENT } {
            correction.add(corrections);
        }
    }
    let loss = loss.add(rest.total().mul(of_total));
    if const { !GRADIENT } {
        return loss;
    }

    let (sums, leads_of) = (&mut [], &mut []);
    let products = Products { labels, row, v: leads, sums, excess: &mut *moved, leads: leads_of, scratch, values };
    once(t, Multiply { similarity, x: products });
    let down = V::splat(t, power_of_scale(V::Scalar::ZERO.sub(V::Scalar::HALF)));
    let correction = correction.total().mul(total.mul(down));
    let mark = V::splat(t, V::Scalar::MAX);
    // More than two thirds: of two classes that tie, neither, however the total was rounded.
    let majority = V::splat(t, V::Scalar::ONE.add(V::Scalar::HALF));
    // Without `p_k` an entry may be far smaller than what it would be left from.
    let of_others = apart.select_gt(zero, zero, majority);
    let mut others = BlockSum::new(t);
    let classes = row.chunks(4).zip(e.chunks_mut(4)).zip(q.chunks(4)).zip(excess.chunks(4)).zip(moved.chunks(4));
    for ((((row, e), inverse), excess), moved) in classes {
        let mut terms = [zero; 4];
        let block = row.iter().zip(e).zip(inverse).zip(excess).zip(moved).zip(&mut terms);
        for (((((&x, e), &inverse), &d), &moved), term) in block {
            let (s, _) = split(one, x);
            let ratio = e.mul(inverse);
            let own_part = apart.select_gt(zero, zero.sub(ratio.mul(s)), ratio.mul(d.mul(of_total)));
            let direct = own_part.add(e.mul(down).mul(moved)).sub(e.mul(s).mul(of_right).mul(correction));
            let has_most = e.mul(of_others);
            *term = has_most.select_gt(total, zero, direct);
            *e = has_most.select_gt(total, mark, direct);
        }
        others.add(terms);
    }
    // The class with most of the probability gets what the others leave: the sum of all is 0.
    let moved = gather(t, labels, moved);
    let (share_of_right, moved) = (own.mul(of_right), own.mul(down).mul(moved));
    let missed = apart.select_gt(zero, one, share);
    let direct = moved.sub(share_of_right.mul(missed)).sub(share_of_right.mul(correction));
    let left = zero.sub(others.total()).sub(apart);
    let of_y = own.mul(majority).select_gt(total, left, direct);
    exchange(t, labels, e, of_y);
    let left = left.sub(of_y);
    for e in e.iter_mut() {
        *e = e.add(*e).select_gt(mark, left, *e);
    }
    loss
}

/// What the forms of `a_c` share.
struct Forms<V> {
    sums: Sums<V>,
    right: V,
    total: V,
    of_right: V,
    of_total: V,
    /// Whether there is a lead.
    leads: bool,
}

impl<V: Value> Forms<V> {
    /// `a_c`, by the form whose parts are smallest.
    #[inline(always)]
    fn of(&self, s: V, apart: V, q: V, d: V, lead: V) -> V {
        let Sums { own, similar, dissimilar } = self.sums;
        let from_row = s.mul(q).mul(self.of_right).mul(dissimilar);
        let mut a = d.add(from_row);
        if !self.leads {
            return a;
        }
        let size = d.abs().add(from_row);
        let stretch = self.total.mul(self.of_right);
        let ahead = s.mul(lead.sub(apart.mul(own))).mul(stretch);
        let behind = apart.mul(q);
        let second = behind.add(ahead.abs());
        a = size.select_gt(second, behind.add(ahead), a);
        let size = size.min(second);
        let of_others = similar.mul(self.of_total).mul(q);
        let share = own.mul(self.of_total);
        let lead = s.mul(lead);
        let third = apart.mul(share.mul(d.abs()).add(of_others)).add(lead.abs()).mul(stretch);
        let form = apart.mul(share.mul(d).add(of_others)).add(lead).mul(stretch);
        size.select_gt(third, form, a)
    }

    /// `q_c - Q`.
    #[inline(always)]
    fn lead(&self, apart: V, q: V, d: V, lead: V) -> V {
        if self.leads {
            return lead.sub(apart.mul(self.sums.own));
        }
        let of_all = apart.mul(self.total);
        let size = d.abs().add(self.sums.dissimilar).add(of_all);
        size.select_gt(q.add(self.right), q.sub(self.right), d.add(self.sums.dissimilar).sub(of_all))
    }
}

/// `2^K exp(z - centre)`, or `2^K` above the centre.
struct Exponential<V> {
    z: V,
    centre: V,
}

impl<V: Value> Job<V> for Exponential<V> {
    type Output = V;

    #[inline(always)]
    fn run(self, t: V::Token) -> V {
        let zero = V::splat(t, V::Scalar::ZERO);
        let (h, l) = self.z.two_sum(zero.sub(self.centre));
        scaled_exp(t, zero.min(h), l)
    }
}

/// The loss where some lane's `Q` is out of range; the others keep their bits.
///
/// With `B` the classes that are similar to `y`: `L = -ln p_B + L_B`, where `L_B` is the loss among them alone. Its gradient
/// leaves out the probabilities among them, which those of all classes take the place of. (Proper
/// similarities are 1 or more blocks, and 0 between them. A class order whose powers end above 0 is cut off there.)
#[cold]
#[inline(never)]
fn out_of_range<V: Value, S: Similarity<V::Scalar>, const GRADIENT: bool>(
    sample: Sample<'_, V, S>,
    z: &[V],
    most: V,
    sums: Sums<V>,
    e: &mut [V],
) -> V {
    let Sample { t, labels, row, .. } = sample;
    let [zero, one, limit] = [V::Scalar::ZERO, V::Scalar::ONE, lowest::<V>()].map(|x| V::splat(t, x));
    let (right, total) = (sums.right(), sums.total());
    let mut centre = zero.sub(V::splat(t, V::Scalar::MAX));
    for (&z, &x) in z.iter().zip(row) {
        let (s, _) = split(one, x);
        centre = s.select_gt(zero, z.max(centre), centre);
    }
    let centre = limit.select_gt(right, centre, most);
    // Above the centre only where S = 0: not a term.
    let of_block = |z: V, x: V| split(one, x).0.select_gt(zero, once(t, Exponential { z, centre }), zero);
    exchange(t, labels, e, sums.own);
    for ((e, &z), &x) in e.iter_mut().zip(z).zip(row) {
        *e = limit.select_gt(right, of_block(z, x), *e);
    }
    let inner = Sums::new(t, labels, row, e);
    let of_inner = inner.total();
    let apart = limit.select_gt(right, one, zero);
    let loss = once(t, Centred::<V, S, GRADIENT> { sample, sums: inner, apart, e: &mut *e });
    let (h, l) = most.two_sum(zero.sub(centre));
    let difference = total.map(t, V::Scalar::ln).sub(of_inner.map(t, V::Scalar::ln));
    if const { GRADIENT } {
        for (e, &z) in e.iter_mut().zip(z) {
            let p = once(t, Exponential { z, centre: most }).div(total);
            *e = limit.select_gt(right, e.add(p), *e);
        }
    }
    limit.select_gt(right, loss.add(h.add(l.add(difference))), loss)
}
