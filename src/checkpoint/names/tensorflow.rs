//! StyleGAN and StyleGAN2 under the names of the official TensorFlow code.
//!
//! Dense weights are [in, out] there and convolutions [k, k, in, out]. StyleGAN2's upsampling weights are stored turned
//! by 180 degrees, its style biases without their initial 1, and its convolutions multiply the weight by 1/sqrt(fan_in),
//! which goes into the weights here.

use super::{Hints, Recognised, count, mapping_config, resolution, stylegan1_official::FUSED_FROM};
use crate::{
    checkpoint::{
        checkpoint::Lineage,
        error::Fault,
        network::{Layout, Plan},
        tensor::NamedTensors,
    },
    model::config::{
        Architecture, ChannelTable, GeneratorConfig, LabelNormalization, StyleGan1Config, StyleGan1Variant,
        StyleGan2Config, resolutions,
    },
};

/// What a network says in its keyword arguments.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::checkpoint) struct TensorFlowHints {
    pub common: Hints,
    /// StyleGAN: `true` from 8 pixels on, `false` never, `None` ('auto') from 128 on.
    pub fused_scale: Option<bool>,
    /// StyleGAN: level of detail at which it was saved.
    pub lod: f32,
}

fn finish(plan: Plan<'_>, config: GeneratorConfig, notes: Vec<String>) -> Result<Recognised, Fault> {
    config.validate().map_err(|source| Fault::Config { network: plan.network.to_owned(), source })?;
    Ok(Recognised { lineage: Lineage::OfficialTensorFlow, config, plan: plan.finish(), notes })
}

/// The mapping's numbers: (layers, hidden, z, w, label, width of the embedding).
fn mapping(plan: &Plan<'_>) -> Result<[usize; 6], Fault> {
    let layers = count(plan, |i| format!("Dense{i}/weight"));
    let [inputs, hidden] = plan.dims("Dense0/weight")?;
    let [_, w_dim] = plan.dims(&format!("Dense{}/weight", layers.max(1) - 1))?;
    let [label, embedding] = if plan.has("LabelConcat/weight") { plan.dims("LabelConcat/weight")? } else { [0, 0] };
    let z_dim =
        inputs.checked_sub(embedding).ok_or_else(|| plan.fault("its label embedding is wider than its input"))?;
    Ok([layers, hidden, z_dim, w_dim, label, embedding])
}

fn dense(plan: &mut Plan<'_>, to: &str, from: &str, [outputs, inputs]: [usize; 2]) -> Result<(), Fault> {
    let (name, source) = (format!("{to}.weight"), format!("{from}/weight"));
    plan.convert(name, &source, &[outputs, inputs], Layout::Transposed, 1.0, 0.0)?;
    plan.take(format!("{to}.bias"), &format!("{from}/bias"), &[outputs])
}

/// The image's side and the channels by resolution; both families name their blocks alike.
fn blocks(plan: &Plan<'_>) -> Result<(usize, ChannelTable), Fault> {
    let blocks = 1 + count(plan, |block| format!("{0}x{0}/Conv1/weight", 8usize << block));
    let resolution = resolution(plan, blocks)?;
    let mut channels = ChannelTable(Default::default());
    for r in resolutions(resolution) {
        let name = if r == 4 { "4x4/Conv/weight".to_owned() } else { format!("{r}x{r}/Conv1/weight") };
        let [_, _, _, outputs] = plan.dims(&name)?;
        channels.0.insert(r, outputs);
    }
    Ok((resolution, channels))
}

pub(in crate::checkpoint) fn stylegan2_tensorflow(
    network: &str,
    tensors: &NamedTensors,
    hints: &TensorFlowHints,
) -> Result<Recognised, Fault> {
    let mut plan = Plan::new(network, tensors);
    let (resolution, channels) = blocks(&plan)?;
    let [num_layers, hidden_dim, z_dim, w_dim, label_dim, embedding] = mapping(&plan)?;
    let [_, _, _, img_channels] = plan.dims(&format!("{resolution}x{resolution}/ToRGB/weight"))?;
    let architecture = if plan.has("8x8/Skip/weight") {
        Architecture::Resnet
    } else if plan.has("4x4/ToRGB/weight") {
        Architecture::Skip
    } else {
        Architecture::Orig
    };
    let mut mapping = mapping_config(num_layers, hidden_dim, &hints.common, 0.995);
    mapping.label_normalization = LabelNormalization::Joint;
    let config = StyleGan2Config {
        z_dim,
        label_dim,
        w_dim,
        resolution,
        img_channels,
        mapping,
        channels,
        architecture,
        conv_clamp: hints.common.conv_clamp.flatten(),
        use_noise: plan.has("4x4/Conv/noise_strength"),
        resample_filter: hints.common.resample_filter.clone().unwrap_or_else(|| vec![1.0, 3.0, 3.0, 1.0]),
    };
    if label_dim > 0 {
        // The product with the label has no gain there; the embedding layer divides by sqrt(label_dim).
        let scale = (label_dim as f64).sqrt() as f32;
        let shape = [embedding, label_dim];
        plan.convert("mapping.embed.weight", "LabelConcat/weight", &shape, Layout::Transposed, scale, 0.0)?;
        plan.zeros("mapping.embed.bias", &[embedding]);
    }
    for i in 0..num_layers {
        let inputs = if i == 0 { z_dim + embedding } else { hidden_dim };
        let outputs = if i + 1 == num_layers { w_dim } else { hidden_dim };
        dense(&mut plan, &format!("mapping.fc{i}"), &format!("Dense{i}"), [outputs, inputs])?;
    }
    plan.take_optional("mapping.w_avg", "dlatent_avg", &[w_dim])?;
    plan.take("synthesis.b4.const", "4x4/Const/const", &[config.channels.at(4), 4, 4])?;
    for (block, r) in resolutions(resolution).enumerate() {
        stylegan2_block(&mut plan, &config, block, r)?;
    }
    finish(plan, GeneratorConfig::StyleGan2(config), Vec::new())
}

fn stylegan2_block(plan: &mut Plan<'_>, config: &StyleGan2Config, block: usize, r: usize) -> Result<(), Fault> {
    let outputs = config.channels.at(r);
    let inputs = if r == 4 { outputs } else { config.channels.at(r / 2) };
    let layers: &[(&str, &str, usize, usize)] = match r {
        4 => &[("conv1", "Conv", inputs, 0)],
        _ => &[("conv0", "Conv0_up", inputs, 2 * block - 1), ("conv1", "Conv1", outputs, 2 * block)],
    };
    for &(layer, source, inputs, noise) in layers {
        let (to, from) = (format!("synthesis.b{r}.{layer}"), format!("{r}x{r}/{source}"));
        let layout = if layer == "conv0" { Layout::HwioToOihwFlipped } else { Layout::HwioToOihw };
        let scale = (1.0 / (inputs as f64 * 9.0).sqrt()) as f32;
        let shape = [outputs, inputs, 3, 3];
        plan.convert(format!("{to}.weight"), &format!("{from}/weight"), &shape, layout, scale, 0.0)?;
        plan.take(format!("{to}.bias"), &format!("{from}/bias"), &[outputs])?;
        modulation(plan, &to, &from, inputs, config.w_dim)?;
        if config.use_noise {
            plan.take(format!("{to}.noise_strength"), &format!("{from}/noise_strength"), &[])?;
            plan.take_optional(format!("{to}.noise_const"), &format!("noise{noise}"), &[r, r])?;
        }
    }
    if config.architecture == Architecture::Skip || r == config.resolution {
        let (to, from) = (format!("synthesis.b{r}.torgb"), format!("{r}x{r}/ToRGB"));
        let shape = [config.img_channels, outputs, 1, 1];
        plan.convert(format!("{to}.weight"), &format!("{from}/weight"), &shape, Layout::HwioToOihw, 1.0, 0.0)?;
        plan.take(format!("{to}.bias"), &format!("{from}/bias"), &[config.img_channels])?;
        modulation(plan, &to, &from, outputs, config.w_dim)?;
    }
    if config.architecture == Architecture::Resnet && r > 4 {
        let (to, from) = (format!("synthesis.b{r}.skip.weight"), format!("{r}x{r}/Skip/weight"));
        plan.convert(to, &from, &[outputs, inputs, 1, 1], Layout::HwioToOihw, 1.0, 0.0)?;
    }
    Ok(())
}

fn modulation(plan: &mut Plan<'_>, to: &str, from: &str, inputs: usize, w_dim: usize) -> Result<(), Fault> {
    let (name, source) = (format!("{to}.affine.weight"), format!("{from}/mod_weight"));
    plan.convert(name, &source, &[inputs, w_dim], Layout::Transposed, 1.0, 0.0)?;
    let (name, source) = (format!("{to}.affine.bias"), format!("{from}/mod_bias"));
    plan.convert(name, &source, &[inputs], Layout::Same, 1.0, 1.0)
}

pub(in crate::checkpoint) fn stylegan1_tensorflow(
    network: &str,
    tensors: &NamedTensors,
    hints: &TensorFlowHints,
) -> Result<Recognised, Fault> {
    let mut plan = Plan::new(network, tensors);
    let (resolution, channels) = blocks(&plan)?;
    let [num_layers, hidden_dim, z_dim, w_dim, label_dim, embedding] = mapping(&plan)?;
    let [_, _, _, img_channels] = plan.dims("ToRGB_lod0/weight")?;
    let config = StyleGan1Config {
        variant: StyleGan1Variant::Official,
        z_dim,
        label_dim,
        w_dim,
        resolution,
        img_channels,
        mapping: mapping_config(num_layers, hidden_dim, &hints.common, 0.995),
        channels,
        fused_from: match hints.fused_scale {
            Some(true) => 8,
            Some(false) => 2 * resolution,
            None => FUSED_FROM,
        },
        lod: hints.lod,
        features: Default::default(),
    };
    if label_dim > 0 {
        plan.take("mapping.label_weight", "LabelConcat/weight", &[label_dim, embedding])?;
    }
    for i in 0..num_layers {
        let inputs = if i == 0 { z_dim + embedding } else { hidden_dim };
        let outputs = if i + 1 == num_layers { w_dim } else { hidden_dim };
        dense(&mut plan, &format!("mapping.dense{i}"), &format!("Dense{i}"), [outputs, inputs])?;
    }
    plan.take_optional("truncation.w_avg", "dlatent_avg", &[w_dim])?;
    plan.take("synthesis.layer0.const", "4x4/Const/const", &[1, config.channels.at(4), 4, 4])?;
    for (block, r) in resolutions(resolution).enumerate() {
        let outputs = config.channels.at(r);
        let inputs = if r == 4 { outputs } else { config.channels.at(r / 2) };
        let layers = if r == 4 { ["Const", "Conv"] } else { ["Conv0_up", "Conv1"] };
        for (half, layer) in layers.into_iter().enumerate() {
            let (to, from) = (format!("synthesis.layer{}", 2 * block + half), format!("{r}x{r}/{layer}"));
            if layer != "Const" {
                let shape = [outputs, if half == 0 { inputs } else { outputs }, 3, 3];
                let (name, source) = (format!("{to}.weight"), format!("{from}/weight"));
                plan.convert(name, &source, &shape, Layout::HwioToOihw, 1.0, 0.0)?;
            }
            plan.take(format!("{to}.bias"), &format!("{from}/bias"), &[outputs])?;
            plan.take(format!("{to}.apply_noise.weight"), &format!("{from}/Noise/weight"), &[outputs])?;
            dense(&mut plan, &format!("{to}.style"), &format!("{from}/StyleMod"), [2 * outputs, w_dim])?;
            let noise = 2 * block + half;
            plan.take_optional(format!("{to}.apply_noise.noise"), &format!("noise{noise}"), &[1, 1, r, r])?;
        }
        let lod = config.channels.0.len() - 1 - block;
        let (to, from) = (format!("synthesis.output{block}"), format!("ToRGB_lod{lod}"));
        let shape = [img_channels, outputs, 1, 1];
        plan.convert(format!("{to}.weight"), &format!("{from}/weight"), &shape, Layout::HwioToOihw, 1.0, 0.0)?;
        plan.take(format!("{to}.bias"), &format!("{from}/bias"), &[img_channels])?;
    }
    finish(plan, GeneratorConfig::StyleGan1(config), Vec::new())
}
