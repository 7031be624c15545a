//! StyleGAN2 under the names of the official PyTorch code.

use super::{Hints, Recognised, count, mapping_config, resolution};
use crate::{
    checkpoint::{checkpoint::Lineage, error::Fault, network::Plan, source::Section, tensor::TensorView},
    model::config::{Architecture, ChannelTable, GeneratorConfig, StyleGan2Config, resolutions},
};

pub(super) fn read(mut plan: Plan<'_>, hints: &Hints) -> Result<Recognised, Fault> {
    let resolution = resolution(&plan, count(&plan, |block| format!("synthesis.b{}.conv1.weight", 4usize << block)))?;
    let num_layers = count(&plan, |i| format!("mapping.fc{i}.weight"));
    let [hidden_dim, inputs] = plan.dims("mapping.fc0.weight")?;
    let [w_dim, _] = plan.dims(&format!("mapping.fc{}.weight", num_layers.max(1) - 1))?;
    let (embedding, label_dim) = match plan.has("mapping.embed.weight") {
        true => plan.dims::<2>("mapping.embed.weight")?.into(),
        false => (0, 0),
    };
    let z_dim =
        inputs.checked_sub(embedding).ok_or_else(|| plan.fault("its label embedding is wider than its input"))?;
    let mut channels = ChannelTable(Default::default());
    for r in resolutions(resolution) {
        let [outputs, _, _, _] = plan.dims(&format!("synthesis.b{r}.conv1.weight"))?;
        channels.0.insert(r, outputs);
    }
    let last = format!("synthesis.b{resolution}.torgb.weight");
    let [img_channels, _, _, _] = plan.dims(&last)?;
    let architecture = hints.architecture.unwrap_or(if plan.has("synthesis.b8.skip.weight") {
        Architecture::Resnet
    } else if plan.has("synthesis.b4.torgb.weight") {
        Architecture::Skip
    } else {
        Architecture::Orig
    });
    let mut notes = Vec::new();
    if hints.conv_clamp.is_none() {
        notes.push(super::NO_CLAMP.to_owned());
    }
    let config = StyleGan2Config {
        z_dim,
        label_dim,
        w_dim,
        resolution,
        img_channels,
        mapping: mapping_config(num_layers, hidden_dim, hints, 0.998),
        channels,
        architecture,
        conv_clamp: hints.conv_clamp.flatten(),
        use_noise: plan.has("synthesis.b4.conv1.noise_strength"),
        resample_filter: hints.resample_filter.clone().unwrap_or_else(|| vec![1.0, 3.0, 3.0, 1.0]),
    };

    if label_dim > 0 {
        same(&mut plan, "mapping.embed.weight", &[embedding, label_dim])?;
        same(&mut plan, "mapping.embed.bias", &[embedding])?;
    }
    for i in 0..num_layers {
        let inputs = if i == 0 { inputs } else { hidden_dim };
        let outputs = if i + 1 == num_layers { w_dim } else { hidden_dim };
        same(&mut plan, &format!("mapping.fc{i}.weight"), &[outputs, inputs])?;
        same(&mut plan, &format!("mapping.fc{i}.bias"), &[outputs])?;
    }
    plan.take_optional("mapping.w_avg", "mapping.w_avg", &[w_dim])?;
    same(&mut plan, "synthesis.b4.const", &[config.channels.at(4), 4, 4])?;
    for r in resolutions(resolution) {
        block(&mut plan, &config, r)?;
    }
    let lineage = Lineage::OfficialTorch;
    Ok(Recognised { lineage, config: GeneratorConfig::StyleGan2(config), plan: plan.finish(), notes })
}

fn block(plan: &mut Plan<'_>, config: &StyleGan2Config, r: usize) -> Result<(), Fault> {
    let outputs = config.channels.at(r);
    let inputs = if r == 4 { outputs } else { config.channels.at(r / 2) };
    let layers: &[(&str, usize)] = if r == 4 { &[("conv1", inputs)] } else { &[("conv0", inputs), ("conv1", outputs)] };
    for (layer, inputs) in layers {
        let name = format!("synthesis.b{r}.{layer}");
        same(plan, &format!("{name}.weight"), &[outputs, *inputs, 3, 3])?;
        same(plan, &format!("{name}.bias"), &[outputs])?;
        affine(plan, &name, *inputs, config.w_dim)?;
        if config.use_noise {
            same(plan, &format!("{name}.noise_strength"), &[])?;
            let noise = format!("{name}.noise_const");
            plan.take_optional(noise.clone(), &noise, &[r, r])?;
        }
    }
    if config.architecture == Architecture::Skip || r == config.resolution {
        let name = format!("synthesis.b{r}.torgb");
        same(plan, &format!("{name}.weight"), &[config.img_channels, outputs, 1, 1])?;
        same(plan, &format!("{name}.bias"), &[config.img_channels])?;
        affine(plan, &name, outputs, config.w_dim)?;
    }
    if config.architecture == Architecture::Resnet && r > 4 {
        same(plan, &format!("synthesis.b{r}.skip.weight"), &[outputs, inputs, 1, 1])?;
    }
    Ok(())
}

fn affine(plan: &mut Plan<'_>, layer: &str, inputs: usize, w_dim: usize) -> Result<(), Fault> {
    same(plan, &format!("{layer}.affine.weight"), &[inputs, w_dim])?;
    same(plan, &format!("{layer}.affine.bias"), &[inputs])
}

fn same(plan: &mut Plan<'_>, name: &str, shape: &[usize]) -> Result<(), Fault> {
    plan.take(name, name, shape)
}

/// The taps of a stored resampling filter: one axis, or the outer product of the taps with themselves. Files have it
/// normalised; small whole numbers are brought back, so that `[1, 3, 3, 1]` reads as in the paper.
pub(in crate::checkpoint) fn filter_taps(view: &TensorView, file: Section<'_>) -> Result<Option<Vec<f32>>, Fault> {
    let values = match view.shape.as_slice() {
        [n] | [n, _] if (1..=64).contains(n) && view.num_elements() <= 64 * 64 => view.read(file)?,
        _ => return Ok(None),
    };
    let taps: Vec<f32> = match view.shape.as_slice() {
        [height, width] if height == width => values.chunks_exact(*width).map(|row| row.iter().sum()).collect(),
        [_] => values,
        _ => return Ok(None),
    };
    let smallest = taps.iter().map(|tap| tap.abs()).filter(|tap| *tap > 0.0).fold(f32::INFINITY, f32::min);
    let whole: Vec<f32> = taps.iter().map(|tap| tap / smallest).collect();
    let is_whole = whole.iter().all(|tap| tap.abs() < 64.0 && (tap - tap.round()).abs() < 1e-4);
    Ok(Some(if is_whole { whole.iter().map(|tap| tap.round()).collect() } else { taps }))
}
