//! StyleGAN under the names that our own files and the PyTorch port in the official order have.

use super::{Hints, Recognised, count, mapping_config, resolution};
use crate::{
    checkpoint::{checkpoint::Lineage, error::Fault, network::Plan, source::Section},
    model::config::{
        ChannelTable, GeneratorConfig, StyleGan1Config, StyleGan1Features, StyleGan1Variant, SynthesisInput,
        resolutions,
    },
};

/// Smallest output resolution with the fused upsampling, where a file does not say.
pub(super) const FUSED_FROM: usize = 128;

pub(super) fn read(mut plan: Plan<'_>, file: Section<'_>) -> Result<Recognised, Fault> {
    let resolution = resolution(&plan, count(&plan, |block| format!("synthesis.output{block}.weight")))?;
    let features = features(&plan);
    let num_layers = count(&plan, |i| format!("mapping.dense{i}.weight"));
    // Without styles there is no mapping, and the latent goes straight into the first layer.
    let ([hidden_dim, inputs], w_dim) = if features.styles {
        let [w_dim, _] = plan.dims(&format!("mapping.dense{}.weight", num_layers.max(1) - 1))?;
        (plan.dims("mapping.dense0.weight")?, w_dim)
    } else {
        let [_, inputs] = plan.dims("synthesis.layer0.dense.weight")?;
        ([inputs, inputs], inputs)
    };
    let (label_dim, embedding) = match plan.has("mapping.label_weight") {
        true => plan.dims::<2>("mapping.label_weight")?.into(),
        false => (0, 0),
    };
    let z_dim =
        inputs.checked_sub(embedding).ok_or_else(|| plan.fault("its label embedding is wider than its input"))?;
    let mut channels = ChannelTable(Default::default());
    let mut img_channels = 0;
    for (block, r) in resolutions(resolution).enumerate() {
        let [colours, outputs, _, _] = plan.dims(&format!("synthesis.output{block}.weight"))?;
        channels.0.insert(r, outputs);
        img_channels = colours;
    }
    let config = StyleGan1Config {
        variant: StyleGan1Variant::Official,
        z_dim,
        label_dim,
        w_dim,
        resolution,
        img_channels,
        mapping: mapping_config(num_layers, hidden_dim, &Hints::default(), 0.995),
        channels,
        fused_from: FUSED_FROM,
        lod: lod(&plan, file)?,
        features: features.clone(),
    };
    let mut same = |name: String, shape: &[usize]| plan.take(name.clone(), &name, shape);
    for i in 0..num_layers {
        let inputs = if i == 0 { inputs } else { hidden_dim };
        let outputs = if i + 1 == num_layers { w_dim } else { hidden_dim };
        same(format!("mapping.dense{i}.weight"), &[outputs, inputs])?;
        same(format!("mapping.dense{i}.bias"), &[outputs])?;
    }
    if label_dim > 0 {
        same("mapping.label_weight".into(), &[label_dim, embedding])?;
    }
    let channels = config.channels.at(4);
    match features.input {
        SynthesisInput::Constant => same("synthesis.layer0.const".into(), &[1, channels, 4, 4])?,
        SynthesisInput::Latent => same("synthesis.layer0.dense.weight".into(), &[channels * 16, w_dim])?,
    }
    for (block, r) in resolutions(resolution).enumerate() {
        let outputs = config.channels.at(r);
        for half in 0..2 {
            let layer = format!("synthesis.layer{}", 2 * block + half);
            let inputs = if half == 0 && block > 0 { config.channels.at(r / 2) } else { outputs };
            if block + half > 0 {
                same(format!("{layer}.weight"), &[outputs, inputs, 3, 3])?;
            }
            same(format!("{layer}.bias"), &[outputs])?;
            if features.use_noise {
                same(format!("{layer}.apply_noise.weight"), &[outputs])?;
            }
            if features.styles {
                same(format!("{layer}.style.weight"), &[2 * outputs, w_dim])?;
                same(format!("{layer}.style.bias"), &[2 * outputs])?;
            }
        }
        same(format!("synthesis.output{block}.weight"), &[img_channels, outputs, 1, 1])?;
        same(format!("synthesis.output{block}.bias"), &[img_channels])?;
    }
    let noise_layers = resolutions(resolution).flat_map(|r| [r, r]).enumerate().filter(|_| features.use_noise);
    for (layer, r) in noise_layers {
        let name = format!("synthesis.layer{layer}.apply_noise.noise");
        plan.take_optional(name.clone(), &name, &[1, 1, r, r])?;
    }
    plan.take_optional("truncation.w_avg", "truncation.w_avg", &[w_dim])?;
    let lineage = Lineage::OfficialTorch;
    Ok(Recognised { lineage, config: GeneratorConfig::StyleGan1(config), plan: plan.finish(), notes: Vec::new() })
}

/// The level of detail at which the network was saved.
fn lod(plan: &Plan<'_>, file: Section<'_>) -> Result<f32, Fault> {
    let Some(view) = plan.tensors.get("synthesis.lod").filter(|view| view.num_elements() == 1) else { return Ok(0.0) };
    Ok(view.read(file)?.first().copied().filter(|lod| lod.is_finite()).map_or(0.0, |lod| lod.clamp(0.0, 8.0)))
}

/// What of the paper's table of configurations the file has. Filters are not stored: where the metadata do not say, they are the
/// progressive GAN's without styles and StyleGAN's with them.
fn features(plan: &Plan<'_>) -> StyleGan1Features {
    let latent = plan.has("synthesis.layer0.dense.weight");
    let styles = plan.has("synthesis.layer0.style.weight");
    StyleGan1Features {
        input: if latent { SynthesisInput::Latent } else { SynthesisInput::Constant },
        styles,
        use_noise: plan.has("synthesis.layer0.apply_noise.weight"),
        resample_filter: if styles { vec![1.0, 2.0, 1.0] } else { vec![1.0] },
    }
}
