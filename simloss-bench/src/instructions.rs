//! The losses in SIMD registers, several samples at a time, as on a desktop.

use simloss_core::{
    Error, Label,
    loss::{Loss, ProperSimLoss, SimLoss, SquaredEmd},
    number::Job,
    similarity::ProperSimilarity,
};
use simloss_train::compute::lanes::{InstructionSet, Lanes, Vector};

use crate::cases;
use crate::subject::{self, Answer, Built, Proper, WithProper};

/// Code for any lanes. It runs without the lanes' instructions; a [`Job`], called with `V::call`, is compiled for them.
pub trait Task {
    /// The result.
    type Output;

    /// Runs the task.
    fn run<V: Vector>(self, token: V::Token) -> Self::Output;
}

/// Runs a task with the lanes of these instructions. Returns `None` if the processor does not have them.
pub fn with<K: Task>(set: InstructionSet, task: K) -> Option<K::Output> {
    match set {
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => Some(task.run::<Lanes<_>>(pulp::x86::V4::try_new()?)),
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => Some(task.run::<Lanes<_>>(pulp::x86::V3::try_new()?)),
        #[cfg(not(target_arch = "x86_64"))]
        InstructionSet::Avx512 | InstructionSet::Avx2 => None,
        InstructionSet::Scalar => Some(task.run::<f32>(())),
    }
}

/// [`subject::answers_in`] as a job of any lanes.
#[derive(Clone, Copy)]
struct Answers<'a, L> {
    loss: L,
    logits: &'a [f32],
    labels: &'a [Option<Label>],
}

impl<L: Loss<f32>, V: Vector> Job<V> for Answers<'_, L> {
    type Output = Result<Vec<Answer<f32>>, Error>;

    #[inline(always)]
    fn run(self, token: V::Token) -> Self::Output {
        subject::answers_in::<V, L>(token, self.loss, self.logits, self.labels)
    }
}

impl<L: Loss<f32>> Task for Answers<'_, L> {
    type Output = Result<Vec<Answer<f32>>, Error>;

    fn run<V: Vector>(self, token: V::Token) -> Self::Output {
        V::call(token, self)
    }
}

/// Compares the losses in every instruction set of this processor with those of one sample at a time, bit by bit: SimLoss on the first `cases` hard cases of a seed, proper SimLoss and squared EMD on as many of theirs.
///
/// Each case has 17 true classes at once, so the registers contain losses of all sizes and one register is not full. The
/// results equal those of single samples, so the accuracy measured there holds here.
///
/// # Errors
/// A description of the first difference.
pub fn compare_lanes(seed: u64, cases: usize) -> Result<String, String> {
    let sets = InstructionSet::available();
    let mut answers = 0;
    for case in cases::hard::<f32>(seed, cases) {
        let told = |text| format!("{}: {text}", case.name);
        let similarity = Built::new(&case).map_err(|error| told(error.to_string()))?;
        answers += compare(&sets, SimLoss::new(&similarity), &case.logits, case.y).map_err(told)?;
    }
    for case in cases::proper::hard::<f32>(seed, cases) {
        let told = |text| format!("{}: {text}", case.name);
        let refused = |error: Error| told(error.to_string());
        let proper = Proper::new(&case).map_err(refused)?;
        answers += proper.with(Compare { sets: &sets, logits: &case.logits, y: case.y }).map_err(told)?;
        let squared_emd = SquaredEmd::new(case.classes()).map_err(refused)?;
        answers += compare(&sets, squared_emd, &case.logits, case.y).map_err(told)?;
    }
    let names: Vec<_> = sets.iter().map(|set| set.name()).collect();
    Ok(format!("{answers} results in lanes are bit-identical to single samples ({}).", names.join(", ")))
}

/// [`compare`] for proper SimLoss with any similarity.
struct Compare<'a> {
    sets: &'a [InstructionSet],
    logits: &'a [f32],
    y: usize,
}

impl WithProper<f32> for Compare<'_> {
    type Output = Result<usize, String>;

    fn run<S: ProperSimilarity<f32>>(self, similarity: &S) -> Self::Output {
        compare(self.sets, ProperSimLoss::new(similarity), self.logits, self.y)
    }
}

/// The number of results of a loss that have the same bits in lanes, on one row of logits with 17 true classes from `y` on:
/// all, or an error that names the difference.
fn compare<L: Loss<f32> + Copy>(sets: &[InstructionSet], loss: L, logits: &[f32], y: usize) -> Result<usize, String> {
    let told = |error: Error| error.to_string();
    let classes = logits.len();
    let truths: Vec<usize> = (0..17).map(|i| (y + i) % classes).collect();
    let labels: Vec<_> = truths.iter().map(|&y| Label::new(y, classes).ok()).collect();
    let repeated = logits.repeat(truths.len());
    let expected = truths.iter().map(|&y| subject::answer(&loss, logits, y));
    let expected = expected.collect::<Result<Vec<_>, _>>().map_err(told)?;
    for &set in sets {
        let found = with(set, Answers { loss, logits: &repeated, labels: &labels });
        let found = found.ok_or("internal error: an available instruction set is missing")?.map_err(told)?;
        if let Some(i) = (0..truths.len()).find(|&i| found[i].bits() != expected[i].bits()) {
            return Err(format!("{} computes other bits than one lane for y = {}", set.name(), truths[i]));
        }
    }
    Ok(sets.len() * truths.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cases::PAIRS;

    #[test]
    fn lanes_have_the_bits_of_one_sample() -> Result<(), String> {
        let text = compare_lanes(9, PAIRS)?;
        assert!(text.contains("scalar"), "{text}");
        Ok(())
    }
}
