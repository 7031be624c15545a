//! `z -> w` and `w -> style`.

use std::f32::consts::SQRT_2;

use super::params::Weights;
use crate::{
    grad::{Act, Var},
    model::{
        config::{GeneratorConfig, LabelNormalization, MappingConfig},
        error::ModelError,
    },
};

/// `x / sqrt(mean(x^2) + 1e-8)` of every sample over its channels.
pub(super) fn normalize(x: &Var) -> Var {
    let [batch, _, height, width] = x.dims();
    let power = x.square().mean_to([batch, 1, height, width]);
    x.mul(&power.affine(1.0, 1e-8).power(-0.5))
}

/// A fully connected layer: `act(x @ (weight * gain / sqrt(inputs))^T + bias * bias_gain)`.
pub(super) fn dense(
    weights: &Weights,
    name: &str,
    x: &Var,
    [gain, bias_gain]: [f32; 2],
    act: Act,
) -> Result<Var, ModelError> {
    let weight = weights.get(&format!("{name}.weight"))?;
    let inputs = weight.dims()[1];
    let y = x.linear(weight).scale(gain / (inputs as f32).sqrt());
    let bias = weights.get(&format!("{name}.bias"))?.scale(bias_gain);
    Ok(y.bias_act(Some(&bias), act))
}

/// The mapping network of a generator.
///
/// # Shapes
/// - z: [N, z_dim, 1, 1], label: [N, label_dim, 1, 1] of a conditional network
/// - output: [N, w_dim, 1, 1]
pub(super) fn mapping(
    config: &GeneratorConfig,
    weights: &Weights,
    z: &Var,
    label: Option<&Var>,
) -> Result<Var, ModelError> {
    let label = label.filter(|_| config.label_dim() > 0);
    if config.label_dim() > 0 && label.is_none() {
        return Err(ModelError::Label("a conditional network needs a label"));
    }
    match config {
        GeneratorConfig::StyleGan2(c) => {
            let x = match label {
                None => normalize(z),
                Some(label) => {
                    let y = dense(weights, "mapping.embed", label, [1.0, 1.0], Act::LINEAR)?;
                    match c.mapping.label_normalization {
                        LabelNormalization::Separate => Var::cat(&[normalize(z), normalize(&y)], 1),
                        LabelNormalization::Joint => normalize(&Var::cat(&[z.clone(), y], 1)),
                    }
                }
            };
            stylegan2_layers(&c.mapping, weights, x)
        }
        GeneratorConfig::StyleGan1(c) if !c.features.styles => Ok(match label {
            None => normalize(z),
            Some(label) => normalize(&Var::cat(&[z.clone(), label.clone()], 1)),
        }),
        GeneratorConfig::StyleGan1(c) => {
            let x = match label {
                None => z.clone(),
                // label @ weight, the weight [label_dim, z_dim].
                Some(label) => {
                    let y = label.linear(&weights.get("mapping.label_weight")?.swap());
                    Var::cat(&[z.clone(), y], 1)
                }
            };
            let rate = c.mapping.lr_multiplier as f32;
            (0..c.mapping.num_layers).try_fold(normalize(&x), |x, i| {
                dense(weights, &format!("mapping.dense{i}"), &x, [SQRT_2 * rate, rate], Act::PLAIN_LEAKY_RELU)
            })
        }
    }
}

/// A StyleGAN2 discriminator's vector for a label.
pub(super) fn label_mapping(mapping: &MappingConfig, weights: &Weights, label: &Var) -> Result<Var, ModelError> {
    let x = dense(weights, "mapping.embed", label, [1.0, 1.0], Act::LINEAR)?;
    stylegan2_layers(mapping, weights, normalize(&x))
}

fn stylegan2_layers(mapping: &MappingConfig, weights: &Weights, x: Var) -> Result<Var, ModelError> {
    let rate = mapping.lr_multiplier as f32;
    (0..mapping.num_layers)
        .try_fold(x, |x, i| dense(weights, &format!("mapping.fc{i}"), &x, [rate, rate], Act::LEAKY_RELU))
}
