//! The loss as its definition says, in `f64`: what `f32` results are held against.
//!
//! For `f32` inputs this is right to about 1e-14, and rounding to `f32` costs 6e-8: no digit of the comparison is in
//! doubt. Of the core's rearrangements it shares only the shift by the largest logit, without which nothing is finite.

use simloss_core::similarity::{dissimilarity, similarity};

/// What is true of one sample.
#[derive(Clone, Debug)]
pub struct Sample {
    /// `-ln sum_c S[y, c] p_c`.
    pub loss: f64,
    /// `p_k`.
    pub p: Vec<f64>,
    /// `q_k = S[y, k] p_k / sum_c S[y, c] p_c`.
    pub q: Vec<f64>,
    /// `D[y, k]`.
    pub d: Vec<f64>,
    /// `sum_c D[y, c] p_c`: the probability that earns nothing.
    pub wrong: f64,
}

impl Sample {
    /// `p_k - q_k = D_k p_k - q_k wrong`, within 1e-14 of [`terms`](Self::terms): without the cancellation of the
    /// difference, where `p_k` and `q_k` are nearly equal.
    pub fn gradient(&self, k: usize) -> f64 {
        self.d[k] * self.p[k] - self.q[k] * self.wrong
    }

    /// `p_k + q_k`: what the stated bound of the gradient is relative to.
    pub fn magnitude(&self, k: usize) -> f64 {
        self.p[k] + self.q[k]
    }

    /// The two terms of the gradient, added: at most `p_k + q_k`, and for a sample that is right far less, so that a
    /// bound relative to it asks for the digits of a tiny gradient.
    pub fn terms(&self, k: usize) -> f64 {
        self.d[k] * self.p[k] + self.q[k] * self.wrong
    }
}

/// The largest of some logits, and their exponentials relative to it.
fn exponentials(z: &[f64], used: impl Fn(usize) -> bool) -> (f64, Vec<f64>) {
    let m = (0..z.len()).filter(|&k| used(k)).map(|k| z[k]).fold(f64::NEG_INFINITY, f64::max);
    (m, (0..z.len()).map(|k| if used(k) { (z[k] - m).exp() } else { 0.0 }).collect())
}

/// SimLoss of `logits` for a class whose row of stored entries is `row`.
pub fn simloss(logits: &[f64], row: &[f64]) -> Sample {
    let (m, e) = exponentials(logits, |_| true);
    let total: f64 = e.iter().sum();
    let p: Vec<f64> = e.iter().map(|e| e / total).collect();
    // Relative to the largest logit that counts as similar: the sum of S p may be far below the range of f64.
    let (similar_m, f) = exponentials(logits, |k| similarity(row[k]) > 0.0);
    let rewards: Vec<f64> = f.iter().zip(row).map(|(f, &x)| similarity(x) * f).collect();
    let reward: f64 = rewards.iter().sum();
    let d: Vec<f64> = row.iter().map(|&x| dissimilarity(x)).collect();
    let wrong: f64 = p.iter().zip(&d).map(|(p, d)| d * p).sum();
    let loss = if wrong < 0.5 { -(-wrong).ln_1p() } else { (m - similar_m) + total.ln() - reward.ln() };
    Sample { loss, p, q: rewards.iter().map(|x| x / reward).collect(), d, wrong }
}
