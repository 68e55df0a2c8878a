//! What a head minimizes, named by types, so that its memory is a constant and its table lies there.

use crate::{
    Error, Label,
    error::length,
    loss::{Criterion, CrossEntropy, Loss, ProperSimLoss, SimLoss, SquaredEmd, Targets, soft_label_into},
    number::Scalar,
    similarity::{
        CircularOrder, CircularTable, ClassOrder, DenseSimilarity, DenseTable, OrderTable, ProperSimilarity, Similarity,
    },
};
use core::marker::PhantomData;

/// The loss of a [`Head`](super::Head) of `C` classes over numbers `T`, with its weights.
///
/// | type | loss | settings |
/// |---|---|---|
/// | [`CrossEntropy`], [`SquaredEmd`] | itself | `()` |
/// | [`ClassOrder`], [`CircularOrder`] | SimLoss of this similarity | `r` |
/// | [`DenseSimilarity`] | SimLoss of this similarity | a function that fills it: [`Fill`] |
/// | `SimLoss<S>`, `ProperSimLoss<S>` | itself, of one of these similarities | those of `S` |
/// | [`Sord<S>`] | cross entropy against the soft labels of one of these similarities | those of `S` |
/// | [`Given<L, ..>`](Given) | any other loss, made by the caller | the loss |
/// | [`Smoothed<J>`] | one of the above with label smoothing | `(eps, settings)` |
/// | [`Weighted<J>`] | one of the above with class weights | `(weights, settings)` |
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no objective of a head of {C} classes over `{T}`",
    note = "simloss_core::similarity::ClassOrder<f32, {C}> is one, loss::CrossEntropy another"
)]
pub trait Objective<T: Scalar, const C: usize> {
    /// What it is made from.
    type Settings;
    /// What of that stays in the head.
    type Kept;
    /// The loss.
    type Loss<'a>: Loss<T>;
    /// Numbers of its table.
    const TABLE: usize;
    /// Numbers of the target of a sample, where that is more than a class.
    const TARGET: usize;
    /// [`Work::scalars`](crate::train::Work::scalars).
    const SCALARS: usize;
    /// [`Work::values`](crate::train::Work::values), beyond those of the layers.
    const VALUES: usize;

    /// Fills the table, of [`TABLE`](Self::TABLE) numbers.
    ///
    /// # Errors
    /// Those of the similarity or the weights.
    fn fill(table: &mut [T], settings: Self::Settings) -> Result<Self::Kept, Error>;

    /// The loss of a filled table, with its weights.
    ///
    /// # Errors
    /// None, for a number of classes from 2 to 65,535.
    fn criterion<'a>(kept: &'a Self::Kept, table: &'a [T]) -> Result<Criterion<'a, Self::Loss<'a>, T>, Error>;

    /// The target of a sample whose class is in `label`. `target` holds [`TARGET`](Self::TARGET) numbers.
    ///
    /// # Errors
    /// [`Error::Length`] for a label of other classes, where the target is more than the class.
    #[inline(always)]
    fn targets<'a>(
        _kept: &Self::Kept,
        _table: &[T],
        label: &'a [Option<Label>; 1],
        _target: &'a mut [T],
    ) -> Result<Targets<'a, T>, Error> {
        Ok(Targets::labels(label))
    }
}

/// A similarity that fills a table in the memory of a head: [`ClassOrder`], [`CircularOrder`], [`DenseSimilarity`].
pub trait Table<T: Scalar, const C: usize> {
    /// What it is made from.
    type Settings;
    /// The similarity over a table.
    type Over<'a>: Similarity<T>;
    /// Numbers of the table.
    const NUMBERS: usize;

    /// Fills the table, of [`NUMBERS`](Self::NUMBERS) numbers.
    ///
    /// # Errors
    /// Those of the similarity.
    fn fill_table(table: &mut [T], settings: Self::Settings) -> Result<(), Error>;

    /// The similarity of a filled table.
    fn over(table: &[T]) -> Self::Over<'_>;
}

impl<T: Scalar, const C: usize> Table<T, C> for ClassOrder<T, C> {
    type Settings = T;
    type Over<'a> = OrderTable<T, &'a [T], C>;
    const NUMBERS: usize = (2 * C).saturating_sub(1);

    #[inline]
    fn fill_table(table: &mut [T], r: T) -> Result<(), Error> {
        OrderTable::in_memory(table, C, r)?;
        Ok(())
    }

    #[inline(always)]
    fn over(table: &[T]) -> OrderTable<T, &[T], C> {
        OrderTable::over(table)
    }
}

impl<T: Scalar, const C: usize> Table<T, C> for CircularOrder<T, C> {
    type Settings = T;
    type Over<'a> = CircularTable<T, &'a [T], C>;
    const NUMBERS: usize = (2 * C).saturating_sub(1);

    #[inline]
    fn fill_table(table: &mut [T], r: T) -> Result<(), Error> {
        CircularTable::in_memory(table, C, r)?;
        Ok(())
    }

    #[inline(always)]
    fn over(table: &[T]) -> CircularTable<T, &[T], C> {
        CircularTable::over(table)
    }
}

/// Fills a dense similarity of a head: one of the constructors of [`DenseTable`], such as
/// `|table| DenseTable::in_memory(table, 3, |y, c| S[y][c])`.
pub type Fill<T> = for<'a> fn(&'a mut [T]) -> Result<DenseTable<T, &'a mut [T]>, Error>;

impl<T: Scalar, const C: usize> Table<T, C> for DenseSimilarity<T, C> {
    type Settings = Fill<T>;
    type Over<'a> = DenseTable<T, &'a [T], C>;
    const NUMBERS: usize = C * C;

    #[inline]
    fn fill_table(table: &mut [T], fill: Fill<T>) -> Result<(), Error> {
        let at = table.as_ptr();
        let filled = fill(table)?;
        length("the classes of a dense similarity", C, Similarity::<T>::classes(&filled))?;
        // Any other memory is not what is read later.
        if filled.is_at(at) {
            Ok(())
        } else {
            Err(Error::Setting { what: "function that fills the table it is given" })
        }
    }

    #[inline(always)]
    fn over(table: &[T]) -> DenseTable<T, &[T], C> {
        DenseTable::over(table)
    }
}

/// SORD, as a type: cross entropy against [soft labels](soft_label_into) of the similarity `S`.
#[derive(Clone, Copy, Debug)]
pub struct Sord<S>(PhantomData<S>);

/// Label smoothing around an objective: [`Criterion::with_label_smoothing`].
#[derive(Clone, Copy, Debug)]
pub struct Smoothed<J>(PhantomData<J>);

/// Class weights around an objective: [`Criterion::with_class_weights`]. A sample counts with the weight of its true class,
/// alone and in a batch, which is divided by the number of its samples.
#[derive(Clone, Copy, Debug)]
pub struct Weighted<'w, J>(PhantomData<&'w J>);

/// Any loss that the caller makes and the head keeps, such as one of a similarity in a `static`, or of a taxonomy. `SCALARS` and
/// `VALUES` are what [`Loss::scratch`] says; fewer are refused.
#[derive(Clone, Copy, Debug)]
pub struct Given<L, const SCALARS: usize = 0, const VALUES: usize = 0>(PhantomData<L>);

impl<T: Scalar, const C: usize> Objective<T, C> for CrossEntropy {
    type Settings = ();
    type Kept = ();
    type Loss<'a> = CrossEntropy;
    const TABLE: usize = 0;
    const TARGET: usize = 0;
    const SCALARS: usize = 0;
    const VALUES: usize = 0;

    #[inline]
    fn fill(_: &mut [T], (): ()) -> Result<(), Error> {
        Ok(())
    }

    #[inline(always)]
    fn criterion<'a>((): &'a (), _: &'a [T]) -> Result<Criterion<'a, CrossEntropy, T>, Error> {
        Ok(Criterion::new(CrossEntropy::new(C)?))
    }
}

impl<T: Scalar, const C: usize> Objective<T, C> for SquaredEmd {
    type Settings = ();
    type Kept = ();
    type Loss<'a> = SquaredEmd;
    const TABLE: usize = 0;
    const TARGET: usize = 0;
    const SCALARS: usize = 0;
    const VALUES: usize = 2 * C;

    #[inline]
    fn fill(_: &mut [T], (): ()) -> Result<(), Error> {
        Ok(())
    }

    #[inline(always)]
    fn criterion<'a>((): &'a (), _: &'a [T]) -> Result<Criterion<'a, SquaredEmd, T>, Error> {
        Ok(Criterion::new(SquaredEmd::new(C)?))
    }
}

impl<T: Scalar, const C: usize, S: Table<T, C>> Objective<T, C> for SimLoss<S> {
    type Settings = S::Settings;
    type Kept = ();
    type Loss<'a> = SimLoss<S::Over<'a>>;
    const TABLE: usize = S::NUMBERS;
    const TARGET: usize = 0;
    const SCALARS: usize = 0;
    const VALUES: usize = 0;

    #[inline]
    fn fill(table: &mut [T], settings: S::Settings) -> Result<(), Error> {
        S::fill_table(table, settings)
    }

    #[inline(always)]
    fn criterion<'a>((): &'a (), table: &'a [T]) -> Result<Criterion<'a, SimLoss<S::Over<'a>>, T>, Error> {
        Ok(Criterion::new(SimLoss::new(S::over(table))))
    }
}

impl<T: Scalar, const C: usize, S: Table<T, C>> Objective<T, C> for ProperSimLoss<S>
where
    for<'a> S::Over<'a>: ProperSimilarity<T>,
{
    type Settings = S::Settings;
    type Kept = ();
    type Loss<'a> = ProperSimLoss<S::Over<'a>>;
    const TABLE: usize = S::NUMBERS;
    const TARGET: usize = 0;
    const SCALARS: usize = 0;
    const VALUES: usize = 4 * C;

    #[inline]
    fn fill(table: &mut [T], settings: S::Settings) -> Result<(), Error> {
        S::fill_table(table, settings)
    }

    #[inline(always)]
    fn criterion<'a>((): &'a (), table: &'a [T]) -> Result<Criterion<'a, ProperSimLoss<S::Over<'a>>, T>, Error> {
        Ok(Criterion::new(ProperSimLoss::new(S::over(table))))
    }
}

impl<T: Scalar, const C: usize, S: Table<T, C>> Objective<T, C> for Sord<S> {
    type Settings = S::Settings;
    type Kept = ();
    type Loss<'a> = CrossEntropy;
    const TABLE: usize = S::NUMBERS;
    const TARGET: usize = C;
    const SCALARS: usize = 0;
    const VALUES: usize = 2 * C;

    #[inline]
    fn fill(table: &mut [T], settings: S::Settings) -> Result<(), Error> {
        S::fill_table(table, settings)
    }

    #[inline(always)]
    fn criterion<'a>((): &'a (), _: &'a [T]) -> Result<Criterion<'a, CrossEntropy, T>, Error> {
        Ok(Criterion::new(CrossEntropy::new(C)?))
    }

    #[inline(always)]
    fn targets<'a>(
        (): &(),
        table: &[T],
        label: &'a [Option<Label>; 1],
        target: &'a mut [T],
    ) -> Result<Targets<'a, T>, Error> {
        let [Some(y)] = *label else { return Ok(Targets::labels(label)) };
        soft_label_into(&S::over(table), y, &mut [], target)?;
        Ok(Targets::soft(target))
    }
}

/// SimLoss of a similarity, by the name of the similarity alone.
macro_rules! simloss {
    ($($similarity:ident)*) => {$(
        impl<T: Scalar, const C: usize> Objective<T, C> for $similarity<T, C> {
            type Settings = <SimLoss<Self> as Objective<T, C>>::Settings;
            type Kept = ();
            type Loss<'a> = <SimLoss<Self> as Objective<T, C>>::Loss<'a>;
            const TABLE: usize = <SimLoss<Self> as Objective<T, C>>::TABLE;
            const TARGET: usize = 0;
            const SCALARS: usize = 0;
            const VALUES: usize = 0;

            #[inline]
            fn fill(table: &mut [T], settings: Self::Settings) -> Result<(), Error> {
                Self::fill_table(table, settings)
            }

            #[inline(always)]
            fn criterion<'a>(kept: &'a (), table: &'a [T]) -> Result<Criterion<'a, Self::Loss<'a>, T>, Error> {
                <SimLoss<Self> as Objective<T, C>>::criterion(kept, table)
            }
        }
    )*};
}

simloss!(ClassOrder CircularOrder DenseSimilarity);

impl<T: Scalar, L: Loss<T> + Copy, const C: usize, const S: usize, const V: usize> Objective<T, C> for Given<L, S, V> {
    type Settings = L;
    type Kept = L;
    type Loss<'a> = L;
    const TABLE: usize = 0;
    const TARGET: usize = 0;
    const SCALARS: usize = S;
    const VALUES: usize = V;

    #[inline]
    fn fill(_: &mut [T], loss: L) -> Result<L, Error> {
        length("the classes of the loss", C, loss.classes())?;
        let needed = loss.scratch::<T>();
        for (what, found, expected) in
            [("the scalars of a given loss", S, needed.scalars), ("the values of a given loss", V, needed.values)]
        {
            if found < expected {
                return Err(Error::Length { what, expected, found });
            }
        }
        Ok(loss)
    }

    #[inline(always)]
    fn criterion<'a>(kept: &'a L, _: &'a [T]) -> Result<Criterion<'a, L, T>, Error> {
        Ok(Criterion::new(*kept))
    }
}

impl<T: Scalar, const C: usize, J: Objective<T, C>> Objective<T, C> for Smoothed<J> {
    type Settings = (T, J::Settings);
    type Kept = (T, J::Kept);
    type Loss<'a> = J::Loss<'a>;
    const TABLE: usize = J::TABLE;
    const TARGET: usize = J::TARGET;
    const SCALARS: usize = J::SCALARS;
    const VALUES: usize = J::VALUES + 2 * C;

    #[inline]
    fn fill(table: &mut [T], (eps, settings): Self::Settings) -> Result<Self::Kept, Error> {
        Criterion::new(CrossEntropy::new(C)?).with_label_smoothing(eps)?;
        Ok((eps, J::fill(table, settings)?))
    }

    #[inline(always)]
    fn criterion<'a>((eps, kept): &'a Self::Kept, table: &'a [T]) -> Result<Criterion<'a, Self::Loss<'a>, T>, Error> {
        J::criterion(kept, table)?.with_label_smoothing(*eps)
    }

    #[inline(always)]
    fn targets<'a>(
        (_, kept): &Self::Kept,
        table: &[T],
        label: &'a [Option<Label>; 1],
        target: &'a mut [T],
    ) -> Result<Targets<'a, T>, Error> {
        J::targets(kept, table, label, target)
    }
}

impl<'w, T: Scalar, const C: usize, J: Objective<T, C>> Objective<T, C> for Weighted<'w, J> {
    type Settings = (&'w [T], J::Settings);
    type Kept = (&'w [T], J::Kept);
    type Loss<'a> = J::Loss<'a>;
    const TABLE: usize = J::TABLE;
    const TARGET: usize = J::TARGET;
    const SCALARS: usize = J::SCALARS;
    const VALUES: usize = J::VALUES;

    #[inline]
    fn fill(table: &mut [T], (weights, settings): Self::Settings) -> Result<Self::Kept, Error> {
        Criterion::new(CrossEntropy::new(C)?).with_class_weights(weights)?;
        Ok((weights, J::fill(table, settings)?))
    }

    #[inline(always)]
    fn criterion<'a>(
        (weights, kept): &'a Self::Kept,
        table: &'a [T],
    ) -> Result<Criterion<'a, Self::Loss<'a>, T>, Error> {
        J::criterion(kept, table)?.with_class_weights(weights)
    }

    #[inline(always)]
    fn targets<'a>(
        (_, kept): &Self::Kept,
        table: &[T],
        label: &'a [Option<Label>; 1],
        target: &'a mut [T],
    ) -> Result<Targets<'a, T>, Error> {
        J::targets(kept, table, label, target)
    }
}
