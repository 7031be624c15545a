//! Discriminators: recognised and summarised, whatever their names.

use super::count;
use crate::checkpoint::{
    network::{DiscriminatorSummary, Plan},
    tensor::NamedTensors,
};

/// The discriminator whose arrays these are; `None` if they are of none that is known.
pub(in crate::checkpoint) fn discriminator(tensors: &NamedTensors) -> Option<DiscriminatorSummary> {
    let plan = Plan::new("", tensors);
    let shape = |name: &str| tensors.get(name).map(|view| view.shape.as_slice());
    if plan.has("b4.out.weight") {
        // Official names: blocks b<resolution>, the first one reads the image.
        let resolution = (2..=10).map(|log2| 1usize << log2).rfind(|r| plan.has(&format!("b{r}.conv0.weight")))?;
        let &[_, img_channels, ..] = shape(&format!("b{resolution}.fromrgb.weight"))? else { return None };
        let label_dim = shape("mapping.embed.weight").and_then(|shape| shape.get(1).copied()).unwrap_or(0);
        return Some(DiscriminatorSummary { resolution, img_channels, label_dim });
    }
    if plan.has("final_linear.1.weight") {
        // Community StyleGAN2: convs.0 reads the image, each further one halves it.
        let &[_, img_channels, ..] = shape("convs.0.0.weight")? else { return None };
        let resolution = 4 << count(&plan, |i| format!("convs.{}.conv1.0.weight", i + 1)).min(8);
        return Some(DiscriminatorSummary { resolution, img_channels, label_dim: 0 });
    }
    if plan.has("linear.linear.weight_orig") && plan.has("progression.0.conv1.0.conv.weight_orig") {
        let blocks = count(&plan, |i| format!("progression.{i}.conv1.0.conv.weight_orig"));
        let &[_, img_channels, ..] = shape("from_rgb.0.0.conv.weight_orig").or(shape("from_rgb.0.conv.weight_orig"))?
        else {
            return None;
        };
        return Some(DiscriminatorSummary { resolution: 4 << blocks.clamp(1, 9) >> 1, img_channels, label_dim: 0 });
    }
    if plan.has("4x4/Dense1/weight") || plan.has("Output/weight") {
        // TensorFlow: [k, k, in, out].
        let resolution = (2..=10)
            .map(|log2| 1usize << log2)
            .rfind(|r| plan.has(&format!("{r}x{r}/Conv0/weight")) || (*r == 4 && plan.has("4x4/Conv/weight")))?;
        let from_rgb = [format!("{resolution}x{resolution}/FromRGB/weight"), "FromRGB_lod0/weight".to_owned()];
        let &[_, _, img_channels, _] = from_rgb.iter().find_map(|name| shape(name))? else { return None };
        let outputs = ["Output/weight", "4x4/Dense1/weight"].iter().find_map(|name| shape(name));
        let label_dim = outputs.and_then(|shape| shape.get(1).copied()).filter(|n| *n > 1).unwrap_or(0);
        return Some(DiscriminatorSummary { resolution, img_channels, label_dim });
    }
    None
}
