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
    label::exchange,
    number::{GROUP, Scalar, Terms, Value, block_sum, block_sum_of, block_sums, log1p, scaled_exp, transpose},
    similarity::{Similarity, split},
    slices::split_mut,
};

/// Whether no two numbers can be further apart than half of the largest number, judged without a look at each: the sum of
/// magnitudes is small. `false` for anything not finite; then [`largest`] looks at each.
#[inline(always)]
pub(crate) fn surely_in_domain<V: Value>(t: V::Token, z: &[V::Scalar]) -> bool {
    let mut sums = [V::splat(t, V::Scalar::ZERO); 4];
    let mut blocks = z.chunks_exact(4 * V::WIDTH);
    for block in &mut blocks {
        for (sum, x) in sums.iter_mut().zip(block.chunks_exact(V::WIDTH)) {
            *sum = sum.add(V::load(t, x).abs());
        }
    }
    for x in blocks.remainder().chunks(V::WIDTH) {
        sums[0] = sums[0].add(V::load(t, x).abs());
    }
    let [a, b, c, d] = sums;
    let sum = a.add(b).add(c.add(d));
    let limit = V::Scalar::MAX.mul(V::Scalar::HALF).mul(V::Scalar::HALF);
    (0..V::WIDTH).all(|l| limit > sum.lane(l))
}

/// The largest logit of each lane, known to be in the domain.
#[inline(always)]
pub(crate) fn largest_known<V: Value>(t: V::Token, z: &[V]) -> V {
    let first = z.first().copied().unwrap_or(V::splat(t, V::Scalar::ZERO));
    if const { V::WIDTH == 1 } {
        return z.iter().fold(first, |most, &x| x.max(most));
    }
    // Four chains, because each comparison waits for the one before it. Which of +0 and -0 comes out depends on the order;
    // no exponential does.
    let mut most = [first; 4];
    let (blocks, rest) = z.as_chunks::<4>();
    for block in blocks {
        for (most, &x) in most.iter_mut().zip(block) {
            *most = x.max(*most);
        }
    }
    for (most, &x) in most.iter_mut().zip(rest) {
        *most = x.max(*most);
    }
    let [a, b, c, d] = most;
    a.max(b).max(c.max(d))
}

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
pub(super) fn any_far<V: Value>(a: V) -> bool {
    any_below(a, V::Scalar::EXPONENTIAL.far)
}

/// Any lane of `a` below `limit`.
#[inline(always)]
pub(super) fn any_below<V: Value>(a: V, limit: V::Scalar) -> bool {
    let mut lanes = [V::Scalar::ONE; GROUP];
    a.store(&mut lanes);
    // Without `any`, whose early end would be a branch for each lane.
    lanes.iter().take(V::WIDTH).fold(false, |below, &a| below | (a < limit))
}

/// `S e` and `D e`.
pub(crate) struct Weighed<V> {
    pub(crate) one: V,
}

impl<V: Value> Terms<V, V, V, 2> for Weighed<V> {
    #[inline(always)]
    fn of(&self, x: V, e: V) -> [V; 2] {
        let (s, d) = split(self.one, x);
        [s.mul(e), d.mul(e)]
    }
}

/// `S f`, with `f` relative to the largest logit of a similar class.
struct Similar<V: Value> {
    t: V::Token,
    zero: V,
    one: V,
    minus: V,
}

impl<V: Value> Terms<V, V, V, 1> for Similar<V> {
    #[inline(always)]
    fn of(&self, z: V, x: V) -> [V; 1] {
        let (h, l) = z.two_sum(self.minus);
        let (s, _) = split(self.one, x);
        // Above m_S only where S = 0: not a term, and out of the exponential's domain.
        [s.select_gt(self.zero, s.mul(scaled_exp(self.t, self.zero.min(h), l)), self.zero)]
    }
}

/// `e (D - S b / a) / Z` of one class.
#[inline(always)]
fn near_gradient<V: Value>(e: V, x: V, one: V, ratio: V, reciprocal: V) -> V {
    let (s, d) = split(one, x);
    e.mul(d.sub(s.mul(ratio))).mul(reciprocal)
}

/// SimLoss of the exponentials `e` with one row of [entries](crate::similarity#what-is-stored) per lane; with
/// `GRADIENT`, `e` becomes the gradient.
#[inline(always)]
pub(crate) fn simloss<V: Value, const GRADIENT: bool>(t: V::Token, z: &[V], most: V, row: &[V], e: &mut [V]) -> V {
    let one = V::splat(t, V::Scalar::ONE);
    let [a, b] = block_sums(t, row, e, &Weighed { one });
    let total = a.add(b);
    let ratio = b.div(a);
    let reciprocal = one.div(total);
    let near = log1p(t, ratio);
    if any_far(a) {
        return simloss_far::<V, GRADIENT>(t, z, most, row, e, [a, b, near]);
    }
    if const { GRADIENT } {
        let ((blocks, rest), (x_blocks, x_rest)) = (e.as_chunks_mut::<4>(), row.as_chunks::<4>());
        for ([e0, e1, e2, e3], &[x0, x1, x2, x3]) in blocks.iter_mut().zip(x_blocks) {
            *e0 = near_gradient(*e0, x0, one, ratio, reciprocal);
            *e1 = near_gradient(*e1, x1, one, ratio, reciprocal);
            *e2 = near_gradient(*e2, x2, one, ratio, reciprocal);
            *e3 = near_gradient(*e3, x3, one, ratio, reciprocal);
        }
        for (e, &x) in rest.iter_mut().zip(x_rest) {
            *e = near_gradient(*e, x, one, ratio, reciprocal);
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
    let weighed = Similar { t, zero, one, minus };
    let similar = if const { V::WIDTH == 1 } {
        // The same sum with one copy of the exponential: a microcontroller has little memory.
        block_sum(t, z.len().min(row.len()), |k| match (z.get(k), row.get(k)) {
            (Some(&z), Some(&x)) => weighed.of(z, x)[0],
            _ => zero,
        })
    } else {
        let [similar] = block_sums(t, z, row, &weighed);
        similar
    };
    let (h, l) = most.two_sum(minus);
    let difference = total.map(t, V::Scalar::ln).sub(similar.map(t, V::Scalar::ln));
    let far = h.add(l.add(difference));
    if const { GRADIENT } {
        let wrong = b.div(total);
        for ((e, &z), &x) in e.iter_mut().zip(z).zip(row) {
            let (s, d) = split(one, x);
            let [term] = weighed.of(z, x);
            let second = e.mul(d).mul(reciprocal).sub(term.div(similar).mul(wrong));
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
    let a = exchange(t, labels, e, zero);
    let b = block_sum_of(t, e);
    let total = a.add(b);
    let ratio = b.div(a);
    let reciprocal = one.div(total);
    let mut loss = log1p(t, ratio);
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
    if const { GRADIENT } {
        for e in e.iter_mut() {
            *e = e.mul(reciprocal);
        }
        exchange(t, labels, e, own);
    }
    loss
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
    if const { V::WIDTH == 1 } {
        return V::from_scalars(similarity.row(first, scratch)).unwrap_or(&[]);
    }
    let classes = similarity.classes();
    let (rows, _) = split_mut(rows, classes);
    // Rows that need no scratch stay where they are stored; others are written side by side.
    let mut places = scratch.chunks_exact_mut(similarity.scratch().max(1));
    let mut of_lanes: [&[V::Scalar]; GROUP] = [&[]; GROUP];
    for (l, of_lane) in of_lanes.iter_mut().enumerate().take(V::WIDTH) {
        let y = labels.get(l).copied().unwrap_or(first);
        *of_lane = similarity.row(y, places.next().unwrap_or_default());
    }
    transpose(t, &of_lanes, rows);
    rows
}

/// Scalars that [`rows`] needs, given what one row needs.
pub(crate) const fn rows_scratch<V: Value>(row: usize) -> usize {
    V::WIDTH * row
}
