//! The losses in SIMD registers, several samples at a time: as the desktop computes them.

use simloss_core::{
    Error, Label,
    loss::{Loss, SimLoss},
    number::Job,
};
use simloss_train::lanes::{InstructionSet, Lanes, Vector};

use crate::cases;
use crate::subject::{self, Answer, Built};

/// Code that is written for any lanes. It runs as it stands; what must be compiled for the lanes' instructions is a
/// [`Job`], and is called with `V::call`.
pub trait Task {
    /// What comes of it.
    type Output;

    /// Runs it.
    fn run<V: Vector>(self, token: V::Token) -> Self::Output;
}

/// Runs a task with the lanes of these instructions; `None` where the processor does not have them.
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

/// Holds SimLoss in every instruction set of this processor against SimLoss of one sample at a time, bit by bit.
///
/// Each of the first `cases` hard cases of a seed is computed for 17 true classes at once, so that registers are filled
/// with losses of all sizes, and one is not full. What is found to be right there is right here: the answers are the same.
///
/// # Errors
/// A description of the first difference.
pub fn compare_lanes(seed: u64, cases: usize) -> Result<String, String> {
    let sets = InstructionSet::available();
    let mut answers = 0;
    for case in cases::hard::<f32>(seed, cases) {
        let told = |error: Error| format!("{}: {error}", case.name);
        let classes = case.classes();
        let similarity = Built::new(&case).map_err(told)?;
        let loss = SimLoss::new(&similarity);
        let truths: Vec<usize> = (0..17).map(|i| (case.y + i) % classes).collect();
        let labels: Vec<_> = truths.iter().map(|&y| Label::new(y, classes).ok()).collect();
        let logits = case.logits.repeat(truths.len());
        let expected = truths.iter().map(|&y| subject::answer(&loss, &case.logits, y));
        let expected = expected.collect::<Result<Vec<_>, _>>().map_err(told)?;
        for &set in &sets {
            let found = with(set, Answers { loss, logits: &logits, labels: &labels });
            let found = found.ok_or("an instruction set that was there is gone")?.map_err(told)?;
            if let Some(i) = (0..truths.len()).find(|&i| found[i].bits() != expected[i].bits()) {
                let (set, y) = (set.name(), truths[i]);
                return Err(format!("{set} computes other bits than one lane for y = {y} of {}", case.name));
            }
            answers += truths.len();
        }
    }
    let names: Vec<_> = sets.iter().map(|set| set.name()).collect();
    Ok(format!("The same bits in {answers} answers computed in lanes ({}).", names.join(", ")))
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
