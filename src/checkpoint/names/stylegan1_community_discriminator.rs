//! StyleGAN's discriminator under the names of the community port. Its weights get the official names; two of its layers are
//! written differently there: the last convolution is a fully connected layer, and the logit has the gain sqrt(2) of the others.

use std::f32::consts::SQRT_2;

use super::{Hints, count, discriminator::Discriminator, refuse_labels, resolution};
use crate::{
    checkpoint::{
        error::Fault,
        network::{Layout, NetworkConfig, Plan},
        source::Section,
    },
    model::{
        config::{ChannelTable, StyleGan1Variant, resolutions},
        discriminator_config::{DiscriminatorConfig, StyleGan1DiscriminatorConfig, WHOLE_BATCH},
    },
};

pub(super) fn read(mut plan: Plan<'_>, hints: &Hints, file: Section<'_>) -> Result<Discriminator, Fault> {
    refuse_labels(&plan)?;
    let stored = count(&plan, |block| format!("{}.weight_orig", conv1(block)));
    let untrained = if hints.all_blocks { 0 } else { untrained(&plan, stored, file)? };
    let resolution = resolution(&plan, stored - untrained)?;
    let mut notes = Vec::new();
    if untrained > 0 {
        notes.push(format!(
            "The discriminator's blocks above {resolution}x{resolution} were never trained; they are left out."
        ));
    }

    // With an activation, the layer is the first of two.
    let from_rgb_activation = plan.has("from_rgb.0.0.conv.weight_orig");
    let from_rgb = |block: usize| match from_rgb_activation {
        true => format!("from_rgb.{block}.0.conv"),
        false => format!("from_rgb.{block}.conv"),
    };
    let is_fused = |plan: &Plan<'_>, block: usize| plan.has(&format!("progression.{block}.conv2.1.weight"));
    let mut channels = ChannelTable(Default::default());
    let (mut img_channels, mut fused_from) = (0, 2 * resolution);
    for (block, r) in (untrained..).zip(resolutions(resolution).rev()) {
        let [outputs, inputs, _, _] = plan.dims(&format!("{}.weight_orig", from_rgb(block)))?;
        channels.0.insert(r, outputs);
        img_channels = inputs;
        if is_fused(&plan, block) {
            fused_from = r;
        }
    }

    let mut layer = 0;
    for (lod, r) in resolutions(resolution).rev().enumerate() {
        let (block, inputs) = (untrained + lod, channels.at(r));
        let mut take = |to: String, [weight, bias]: [String; 2], shape: &[usize], layout| {
            plan.convert(format!("{to}.weight"), &weight, shape, layout, 1.0, 0.0)?;
            plan.take(format!("{to}.bias"), &bias, shape.get(..1).unwrap_or_default())
        };
        take(format!("input{lod}"), equalised(&from_rgb(block)), &[inputs, img_channels, 1, 1], Layout::Same)?;
        let (first, second) = (format!("layer{layer}"), format!("layer{}", layer + 1));
        layer += 2;
        if r == 4 {
            take(first, equalised(&conv1(block)), &[inputs, inputs + 1, 3, 3], Layout::Same)?;
            let last = equalised(&format!("progression.{block}.conv2.0.conv"));
            take(second, last, &[inputs, inputs * 16], Layout::Flattened)?;
            continue;
        }
        let outputs = channels.at(r / 2);
        take(first, equalised(&conv1(block)), &[outputs, inputs, 3, 3], Layout::Same)?;
        let conv2 = format!("progression.{block}.conv2.1");
        let names = match r >= fused_from {
            true => ["weight", "bias"].map(|field| format!("{conv2}.{field}")),
            false => equalised(&format!("{conv2}.conv")),
        };
        take(second, names, &[outputs, outputs, 3, 3], Layout::Same)?;
    }
    let [weight, bias] = equalised("linear.linear");
    plan.convert(format!("layer{layer}.weight"), &weight, &[1, channels.at(4)], Layout::Same, SQRT_2, 0.0)?;
    plan.take(format!("layer{layer}.bias"), &bias, &[1])?;

    let config = StyleGan1DiscriminatorConfig {
        resolution,
        img_channels,
        label_dim: 0,
        channels,
        variant: StyleGan1Variant::Community,
        from_rgb_activation,
        fused_from,
        mbstd_group_size: WHOLE_BATCH,
        resample_filter: vec![1.0, 2.0, 1.0],
    };
    let config = NetworkConfig::Discriminator(DiscriminatorConfig::StyleGan1(config));
    Ok(Discriminator { config, plan: plan.finish(), notes })
}

/// The first convolution of a block; blocks are numbered from the image on.
fn conv1(block: usize) -> String {
    format!("progression.{block}.conv1.0.conv")
}

/// Names of the weight and the bias of a layer with an equalised learning rate.
fn equalised(layer: &str) -> [String; 2] {
    [format!("{layer}.weight_orig"), format!("{layer}.bias")]
}

/// Blocks that growing never reached: their biases are still the 0 with which they began. None of a network that was never
/// trained at all.
fn untrained(plan: &Plan<'_>, stored: usize, file: Section<'_>) -> Result<usize, Fault> {
    for block in 0..stored {
        let bias = plan.view(&format!("{}.bias", conv1(block)))?;
        if bias.num_elements() <= 4096 && bias.read(file)?.iter().any(|value| *value != 0.0) {
            return Ok(block);
        }
    }
    Ok(0)
}
