//! Adam over a network's weights (arXiv 1412.6980), with the clean-up of gradients and the correction for lazy regularisation.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};

use super::error::TrainError;
use crate::{
    grad::{Var, primitive},
    model::{
        state_dict::{HostTensor, StateDict},
        trainable::{Params, Weights},
    },
    ops::cpu::batch::AdamStep,
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
        let options = AdamStep { lr, beta1, beta2, epsilon, step: self.steps };
        for (name, param) in params.0.iter_mut().filter(|(_, param)| param.learns) {
            let gradient = match (gradients.get(name), self.moments.contains_key(name)) {
                (Some(gradient), _) => gradient.value().clone(),
                (None, true) => param.value.zeros_like(),
                (None, false) => continue,
            };
            let zeros = || [gradient.zeros_like(), gradient.zeros_like()];
            let moments = self.moments.entry(name.clone()).or_insert_with(zeros);
            if !primitive::adam(&options, &gradient, &mut param.value, moments) {
                step_on_device(&options, gradient, &mut param.value, moments);
            }
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

/// [`primitive::adam`] as tensor operations.
fn step_on_device(options: &AdamStep, gradient: Tensor<4>, w: &mut Tensor<4>, moments: &mut [Tensor<4>; 2]) {
    let AdamStep { lr, beta1, beta2, epsilon, step } = *options;
    let exponent = step.min(i32::MAX as u64) as i32;
    let rate = lr / (1.0 - beta1.powi(exponent));
    let root = 1.0 / (1.0 - beta2.powi(exponent)).sqrt();
    let gradient = clean(gradient);
    let [m, v] = moments;
    *m = if beta1 == 0.0 {
        gradient.clone()
    } else {
        m.clone().mul_scalar(beta1) + gradient.clone().mul_scalar(1.0 - beta1)
    };
    *v = v.clone().mul_scalar(beta2) + gradient.clone().mul(gradient).mul_scalar(1.0 - beta2);
    let step = m.clone().div(v.clone().sqrt().mul_scalar(root).add_scalar(epsilon)).mul_scalar(rate);
    *w = w.clone().sub(step);
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
        if !param.learns {
            kept.value = param.value.clone();
        } else if !primitive::move_average(&mut kept.value, &param.value, beta) {
            let difference = kept.value.clone().sub(param.value.clone());
            kept.value = param.value.clone().add(difference.mul_scalar(beta));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{assert_same, noise, values};

    /// The kernel and the tensor operations that stand in for it on other devices.
    #[test]
    fn steps_agree_with_their_twin() {
        let device = Device::flex();
        let dims = [3, 5, 7, 2];
        for beta1 in [0.0, 0.9] {
            let (mut w, mut moments) = (noise(dims, 1, &device), [0, 1].map(|_| Tensor::zeros(dims, &device)));
            let (mut twin, mut twin_moments) = (w.clone(), moments.clone());
            for step in 1..4 {
                let options = AdamStep { lr: 0.01, beta1, beta2: 0.99, epsilon: 1e-8, step };
                let mut gradient = values(noise(dims, 1 + step as u32, &device));
                gradient[..3].copy_from_slice(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
                let gradient = Tensor::from_data(TensorData::new(gradient, dims), &device);
                assert!(primitive::adam(&options, &gradient, &mut w, &mut moments));
                step_on_device(&options, gradient, &mut twin, &mut twin_moments);
                assert_same(w.clone(), twin.clone(), 1e-6);
            }
            // Moments of infinite gradients are huge, so they are compared where they are not.
            let [m, v] = moments.map(|moment| moment.narrow(0, 1, 2));
            let [twin_m, twin_v] = twin_moments.map(|moment| moment.narrow(0, 1, 2));
            assert_same(m, twin_m, 1e-6);
            assert_same(v, twin_v, 1e-6);
        }
    }

    #[test]
    fn values_that_others_hold_do_not_change() {
        let device = Device::flex();
        let mut average = noise([2, 3, 4, 5], 1, &device);
        let before = average.clone();
        let w = noise([2, 3, 4, 5], 2, &device);
        assert!(primitive::move_average(&mut average, &w, 0.75));
        assert_same(before.clone(), noise([2, 3, 4, 5], 1, &device), 0.0);
        assert_same(average, w.mul_scalar(0.25) + before.mul_scalar(0.75), 1e-6);
    }
}
