//! The algorithm of the loss, on slices, one sample per lane.
//!
//! With `m = max z`, `e_k = exp(z_k - m)`, `D = 1 - S`, `a = sum S e`, `b = sum D e` (all terms non-negative: nothing
//! cancels), `Z = a + b`:
//!
//! ```text
//! L   = log1p(b / a)
//! g_k = e_k (D_k - S_k b / a) / Z
//! ```
//!
//! `z_k - m` is kept as an exact sum of two numbers and enters the exponential whole. Where `a` is so small that its own
//! terms were lost to the range of the exponential (no probability near the true class), the logits are taken again
//! relative to `m_S`, the largest logit with `S > 0`:
//!
//! ```text
//! f_k = exp(z_k - m_S),   A = sum S f
//! L   = (m - m_S) + ln Z - ln A
//! g_k = e_k D_k / Z - (S_k f_k / A) (b / Z)
//! ```
//!
//! so the gradient of a sample that is wrong by any amount keeps its full size.

use crate::{
    Error, Label,
    number::{GROUP, Scalar, Value, block_sum_of, block_sums, scaled_exp},
    similarity::{Similarity, split},
    slices::{copy, split_mut},
};

/// The largest logit of each lane, once all are known to be in the domain: finite, and no two of a sample further apart
/// than half of the largest number.
///
/// `sample` is the index that lane 0 has in an error.
#[inline(always)]
pub(crate) fn largest<V: Value>(t: V::Token, z: &[V], sample: usize) -> Result<V, Error> {
    let zero = V::splat(t, V::Scalar::ZERO);
    let (mut most, mut least, mut poison) = match z.first() {
        Some(&first) => (first, first, zero),
        None => return Err(Error::Classes { found: 0 }),
    };
    for &x in z {
        most = x.max(most);
        least = x.min(least);
        poison = poison.add(x.sub(x)); // +0, or NaN for what is not finite
    }
    let half = V::splat(t, V::Scalar::HALF);
    let limit = V::splat(t, V::Scalar::MAX).mul(half);
    // most / 2 - least / 2 cannot overflow.
    let spread = most.mul(half).sub(least.mul(half));
    for l in 0..V::WIDTH {
        if poison.lane(l) != V::Scalar::ZERO {
            return Err(Error::NotFinite { what: "the logits", sample: sample + l });
        }
        if spread.lane(l) > limit.mul(half).lane(l) {
            return Err(Error::Spread { sample: sample + l });
        }
    }
    Ok(most)
}

/// `e_k = 2^K exp(z_k - most)` in every place of `e`.
#[inline(always)]
pub(crate) fn exponentials<V: Value>(t: V::Token, z: &[V], most: V, e: &mut [V]) {
    let minus = V::splat(t, V::Scalar::ZERO).sub(most);
    for (e, &z) in e.iter_mut().zip(z) {
        let (h, l) = z.two_sum(minus);
        *e = scaled_exp(t, h, l);
    }
}

/// Softmax from exponentials: `p_k = e_k / Z`, in place.
#[inline(always)]
pub(crate) fn normalise<V: Value>(t: V::Token, e: &mut [V]) {
    let total = block_sum_of(t, e);
    let reciprocal = V::splat(t, V::Scalar::ONE).div(total);
    for x in e {
        *x = x.mul(reciprocal);
    }
}

/// Any lane of `a` below the format's limit: that lane needs the second form.
#[inline(always)]
fn any_far<V: Value>(a: V) -> bool {
    (0..V::WIDTH).any(|l| a.lane(l) < V::Scalar::EXPONENTIAL.far)
}

/// SimLoss of the exponentials `e` with one row of [entries](crate::similarity#what-is-stored) per lane; with
/// `GRADIENT`, `e` becomes the gradient.
#[inline(always)]
pub(crate) fn simloss<V: Value, const GRADIENT: bool>(t: V::Token, z: &[V], most: V, row: &[V], e: &mut [V]) -> V {
    let one = V::splat(t, V::Scalar::ONE);
    let [a, b] = block_sums(t, row, e, |x, e: V| {
        let (s, d) = split(one, x);
        [s.mul(e), d.mul(e)]
    });
    let total = a.add(b);
    let ratio = b.div(a);
    let reciprocal = one.div(total);
    let near = ratio.map(t, V::Scalar::log1p);
    if any_far(a) {
        return simloss_far::<V, GRADIENT>(t, z, most, row, e, [a, b, near]);
    }
    if GRADIENT {
        for (e, &x) in e.iter_mut().zip(row) {
            let (s, d) = split(one, x);
            *e = e.mul(d.sub(s.mul(ratio))).mul(reciprocal);
        }
    }
    near
}

/// The same where some lane needs the second form; the others keep the first.
#[cold]
#[inline(never)]
fn simloss_far<V: Value, const GRADIENT: bool>(
    t: V::Token,
    z: &[V],
    most: V,
    row: &[V],
    e: &mut [V],
    [a, b, near]: [V; 3],
) -> V {
    let [zero, one] = [V::Scalar::ZERO, V::Scalar::ONE].map(|x| V::splat(t, x));
    let limit = V::splat(t, V::Scalar::EXPONENTIAL.far);
    let total = a.add(b);
    let (ratio, reciprocal) = (b.div(a), one.div(total));

    let mut most_similar = zero.sub(V::splat(t, V::Scalar::MAX));
    for (&z, &x) in z.iter().zip(row) {
        let (s, _) = split(one, x);
        most_similar = s.select_gt(zero, z.max(most_similar), most_similar);
    }
    let minus = zero.sub(most_similar);
    let weighted = |z: V, x: V| {
        let (h, l) = z.two_sum(minus);
        let (s, _) = split(one, x);
        // Above m_S only where S = 0: not a term, and out of the exponential's domain.
        s.select_gt(zero, s.mul(scaled_exp(t, zero.min(h), l)), zero)
    };
    let [similar] = block_sums(t, z, row, |z, x| [weighted(z, x)]);
    let (h, l) = most.two_sum(minus);
    let difference = total.map(t, V::Scalar::ln).sub(similar.map(t, V::Scalar::ln));
    let far = h.add(l.add(difference));
    if GRADIENT {
        let wrong = b.div(total);
        for ((e, &z), &x) in e.iter_mut().zip(z).zip(row) {
            let (s, d) = split(one, x);
            let second = e.mul(d).mul(reciprocal).sub(weighted(z, x).div(similar).mul(wrong));
            *e = limit.select_gt(a, second, e.mul(d.sub(s.mul(ratio))).mul(reciprocal));
        }
    }
    limit.select_gt(a, far, near)
}

/// Cross entropy of the exponentials `e` with one true class per lane; with `GRADIENT`, `e` becomes the gradient, else
/// it is spoilt. The bits are those of [`simloss`] with the identity.
#[inline(always)]
pub(crate) fn cross_entropy<V: Value, const GRADIENT: bool>(
    t: V::Token,
    z: &[V],
    most: V,
    labels: &[Label],
    e: &mut [V],
) -> V {
    let [zero, one] = [V::Scalar::ZERO, V::Scalar::ONE].map(|x| V::splat(t, x));
    let a = exchange(t, labels, e, |_| V::Scalar::ZERO);
    let b = block_sum_of(t, e);
    let total = a.add(b);
    let ratio = b.div(a);
    let reciprocal = one.div(total);
    let mut loss = ratio.map(t, V::Scalar::log1p);
    let mut own = a.mul(zero.sub(ratio)).mul(reciprocal);
    if any_far(a) {
        let limit = V::splat(t, V::Scalar::EXPONENTIAL.far);
        let mut lanes = [V::Scalar::ZERO; GROUP];
        for (l, (lane, y)) in lanes.iter_mut().zip(labels).enumerate() {
            *lane = z.get(y.index()).map_or(V::Scalar::ZERO, |z| z.lane(l));
        }
        let (h, l) = most.two_sum(zero.sub(V::load(t, &lanes)));
        let unit = V::splat(t, V::Scalar::EXPONENTIAL.unit);
        let difference = total.map(t, V::Scalar::ln).sub(unit.map(t, V::Scalar::ln));
        loss = limit.select_gt(a, h.add(l.add(difference)), loss);
        own = limit.select_gt(a, zero.sub(b.div(total)), own);
    }
    if GRADIENT {
        for e in e.iter_mut() {
            *e = e.mul(reciprocal);
        }
        exchange(t, labels, e, |l| own.lane(l));
    }
    loss
}

/// Puts `new(l)` where lane `l` has its true class and returns what was there; lanes without a label keep the first
/// label's class.
#[inline(always)]
fn exchange<V: Value>(t: V::Token, labels: &[Label], e: &mut [V], new: impl Fn(usize) -> V::Scalar) -> V {
    let mut old = [V::Scalar::ONE; GROUP];
    for (l, old) in old.iter_mut().enumerate().take(V::WIDTH) {
        let y = labels.get(l).or(labels.first()).map_or(0, |y| y.index());
        if let Some(e) = e.get_mut(y) {
            let mut lanes = [V::Scalar::ZERO; GROUP];
            e.store(&mut lanes);
            if let Some(lane) = lanes.get_mut(l) {
                *old = core::mem::replace(lane, new(l));
            }
            *e = V::load(t, &lanes);
        }
    }
    V::load(t, &old)
}

/// The rows of the lanes' true classes, one entry of every lane per class: without a copy where one lane is one scalar.
///
/// `scratch` holds [`rows_scratch`] scalars; `rows` one value per class where lanes are more than one. Lanes without a
/// label get the first label's row.
#[inline(always)]
pub(crate) fn rows<'a, V: Value, S: Similarity<V::Scalar>>(
    t: V::Token,
    similarity: &'a S,
    labels: &[Label],
    scratch: &'a mut [V::Scalar],
    rows: &'a mut [V],
) -> &'a [V] {
    let Some(&first) = labels.first() else { return &[] };
    if V::WIDTH == 1 {
        return V::from_scalars(similarity.row(first, scratch)).unwrap_or(&[]);
    }
    let classes = similarity.classes();
    let (own, lanes) = split_mut(scratch, classes);
    for (l, lane) in lanes.chunks_exact_mut(classes.max(1)).take(V::WIDTH).enumerate() {
        copy(similarity.row(labels.get(l).copied().unwrap_or(first), own), lane);
    }
    let (rows, _) = split_mut(rows, classes);
    transpose(t, lanes, classes, rows);
    rows
}

/// Scalars that [`rows`] needs.
pub(crate) fn rows_scratch<V: Value>(classes: usize, row: usize) -> usize {
    if V::WIDTH == 1 { row } else { (V::WIDTH + 1) * classes }
}

/// Rows of `n` scalars, one per lane, to one value per column. Missing rows repeat the first, so that lanes without a
/// sample hold nothing that the others do not.
#[inline(always)]
pub(crate) fn transpose<V: Value>(t: V::Token, from: &[V::Scalar], n: usize, to: &mut [V]) {
    for (k, to) in to.iter_mut().enumerate().take(n) {
        let mut lanes = [from.get(k).copied().unwrap_or(V::Scalar::ZERO); GROUP];
        for (lane, row) in lanes.iter_mut().zip(from.chunks_exact(n.max(1))).take(V::WIDTH) {
            if let Some(&x) = row.get(k) {
                *lane = x;
            }
        }
        *to = V::load(t, &lanes);
    }
}

/// One value per column back to rows of `n` scalars, as many as `to` holds.
#[inline(always)]
pub(crate) fn transpose_back<V: Value>(from: &[V], n: usize, to: &mut [V::Scalar]) {
    if let Some(from) = V::as_scalars(from) {
        return copy(from, to);
    }
    let mut lanes = [V::Scalar::ZERO; GROUP];
    for (k, from) in from.iter().enumerate().take(n) {
        from.store(&mut lanes);
        for (&lane, row) in lanes.iter().zip(to.chunks_exact_mut(n.max(1))).take(V::WIDTH) {
            if let Some(x) = row.get_mut(k) {
                *x = lane;
            }
        }
    }
}
