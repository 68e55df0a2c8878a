//! A loss of simloss-core as an operation of candle: it maps the logits of a batch to their mean loss.

use candle_core::{CpuStorage, CustomOp1, Error, Layout, Result, Shape, Tensor};
use simloss_core::{
    Label,
    loss::{Criterion, Loss, Reduction, Targets},
};
use std::sync::{Arc, Mutex, PoisonError};

/// The mean loss of one batch.
pub struct MeanLoss<L> {
    loss: Arc<L>,
    labels: Vec<Option<Label>>,
    /// The core computes value and gradient together; the forward pass stores the gradient here for the backward pass.
    gradient: Mutex<Vec<f32>>,
}

impl<L: Loss<f32> + Send + Sync + 'static> MeanLoss<L> {
    /// The mean of `loss` over the rows of `logits`; rows without a label are ignored.
    ///
    /// # Errors
    /// The errors of [`Criterion::reduce`], and tensors that are not rows of `f32` on the CPU.
    pub fn of(logits: &Tensor, labels: &[Option<Label>], loss: &Arc<L>) -> Result<Tensor> {
        let op = MeanLoss { loss: loss.clone(), labels: labels.to_vec(), gradient: Mutex::default() };
        logits.contiguous()?.apply_op1(op)
    }
}

impl<L: Loss<f32> + Send + Sync + 'static> CustomOp1 for MeanLoss<L> {
    fn name(&self) -> &'static str {
        "simloss"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (first, last) = layout.contiguous_offsets().ok_or_else(|| Error::msg("the logits are not contiguous"))?;
        let logits = storage.as_slice::<f32>()?.get(first..last).ok_or_else(|| Error::msg("the logits end early"))?;
        let criterion = Criterion::new(&*self.loss);
        let targets = Targets::labels(&self.labels);
        let needed = criterion.scratch::<f32>(&targets);
        let (mut scalars, mut values) = (vec![0.0; needed.scalars], vec![0.0; needed.values]);
        let mut gradient = vec![0.0; logits.len()];
        let value = criterion
            .reduce(Reduction::MeanByWeight, logits, &targets, &mut scalars, &mut values, Some(&mut gradient))
            .map_err(Error::wrap)?;
        *self.gradient.lock().unwrap_or_else(PoisonError::into_inner) = gradient;
        Ok((CpuStorage::F32(vec![value]), Shape::from(())))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, upstream: &Tensor) -> Result<Option<Tensor>> {
        let gradient = self.gradient.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let gradient = Tensor::from_vec(gradient, logits.shape(), logits.device())?;
        // Usually 1: the loss is the end of the graph.
        Ok(Some(if upstream.to_scalar::<f32>()? == 1.0 { gradient } else { gradient.broadcast_mul(upstream)? }))
    }
}
