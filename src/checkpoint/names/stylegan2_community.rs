//! StyleGAN2 under the names of the community port.
//!
//! Its modulated convolutions multiply the weight by 1/sqrt(fan_in), which the official PyTorch code does not: the factor
//! goes into the weights here, so that the demodulation's small constant acts on the same numbers.

use super::{Hints, Recognised, count, mapping_config, refuse_labels, resolution};
use crate::{
    checkpoint::{
        checkpoint::Lineage,
        error::Fault,
        network::{Layout, Plan},
    },
    model::config::{Architecture, ChannelTable, GeneratorConfig, StyleGan2Config, resolutions},
};

pub(super) fn read(mut plan: Plan<'_>) -> Result<Recognised, Fault> {
    refuse_labels(&plan)?;
    let resolution = resolution(&plan, 1 + count(&plan, |block| format!("convs.{}.conv.weight", 2 * block + 1)))?;
    let num_layers = count(&plan, |i| format!("style.{}.weight", i + 1));
    let [hidden_dim, z_dim] = plan.dims("style.1.weight")?;
    let [w_dim, _] = plan.dims(&format!("style.{}.weight", num_layers.max(1)))?;
    let mut channels = ChannelTable(Default::default());
    for (block, r) in resolutions(resolution).enumerate() {
        let name = if block == 0 { "conv1".to_owned() } else { format!("convs.{}", 2 * block - 1) };
        let [_, outputs, _, _, _] = plan.dims(&format!("{name}.conv.weight"))?;
        channels.0.insert(r, outputs);
    }
    let [_, img_channels, _, _, _] = plan.dims("to_rgb1.conv.weight")?;
    let config = StyleGan2Config {
        z_dim,
        label_dim: 0,
        w_dim,
        resolution,
        img_channels,
        mapping: mapping_config(num_layers, hidden_dim, &Hints::default(), 0.995),
        channels,
        architecture: Architecture::Skip,
        conv_clamp: None,
        use_noise: true,
        resample_filter: vec![1.0, 3.0, 3.0, 1.0],
    };

    for i in 0..num_layers {
        let inputs = if i == 0 { z_dim } else { hidden_dim };
        let outputs = if i + 1 == num_layers { w_dim } else { hidden_dim };
        plan.take(format!("mapping.fc{i}.weight"), &format!("style.{}.weight", i + 1), &[outputs, inputs])?;
        plan.take(format!("mapping.fc{i}.bias"), &format!("style.{}.bias", i + 1), &[outputs])?;
    }
    let mut notes = Vec::new();
    if plan.tensors.get("latent_avg").is_some_and(|view| view.num_elements() == w_dim) {
        plan.take("mapping.w_avg", "latent_avg", &[w_dim])?;
    } else {
        notes.push("The file has no average w; it is estimated from random z when the model is loaded.".into());
    }
    plan.take("synthesis.b4.const", "input.input", &[config.channels.at(4), 4, 4])?;
    for (block, r) in resolutions(resolution).enumerate() {
        let outputs = config.channels.at(r);
        let inputs = if block == 0 { outputs } else { config.channels.at(r / 2) };
        if block == 0 {
            conv(&mut plan, "b4.conv1", "conv1", 0, [outputs, inputs, r], w_dim)?;
            to_rgb(&mut plan, r, "to_rgb1", outputs, &config)?;
        } else {
            let (first, second) = (2 * block - 2, 2 * block - 1);
            conv(&mut plan, &format!("b{r}.conv0"), &format!("convs.{first}"), first + 1, [outputs, inputs, r], w_dim)?;
            conv(
                &mut plan,
                &format!("b{r}.conv1"),
                &format!("convs.{second}"),
                second + 1,
                [outputs, outputs, r],
                w_dim,
            )?;
            to_rgb(&mut plan, r, &format!("to_rgbs.{}", block - 1), outputs, &config)?;
        }
    }
    if !plan.has("noises.noise_0") {
        notes.push("The file has no noise maps; fixed random ones are used.".into());
    }
    let lineage = Lineage::Community;
    Ok(Recognised { lineage, config: GeneratorConfig::StyleGan2(config), plan: plan.finish(), notes })
}

fn conv(
    plan: &mut Plan<'_>,
    to: &str,
    from: &str,
    noise: usize,
    [outputs, inputs, r]: [usize; 3],
    w_dim: usize,
) -> Result<(), Fault> {
    let to = format!("synthesis.{to}");
    let scale = (1.0 / (inputs as f64 * 9.0).sqrt()) as f32;
    let (name, source) = (format!("{to}.weight"), format!("{from}.conv.weight"));
    plan.convert(name, &source, &[outputs, inputs, 3, 3], Layout::Same, scale, 0.0)?;
    plan.take(format!("{to}.bias"), &format!("{from}.activate.bias"), &[outputs])?;
    plan.take(format!("{to}.noise_strength"), &format!("{from}.noise.weight"), &[])?;
    plan.take_optional(format!("{to}.noise_const"), &format!("noises.noise_{noise}"), &[r, r])?;
    modulation(plan, &to, from, inputs, w_dim)
}

fn to_rgb(plan: &mut Plan<'_>, r: usize, from: &str, inputs: usize, config: &StyleGan2Config) -> Result<(), Fault> {
    let to = format!("synthesis.b{r}.torgb");
    let outputs = config.img_channels;
    // Without demodulation the factor 1/sqrt(inputs) is the same in both codes.
    plan.take(format!("{to}.weight"), &format!("{from}.conv.weight"), &[outputs, inputs, 1, 1])?;
    plan.take(format!("{to}.bias"), &format!("{from}.bias"), &[outputs])?;
    modulation(plan, &to, from, inputs, config.w_dim)
}

fn modulation(plan: &mut Plan<'_>, to: &str, from: &str, inputs: usize, w_dim: usize) -> Result<(), Fault> {
    plan.take(format!("{to}.affine.weight"), &format!("{from}.conv.modulation.weight"), &[inputs, w_dim])?;
    plan.take(format!("{to}.affine.bias"), &format!("{from}.conv.modulation.bias"), &[inputs])
}
