//! Discriminators: recognised whatever their names, and delivered under the official ones where their arithmetic is that
//! of the official code.

use super::{Hints, count, stylegan1_discriminator, stylegan2_discriminator};
use crate::{
    checkpoint::{
        error::Fault,
        network::{DiscriminatorSummary, NetworkConfig, Plan, Planned},
        tensor::NamedTensors,
    },
    model::config::{MAX_RESOLUTION, MAX_WIDTH, resolutions},
    model::discriminator_config::DiscriminatorConfig,
};

/// A discriminator that was recognised.
pub(in crate::checkpoint) struct Discriminator {
    pub config: NetworkConfig,
    pub plan: Vec<Planned>,
    pub notes: Vec<String>,
}

/// The discriminator whose arrays these are; `None` if they are of none that is known.
pub(in crate::checkpoint) fn discriminator(
    network: &str,
    tensors: &NamedTensors,
    hints: &Hints,
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
    } else {
        return Ok(stylegan1_community(&plan));
    };
    if let NetworkConfig::Discriminator(config) = &found.config {
        validate(network, config)?;
    }
    Ok(Some(found))
}

/// The discriminator of StyleGAN's community port, whose arithmetic is its own.
fn stylegan1_community(plan: &Plan<'_>) -> Option<Discriminator> {
    if !plan.has("linear.linear.weight_orig") {
        return None;
    }
    let blocks = count(plan, |i| format!("progression.{i}.conv1.0.conv.weight_orig"));
    let from_rgb = ["from_rgb.0.0.conv.weight_orig", "from_rgb.0.conv.weight_orig"];
    let image = from_rgb.iter().find_map(|name| plan.tensors.get(*name))?;
    let img_channels = *image.shape.get(1)?;
    let summary = DiscriminatorSummary { resolution: 4 << blocks.clamp(1, 9) >> 1, img_channels, label_dim: 0 };
    Some(other(summary, "The community port's StyleGAN discriminator is listed, but cannot be trained on."))
}

/// A discriminator that is listed alone, and why.
pub(super) fn other(summary: DiscriminatorSummary, why: &str) -> Discriminator {
    Discriminator { config: NetworkConfig::OtherDiscriminator(summary), plan: Vec::new(), notes: vec![why.to_owned()] }
}

/// Checks what the shapes gave, as for generators.
fn validate(network: &str, config: &DiscriminatorConfig) -> Result<(), Fault> {
    let fault = |cause: String| Fault::Weights { network: network.to_owned(), cause };
    let resolution = config.resolution();
    if !(resolution.is_power_of_two() && (4..=MAX_RESOLUTION).contains(&resolution)) {
        return Err(fault(format!("its images are {resolution} pixels wide")));
    }
    if !matches!(config.img_channels(), 1 | 3 | 4) {
        return Err(fault(format!("its images have {} channels", config.img_channels())));
    }
    let widths = resolutions(resolution).map(|r| config.channels().at(r));
    let cmap_dim = match config {
        DiscriminatorConfig::StyleGan2(config) => config.cmap_dim,
        DiscriminatorConfig::StyleGan1(_) => 1,
    };
    if let Some(width) = widths.chain([cmap_dim]).find(|width| !(1..=MAX_WIDTH).contains(width)) {
        return Err(fault(format!("it has a layer of {width} channels")));
    }
    if config.label_dim() > MAX_WIDTH {
        return Err(fault(format!("it has {} classes", config.label_dim())));
    }
    Ok(())
}
