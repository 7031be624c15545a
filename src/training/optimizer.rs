//! Adam over a network's weights (arXiv 1412.6980), with the clean-up of gradients and the correction for lazy regularisation.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};

use super::error::TrainError;
use crate::{
    grad::Var,
    model::{
        state_dict::{HostTensor, StateDict},
        trainable::{Params, Weights},
    },
};

/// The constants of Adam.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the mean of gradients.
    pub beta1: f64,
    /// Decay of the mean of squared gradients.
    pub beta2: f64,
    /// Added to the root.
    pub epsilon: f64,
}

impl AdamConfig {
    /// Corrected for a regulariser that steps every `interval` iterations: with `c = i / (i + 1)`, lr * c and betas ^ c (StyleGAN2,
    /// appendix B).
    pub fn lazy(self, interval: Option<u32>) -> Self {
        let Some(interval) = interval else { return self };
        let c = f64::from(interval) / f64::from(interval + 1);
        Self { lr: self.lr * c, beta1: self.beta1.powf(c), beta2: self.beta2.powf(c), ..self }
    }
}

/// What Adam remembers.
#[derive(Debug, Clone, Default)]
pub struct Adam {
    moments: BTreeMap<String, [Tensor<4>; 2]>,
    /// Steps so far.
    pub steps: u64,
}

impl Adam {
    /// One step of all weights that learn. A weight that the loss does not depend on gets a gradient of zeros, as in the reference
    /// implementations; one that never had a gradient stays as it is.
    pub fn step(&mut self, config: &AdamConfig, params: &mut Params, gradients: &BTreeMap<String, Var>) {
        self.steps += 1;
        let AdamConfig { lr, beta1, beta2, epsilon } = *config;
        let exponent = self.steps.min(i32::MAX as u64) as i32;
        let rate = lr / (1.0 - beta1.powi(exponent));
        let root = 1.0 / (1.0 - beta2.powi(exponent)).sqrt();
        for (name, param) in params.0.iter_mut().filter(|(_, param)| param.learns) {
            let gradient = match (gradients.get(name), self.moments.contains_key(name)) {
                (Some(gradient), _) => clean(gradient.value().clone()),
                (None, true) => param.value.zeros_like(),
                (None, false) => continue,
            };
            let zeros = || [gradient.zeros_like(), gradient.zeros_like()];
            let [m, v] = self.moments.remove(name).unwrap_or_else(zeros);
            let m = if beta1 == 0.0 {
                gradient.clone()
            } else {
                m.mul_scalar(beta1) + gradient.clone().mul_scalar(1.0 - beta1)
            };
            let v = v.mul_scalar(beta2) + gradient.clone().mul(gradient).mul_scalar(1.0 - beta2);
            let step = m.clone().div(v.clone().sqrt().mul_scalar(root).add_scalar(epsilon)).mul_scalar(rate);
            param.value = param.value.clone().sub(step);
            self.moments.insert(name.clone(), [m, v]);
        }
    }

    /// Forgets everything (when a resolution enters).
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Everything that is remembered, under `prefix`.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn save(&self, prefix: &str, arrays: &mut StateDict) -> Result<(), TrainError> {
        for (name, moments) in &self.moments {
            for (part, moment) in ["m", "v"].iter().zip(moments) {
                let shape = moment.dims().to_vec();
                let data = host(name, moment.clone())?;
                arrays.0.insert(format!("{prefix}.{part}.{name}"), HostTensor { shape, data });
            }
        }
        Ok(())
    }

    /// Takes back what [`Self::save`] wrote.
    ///
    /// # Errors
    /// If something is missing or of another shape than the weights.
    pub fn restore(
        &mut self,
        prefix: &str,
        arrays: &StateDict,
        params: &Params,
        steps: u64,
        device: &Device,
    ) -> Result<(), TrainError> {
        self.reset();
        self.steps = steps;
        for (name, param) in &params.0 {
            let find = |part: &str| arrays.0.get(&format!("{prefix}.{part}.{name}"));
            let (Some(m), Some(v)) = (find("m"), find("v")) else { continue };
            let dims = param.value.dims();
            if m.shape != dims || v.shape != dims || m.data.len() != v.data.len() {
                return Err(TrainError::State(format!("the optimizer's memory of {name} has another shape")));
            }
            let tensor = |x: &HostTensor| Tensor::from_data(TensorData::new(x.data.clone(), dims), device);
            self.moments.insert(name.clone(), [tensor(m), tensor(v)]);
        }
        Ok(())
    }
}

/// The values of a tensor of the training on the host.
pub(super) fn host(what: &str, tensor: Tensor<4>) -> Result<Vec<f32>, TrainError> {
    tensor
        .try_into_vec_as::<f32>()
        .map_err(|cause| TrainError::Device { what: what.to_owned(), cause: cause.to_string() })
}

/// NaN to 0, infinities to +-1e5.
fn clean(gradient: Tensor<4>) -> Tensor<4> {
    // NaN is neither at least nor at most anything, so it survives a comparison with 0 on neither side.
    let gradient = gradient.clone().mask_fill(gradient.is_nan(), 0.0);
    let infinite = gradient.clone().abs().greater_elem(f32::MAX);
    let limit = gradient.clone().sign().mul_scalar(1e5);
    gradient.mask_where(infinite, limit)
}

/// The gradients of `loss` by all weights that learn, by name.
pub(super) fn weight_gradients(loss: &Var, weights: &Weights) -> BTreeMap<String, Var> {
    let (names, leaves): (Vec<&String>, Vec<&Var>) = weights.tracked().unzip();
    let seed = Var::constant(loss.value().ones_like());
    let found = crate::grad::gradients(loss, &seed, &leaves, false);
    names.into_iter().zip(found).filter_map(|(name, gradient)| Some((name.clone(), gradient?))).collect()
}

/// Moves the average of the weights: `average = weight + beta * (average - weight)`; buffers are copied.
pub(super) fn move_average(average: &mut Params, params: &Params, beta: f64) {
    for (name, param) in &params.0 {
        let Some(kept) = average.0.get_mut(name) else { continue };
        kept.value = if param.learns {
            let difference = kept.value.clone().sub(param.value.clone());
            param.value.clone().add(difference.mul_scalar(beta))
        } else {
            param.value.clone()
        };
    }
}
