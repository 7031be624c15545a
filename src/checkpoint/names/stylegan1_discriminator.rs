//! StyleGAN's discriminator under the names of the PyTorch port in the official order, and TensorFlow's.

use super::{Hints, count, discriminator::Discriminator, resolution, stylegan1_official::FUSED_FROM};
use crate::{
    checkpoint::{
        error::Fault,
        network::{Layout, NetworkConfig, Plan},
    },
    model::{
        config::{ChannelTable, StyleGan1Variant, resolutions},
        discriminator_config::{DiscriminatorConfig, StyleGan1DiscriminatorConfig},
    },
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    Official,
    TensorFlow,
}

/// The layers from the image on: name there, name in TensorFlow.
fn layers(resolution: usize) -> Vec<[String; 2]> {
    let mut names = Vec::new();
    for r in resolutions(resolution).rev() {
        let layers: &[&str] = if r == 4 { &["Conv", "Dense0", "Dense1"] } else { &["Conv0", "Conv1_down"] };
        names.extend(layers.iter().map(|layer| format!("{r}x{r}/{layer}")));
    }
    names.into_iter().enumerate().map(|(i, tensorflow)| [format!("layer{i}"), tensorflow]).collect()
}

impl Naming {
    fn pick(self, [official, tensorflow]: &[String; 2]) -> [String; 2] {
        match self {
            Self::Official => ["weight", "bias"].map(|field| format!("{official}.{field}")),
            Self::TensorFlow => ["weight", "bias"].map(|field| format!("{tensorflow}/{field}")),
        }
    }

    /// Outputs and inputs of a layer.
    fn dims(self, plan: &Plan<'_>, names: &[String; 2], is_linear: bool) -> Result<[usize; 2], Fault> {
        let [weight, _] = self.pick(names);
        let mut dims = if is_linear {
            plan.dims::<2>(&weight)?
        } else {
            let [a, b, c, d] = plan.dims(&weight)?;
            if self == Self::TensorFlow { [c, d] } else { [a, b] }
        };
        if self == Self::TensorFlow {
            dims.reverse();
        }
        Ok(dims)
    }

    fn take(self, plan: &mut Plan<'_>, names: &[String; 2], shape: &[usize]) -> Result<(), Fault> {
        let layout = match (self, shape.len()) {
            (Self::Official, _) => Layout::Same,
            (Self::TensorFlow, 2) => Layout::Transposed,
            (Self::TensorFlow, _) => Layout::HwioToOihw,
        };
        let ([weight, bias], [to_weight, to_bias]) = (self.pick(names), Self::Official.pick(names));
        plan.convert(to_weight, &weight, shape, layout, 1.0, 0.0)?;
        plan.take(to_bias, &bias, shape.get(..1).unwrap_or_default())
    }
}

/// `from_rgb` of a level of detail.
fn input(lod: usize) -> [String; 2] {
    [format!("input{lod}"), format!("FromRGB_lod{lod}")]
}

pub(super) fn official(plan: Plan<'_>, hints: &Hints) -> Result<Discriminator, Fault> {
    let resolution = resolution(&plan, count(&plan, |lod| format!("input{lod}.weight")))?;
    read(plan, Naming::Official, resolution, hints)
}

pub(super) fn tensorflow(plan: Plan<'_>, hints: &Hints) -> Result<Discriminator, Fault> {
    let resolution = resolution(&plan, count(&plan, |lod| format!("FromRGB_lod{lod}/weight")))?;
    read(plan, Naming::TensorFlow, resolution, hints)
}

fn read(mut plan: Plan<'_>, naming: Naming, resolution: usize, hints: &Hints) -> Result<Discriminator, Fault> {
    let sides: Vec<usize> = resolutions(resolution).rev().collect();
    let mut channels = ChannelTable(Default::default());
    let mut img_channels = 0;
    for (lod, r) in sides.iter().enumerate() {
        let [outputs, inputs] = naming.dims(&plan, &input(lod), false)?;
        channels.0.insert(*r, outputs);
        img_channels = inputs;
    }
    let layers = layers(resolution);
    let last = channels.at(4);
    let [convs @ .., conv, dense0, dense1] = layers.as_slice() else {
        return Err(plan.fault("it has no layers"));
    };
    let [conv_outputs, conv_inputs] = naming.dims(&plan, conv, false)?;
    let [hidden, _] = naming.dims(&plan, dense0, true)?;
    let [outputs, _] = naming.dims(&plan, dense1, true)?;
    let has_stddev = conv_inputs == last + 1;
    for (lod, r) in sides.iter().enumerate() {
        naming.take(&mut plan, &input(lod), &[channels.at(*r), img_channels, 1, 1])?;
    }
    for (pair, r) in convs.chunks(2).zip(&sides) {
        let (inputs, outputs) = (channels.at(*r), channels.at(r / 2));
        for (names, outputs) in pair.iter().zip([inputs, outputs]) {
            naming.take(&mut plan, names, &[outputs, inputs, 3, 3])?;
        }
    }
    if conv_outputs != last || hidden != last {
        return Err(plan.fault(format!("its last layers have {conv_outputs} and {hidden} channels instead of {last}")));
    }
    naming.take(&mut plan, conv, &[last, last + usize::from(has_stddev), 3, 3])?;
    naming.take(&mut plan, dense0, &[last, last * 16])?;
    naming.take(&mut plan, dense1, &[outputs, last])?;
    let config = StyleGan1DiscriminatorConfig {
        resolution,
        img_channels,
        label_dim: if outputs > 1 { outputs } else { 0 },
        channels,
        variant: StyleGan1Variant::Official,
        from_rgb_activation: true,
        fused_from: hints.fused_from.unwrap_or(FUSED_FROM),
        mbstd_group_size: if has_stddev { hints.mbstd_group_size.flatten().unwrap_or(4) } else { 1 },
        resample_filter: vec![1.0, 2.0, 1.0],
    };
    let config = NetworkConfig::Discriminator(DiscriminatorConfig::StyleGan1(config));
    Ok(Discriminator { config, plan: plan.finish(), notes: Vec::new() })
}
