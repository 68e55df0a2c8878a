//! The [products](super::products) of a taxonomy, by walks from the classes to the root.
//!
//! With `M(b)` the mass below node `b` and `level(b)` its similarity, two classes being as similar as their lowest common
//! ancestor says:
//!
//! ```text
//! sum_c    = sum over b from c to the root of (level(b) - level(parent of b)) M(b)
//! excess_c = sum over b from c to below a of the same - sum_(k not below a) (level(a) - S[y, k]) v_k
//! lead_c   = sum over b from c to below a of the same - the same from y to below a,       a = lca(c, y)
//! ```
//!
//! Cost: the depths of all classes together; for superclasses two steps a class.

use super::{Products, split};
use crate::{
    label::in_lanes,
    number::{GROUP, Scalar, Value, block_sums},
    slices::split_mut,
};

/// Values of scratch for each inner node.
pub(super) const VALUES: usize = 5;

/// A tree, its nodes numbered as in [`Taxonomy`](super::Taxonomy).
pub(super) struct Tree<'a, T> {
    pub parents: &'a [u16],
    pub levels: &'a [T],
    pub classes: usize,
}

impl<T: Scalar> Tree<'_, T> {
    /// The node above, or none above the root.
    #[inline(always)]
    fn up(&self, node: usize) -> Option<usize> {
        self.parents.get(node).map(|&up| usize::from(up)).filter(|&up| up != node)
    }

    /// The nodes above `node`, the nearest first.
    #[inline(always)]
    fn above(&self, node: usize) -> impl Iterator<Item = usize> {
        core::iter::successors(self.up(node), |&node| self.up(node))
    }
}

/// Kahan's sum in two places.
#[inline(always)]
fn add<V: Value>(sum: &mut V, lost: &mut V, x: V) {
    let y = x.sub(*lost);
    let new = sum.add(y);
    (*lost, *sum) = (new.sub(*sum).sub(y), new);
}

/// The products; `x.values` holds [`VALUES`] values for each inner node, `x.scratch` a number for each.
#[inline(always)]
pub(super) fn products<V: Value>(t: V::Token, tree: &Tree<'_, V::Scalar>, x: Products<'_, V>) {
    let Products { labels, row, v, sums, excess, leads, scratch, values } = x;
    let [zero, one] = [V::Scalar::ZERO, V::Scalar::ONE].map(|x| V::splat(t, x));
    let (classes, inner) = (tree.classes, tree.parents.len().saturating_sub(tree.classes));
    let (level, _) = split_mut(scratch, inner);
    let (mass, rest) = split_mut(values, inner);
    let (lost, rest) = split_mut(rest, inner);
    let (outside, rest) = split_mut(rest, inner);
    let (inside, rest) = split_mut(rest, inner);
    let (on_path, _) = split_mut(rest, inner);
    level.fill(V::Scalar::ONE);
    for values in [&mut *mass, &mut *lost, &mut *outside, &mut *inside, &mut *on_path] {
        values.fill(zero);
    }

    // The level of a node is that of its height: the least of those that its classes' walks arrive with.
    for c in 0..classes {
        for (node, &found) in tree.above(c).zip(tree.levels.iter().skip(1)) {
            if let Some(level) = level.get_mut(node - classes) {
                *level = level.min(found);
            }
        }
    }
    let level = &*level;
    let level_of = |node: usize| match node.checked_sub(classes) {
        None => V::Scalar::ONE,
        Some(node) => level.get(node).copied().unwrap_or(V::Scalar::ZERO),
    };

    for (c, &v) in v.iter().enumerate() {
        for node in tree.above(c) {
            if let (Some(mass), Some(lost)) = (mass.get_mut(node - classes), lost.get_mut(node - classes)) {
                add(mass, lost, v);
            }
        }
    }
    let mass = &*mass;
    let mass_of = |node: usize, v: V| match node.checked_sub(classes) {
        None => v,
        Some(node) => mass.get(node).copied().unwrap_or(zero),
    };

    for l in 0..V::WIDTH.min(GROUP) {
        let Some(y) = labels.get(l).or(labels.first()) else { return };
        for node in tree.above(y.index()) {
            if let Some(on_path) = on_path.get_mut(node - classes) {
                *on_path = on_path.with_lane(l, V::Scalar::ONE);
            }
        }
    }
    let on_path = &*on_path;
    let is_on_path = |node: usize| on_path.get(node - classes).copied().unwrap_or(zero);

    // What joins the path of y at each of its nodes; `lost` has done its duty.
    lost.fill(zero);
    for (c, &v) in v.iter().enumerate() {
        let mut apart = one;
        for node in tree.above(c) {
            let here = is_on_path(node);
            if let (Some(sum), Some(lost)) = (outside.get_mut(node - classes), lost.get_mut(node - classes)) {
                let joins = here.mul(apart);
                let (mut new, mut new_lost) = (*sum, *lost);
                add(&mut new, &mut new_lost, v);
                *sum = joins.select_gt(zero, new, *sum);
                *lost = joins.select_gt(zero, new_lost, *lost);
            }
            apart = here.select_gt(zero, zero, apart);
        }
    }

    // Along the path of y, lane by lane and upwards: what is outside of a node, and what is inside.
    for l in 0..V::WIDTH.min(GROUP) {
        let Some(y) = labels.get(l).or(labels.first()) else { return };
        let (mut below, mut node) = (V::Scalar::ZERO, y.index());
        while let Some(up) = tree.up(node) {
            let step = level_of(node).sub(level_of(up));
            below = below.add(step.mul(mass_of(node, zero).lane(l)));
            if let Some(inside) = inside.get_mut(up - classes) {
                *inside = inside.with_lane(l, below);
            }
            let mut beyond = V::Scalar::ZERO;
            for above in tree.above(up) {
                let joined = outside.get(above - classes).map_or(V::Scalar::ZERO, |x| x.lane(l));
                beyond = beyond.add(joined.mul(level_of(up).sub(level_of(above))));
            }
            if let Some(outside) = outside.get_mut(up - classes) {
                *outside = outside.with_lane(l, beyond);
            }
            node = up;
        }
    }

    struct Dissimilar<V> {
        one: V,
    }
    impl<V: Value> crate::number::Terms<V, V, V, 1> for Dissimilar<V> {
        #[inline(always)]
        fn of(&self, x: V, v: V) -> [V; 1] {
            [split(self.one, x).1.mul(v)]
        }
    }
    let [of_own] = block_sums(t, row, v, &Dissimilar { one });
    let y: V = in_lanes(t, labels);
    for (c, (&v, excess)) in v.iter().zip(excess.iter_mut()).enumerate() {
        let at = V::splat(t, V::Scalar::from_usize(c));
        let differs = at.select_gt(y, one, y.select_gt(at, one, zero));
        let (mut apart, mut node) = (differs, c);
        let [mut sum, mut nearer, mut outer, mut inner] = [zero; 4];
        while let Some(up) = tree.up(node) {
            let step = V::splat(t, level_of(node).sub(level_of(up))).mul(mass_of(node, v));
            sum = sum.add(step);
            nearer = apart.select_gt(zero, nearer.add(step), nearer);
            let joins = is_on_path(up).mul(apart);
            let at = |values: &[V]| values.get(up - classes).copied().unwrap_or(zero);
            outer = joins.select_gt(zero, at(outside), outer);
            inner = joins.select_gt(zero, at(inside), inner);
            apart = joins.select_gt(zero, zero, apart);
            node = up;
        }
        *excess = differs.select_gt(zero, nearer.sub(outer), zero.sub(of_own));
        if let Some(to) = sums.get_mut(c) {
            *to = sum.add(V::splat(t, level_of(node)).mul(mass_of(node, v)));
        }
        if let Some(to) = leads.get_mut(c) {
            *to = nearer.sub(inner);
        }
    }
}
