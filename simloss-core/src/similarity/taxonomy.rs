//! Classes as leaves of a tree: the nearer their common ancestor, the more similar.
//!
//! ```text
//! S[y, c] = level[h(lca(y, c))],      h(leaf) = 0,   h(node) = 1 + max over its children of h(child)
//! ```
//!
//! `lca` is the lowest common ancestor. Levels do not increase with height and `level[0] = 1`. Superclasses are the case
//! of two levels above the classes: `level = [1, s, 0]` gives classes of one superclass the similarity `s`.

use super::{
    Products, ProperSimilarity, Similarity, check_classes, entry, own, products,
    taxonomy_products::{self, Tree},
};
use crate::{
    Error, Label,
    number::{Scalar, TwoFloat, Value},
};
use core::marker::PhantomData;

/// A taxonomy over the caller's memory.
///
/// Nodes `0..classes` are the classes; the others are inner nodes in any order. `parents[node]` is the node above; the
/// one root is its own parent. Memory: the two tables. Cost of a row: for each class a walk to the common ancestor, at
/// most `H^2` steps for a tree of height `H`; where that matters, copy it with
/// [`DenseTable::copy_in_memory`](super::DenseTable::copy_in_memory).
///
/// ```
/// use simloss_core::{Label, similarity::{Similarity, Taxonomy}};
/// // maple, oak: tree (node 3); rose: flower (node 4); plant (node 5).
/// let plants = Taxonomy::new([3u16, 3, 4, 5, 5, 5], [1.0f32, 0.6, 0.2], 3)?;
/// let label = |i| Label::new(i, 3);
/// assert_eq!(plants.get(label(0)?, label(1)?, &mut [0.0; 3])?, 0.6);
/// assert_eq!(plants.get(label(0)?, label(2)?, &mut [0.0; 3])?, 0.2);
/// # Ok::<(), simloss_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Taxonomy<T, P, L> {
    parents: P,
    levels: L,
    classes: usize,
    scalar: PhantomData<T>,
}

impl<T: Scalar, P: AsRef<[u16]>, L: AsRef<[T]>> Taxonomy<T, P, L> {
    /// `parents` of all nodes, the `classes` first, and `levels`, one similarity per height.
    ///
    /// # Errors
    /// [`Error::Classes`] unless `classes` is from 2 to 65,535; [`Error::Length`] if `parents` are fewer than the
    /// classes, or `levels` fewer than the heights that the classes' ancestors reach, plus one; [`Error::Parent`] for a
    /// cycle, a parent outside the table, a class with children, or a second root; [`Error::Level`] for a level that
    /// rises, is NaN or outside `[0, 1]`, or a first level that is not 1.
    ///
    /// Cost: at most nodes^2 steps, once.
    pub fn new(parents: P, levels: L, classes: usize) -> Result<Self, Error> {
        check_classes(classes)?;
        let (table, heights) = (parents.as_ref(), levels.as_ref());
        let nodes = table.len();
        if nodes < classes + 1 {
            return Err(Error::Length { what: "the parents of a taxonomy", expected: classes + 1, found: nodes });
        }
        let mut root = None;
        for node in 0..nodes {
            let mut at = node;
            let mut steps = 0;
            loop {
                let up = table.get(at).map_or(nodes, |&p| usize::from(p));
                if up >= nodes || up < classes || steps > nodes {
                    return Err(Error::Parent { node });
                }
                if up == at {
                    break;
                }
                at = up;
                steps += 1;
            }
            if *root.get_or_insert(at) != at {
                return Err(Error::Parent { node });
            }
        }
        let mut before = T::ONE;
        for (height, &level) in heights.iter().enumerate() {
            if !(level >= T::ZERO && level <= before) || (height == 0 && level != T::ONE) {
                return Err(Error::Level { height });
            }
            before = level;
        }
        let taxonomy = Taxonomy { parents, levels, classes, scalar: PhantomData };
        let highest = root.map_or(0, |root| taxonomy.height(root));
        let found = taxonomy.levels.as_ref().len();
        if found < highest + 1 {
            return Err(Error::Length { what: "the levels of a taxonomy", expected: highest + 1, found });
        }
        Ok(taxonomy)
    }

    fn parent(&self, node: usize) -> usize {
        self.parents.as_ref().get(node).map_or(node, |&p| usize::from(p))
    }

    /// Steps from the deepest class below `node` up to it: the longest of the classes' walks.
    fn height(&self, node: usize) -> usize {
        let mut highest = 0;
        for class in 0..self.classes {
            let (mut at, mut steps) = (class, 0);
            while at != node && self.parent(at) != at {
                at = self.parent(at);
                steps += 1;
            }
            if at == node && steps > highest {
                highest = steps;
            }
        }
        highest
    }

    /// The entry of two classes whose lowest common ancestor is `node`.
    fn entry_below(&self, node: usize) -> T {
        let level = self.levels.as_ref().get(self.height(node)).copied().unwrap_or(T::ZERO);
        entry(TwoFloat::new(level))
    }

    fn is_ancestor(&self, node: usize, of: usize) -> bool {
        let mut at = of;
        loop {
            if at == node {
                return true;
            }
            let up = self.parent(at);
            if up == at {
                return false;
            }
            at = up;
        }
    }
}

impl<T: Scalar, P: AsRef<[u16]>, L: AsRef<[T]>> Taxonomy<T, P, L> {
    fn inner(&self) -> usize {
        self.parents.as_ref().len().saturating_sub(self.classes)
    }
}

impl<T: Scalar, P: AsRef<[u16]>, L: AsRef<[T]>> Similarity<T> for Taxonomy<T, P, L> {
    fn classes(&self) -> usize {
        self.classes
    }

    fn product_values(&self) -> usize {
        if self.inner() > self.classes { 0 } else { taxonomy_products::VALUES * self.inner() }
    }

    /// As many steps as the classes are deep, together. A tree with more inner nodes than classes (some then have a single
    /// child) goes row by row.
    #[inline(always)]
    fn products<V: Value<Scalar = T>>(&self, t: V::Token, x: Products<'_, V>) {
        if self.inner() > self.classes {
            return products::by_rows(t, self, x);
        }
        let (parents, levels) = (self.parents.as_ref(), self.levels.as_ref());
        taxonomy_products::products(t, &Tree { parents, levels, classes: self.classes }, x);
    }

    fn row<'a>(&'a self, y: Label, scratch: &'a mut [T]) -> &'a [T] {
        let classes = self.classes.min(scratch.len());
        let row = &mut scratch[..classes];
        // From y upwards: every class below the ancestor that is not below the one before gets the ancestor's level.
        row.fill(T::ONE);
        let mut ancestor = y.index();
        loop {
            let value = if ancestor == y.index() { own() } else { self.entry_below(ancestor) };
            for (class, x) in row.iter_mut().enumerate() {
                // A stored entry is never 1 itself (1 is stored as -0), so 1 marks what is still open.
                if *x == T::ONE && self.is_ancestor(ancestor, class) {
                    *x = value;
                }
            }
            let up = self.parent(ancestor);
            if up == ancestor {
                break;
            }
            ancestor = up;
        }
        row
    }

    /// Cost: a walk from each of the two to the lowest common ancestor, and one from every class for its height.
    fn stored(&self, y: Label, c: Label) -> T {
        if y.index() == c.index() {
            return own();
        }
        let mut ancestor = y.index();
        while !self.is_ancestor(ancestor, c.index()) {
            let up = self.parent(ancestor);
            if up == ancestor {
                return T::ZERO; // not for labels of this taxonomy, whose one root is above both
            }
            ancestor = up;
        }
        self.entry_below(ancestor)
    }
}

/// Proper for every tree: the matrix is ultrametric, `S[i, k] >= min(S[i, j], S[j, k])`.
impl<T: Scalar, P: AsRef<[u16]>, L: AsRef<[T]>> ProperSimilarity<T> for Taxonomy<T, P, L> {
    /// Whether `level[1] < 1`: then no two classes have the similarity 1.
    fn is_strictly_proper(&self) -> bool {
        self.levels.as_ref().get(1).is_some_and(|&level| level < T::ONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused() {
        let new = |parents: &'static [u16], levels: &'static [f32]| Taxonomy::new(parents, levels, 2).err();
        assert_eq!(new(&[2, 2, 2], &[1.0, 0.5]), None);
        assert_eq!(new(&[2, 3, 3, 2], &[1.0, 0.5, 0.0]), Some(Error::Parent { node: 0 }));
        assert_eq!(new(&[2, 3, 2, 3], &[1.0, 0.5]), Some(Error::Parent { node: 1 }));
        assert_eq!(new(&[2, 9, 2], &[1.0, 0.5]), Some(Error::Parent { node: 1 }));
        assert_eq!(new(&[1, 1, 2], &[1.0, 0.5]), Some(Error::Parent { node: 0 }));
        assert_eq!(new(&[2, 2, 2], &[1.0, f32::NAN]), Some(Error::Level { height: 1 }));
        assert_eq!(new(&[2, 2, 2], &[0.9, 0.5]), Some(Error::Level { height: 0 }));
        assert_eq!(new(&[2, 3, 3, 3], &[1.0, 0.2, 0.3]), Some(Error::Level { height: 2 }));
        assert!(matches!(new(&[2, 2, 2], &[1.0]), Some(Error::Length { expected: 2, found: 1, .. })));
        assert!(matches!(new(&[1, 1], &[1.0]), Some(Error::Length { expected: 3, found: 2, .. })));
    }
}
