//! StyleGAN under the names of the community port with `step` and `alpha`. The weights keep their names: its arithmetic
//! differs from the official one in more than weights could make good.

use super::{Hints, Recognised, count, mapping_config, refuse_labels, resolution};
use crate::{
    checkpoint::{checkpoint::Lineage, error::Fault, network::Plan, source::Section},
    model::config::{ChannelTable, GeneratorConfig, StyleGan1Config, StyleGan1Variant, resolutions},
};

pub(super) fn read(mut plan: Plan<'_>, hints: &Hints, file: Section<'_>) -> Result<Recognised, Fault> {
    refuse_labels(&plan)?;
    let block_name = |block: usize| format!("generator.progression.{block}");
    let stored = count(&plan, |block| format!("{}.conv2.conv.weight_orig", block_name(block)));
    let mut trained = 0;
    for block in 0..stored {
        // Noise weights begin at exactly 0: where they still are, the growing training never came.
        let weight = plan.view(&format!("{}.noise1.weight_orig", block_name(block)))?;
        if weight.num_elements() <= 4096 && weight.read(file)?.iter().any(|value| *value != 0.0) {
            trained = block + 1;
        }
    }
    let blocks = if trained == 0 || hints.all_blocks { stored } else { trained };
    let mut notes = Vec::new();
    if blocks < stored {
        notes.push(format!(
            "The file has blocks up to {0}x{0}, trained up to {1}x{1}; the rest is left out.",
            resolution(&plan, stored)?,
            resolution(&plan, blocks)?
        ));
    }
    let resolution = resolution(&plan, blocks)?;
    let num_layers = count(&plan, |i| format!("style.{}.linear.weight_orig", 1 + 2 * i));
    let [hidden_dim, z_dim] = plan.dims("style.1.linear.weight_orig")?;
    let [w_dim, _] = plan.dims(&format!("style.{}.linear.weight_orig", 2 * num_layers.max(1) - 1))?;
    let mut channels = ChannelTable(Default::default());
    let mut img_channels = 0;
    let mut fused_from = None;
    for (block, r) in resolutions(resolution).enumerate() {
        let [colours, outputs, _, _] = plan.dims(&format!("generator.to_rgb.{block}.conv.weight_orig"))?;
        channels.0.insert(r, outputs);
        img_channels = colours;
        if fused_from.is_none() && plan.has(&format!("{}.conv1.0.weight", block_name(block))) {
            fused_from = Some(r);
        }
    }
    let config = StyleGan1Config {
        variant: StyleGan1Variant::Community,
        z_dim,
        label_dim: 0,
        w_dim,
        resolution,
        img_channels,
        mapping: mapping_config(
            num_layers,
            hidden_dim,
            &Hints { lr_multiplier: Some(1.0), ..Default::default() },
            0.995,
        ),
        channels,
        fused_from: fused_from.unwrap_or(2 * resolution),
        lod: 0.0,
        features: Default::default(),
    };
    let mut same = |name: String, shape: &[usize]| plan.take(name.clone(), &name, shape);
    for i in 0..num_layers {
        let inputs = if i == 0 { z_dim } else { hidden_dim };
        let outputs = if i + 1 == num_layers { w_dim } else { hidden_dim };
        same(format!("style.{}.linear.weight_orig", 1 + 2 * i), &[outputs, inputs])?;
        same(format!("style.{}.linear.bias", 1 + 2 * i), &[outputs])?;
    }
    for (block, r) in resolutions(resolution).enumerate() {
        let outputs = config.channels.at(r);
        let name = block_name(block);
        if block == 0 {
            same(format!("{name}.conv1.input"), &[1, outputs, 4, 4])?;
        } else {
            let inputs = config.channels.at(r / 2);
            let (conv, suffix, shape) = match r >= config.fused_from {
                true => ("conv1.0", "weight", [inputs, outputs, 3, 3]),
                false => ("conv1.1.conv", "weight_orig", [outputs, inputs, 3, 3]),
            };
            same(format!("{name}.{conv}.{suffix}"), &shape)?;
            same(format!("{name}.{conv}.bias"), &[outputs])?;
        }
        same(format!("{name}.conv2.conv.weight_orig"), &[outputs, outputs, 3, 3])?;
        same(format!("{name}.conv2.conv.bias"), &[outputs])?;
        for half in 1..=2 {
            same(format!("{name}.noise{half}.weight_orig"), &[1, outputs, 1, 1])?;
            same(format!("{name}.adain{half}.style.linear.weight_orig"), &[2 * outputs, w_dim])?;
            same(format!("{name}.adain{half}.style.linear.bias"), &[2 * outputs])?;
        }
        same(format!("generator.to_rgb.{block}.conv.weight_orig"), &[img_channels, outputs, 1, 1])?;
        same(format!("generator.to_rgb.{block}.conv.bias"), &[img_channels])?;
    }
    match ["w_avg", "mean_style", "latent_avg"].into_iter().find(|name| plan.has(name)) {
        Some(name) => plan.take("w_avg", name, &[w_dim])?,
        None => notes.push("The file has no average w; it is estimated from random z when the model is loaded.".into()),
    }
    let lineage = Lineage::Community;
    Ok(Recognised { lineage, config: GeneratorConfig::StyleGan1(config), plan: plan.finish(), notes })
}
