//! Discriminators: recognised whatever their names, and delivered under the official ones.

use super::{Hints, stylegan1_community_discriminator, stylegan1_discriminator, stylegan2_discriminator};
use crate::checkpoint::{
    error::Fault,
    network::{NetworkConfig, Plan, Planned},
    source::Section,
    tensor::NamedTensors,
};

/// A discriminator that was recognised.
pub(in crate::checkpoint) struct Discriminator {
    pub config: NetworkConfig,
    pub plan: Vec<Planned>,
    pub notes: Vec<String>,
}

/// The discriminator whose arrays these are; `None` if they are of none that is known. `file` is the whole file.
pub(in crate::checkpoint) fn discriminator(
    network: &str,
    tensors: &NamedTensors,
    hints: &Hints,
    file: Section<'_>,
) -> Result<Option<Discriminator>, Fault> {
    let plan = Plan::new(network, tensors);
    let found = if plan.has("b4.out.weight") {
        stylegan2_discriminator::official(plan, hints)?
    } else if plan.has("final_linear.1.weight") && plan.has("convs.0.0.weight") {
        stylegan2_discriminator::community(plan)?
    } else if plan.has("4x4/Conv/weight") && plan.has("Output/weight") {
        stylegan2_discriminator::tensorflow(plan, hints)?
    } else if plan.has("input0.weight") && plan.has("layer0.weight") {
        stylegan1_discriminator::official(plan, hints)?
    } else if plan.has("4x4/Dense1/weight") && plan.has("FromRGB_lod0/weight") {
        stylegan1_discriminator::tensorflow(plan, hints)?
    } else if plan.has("linear.linear.weight_orig") && plan.has("progression.0.conv1.0.conv.weight_orig") {
        stylegan1_community_discriminator::read(plan, hints, file)?
    } else {
        return Ok(None);
    };
    if let NetworkConfig::Discriminator(config) = &found.config {
        config.validate().map_err(|source| Fault::Config { network: network.to_owned(), source })?;
    }
    Ok(Some(found))
}
