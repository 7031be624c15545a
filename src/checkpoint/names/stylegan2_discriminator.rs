//! StyleGAN2's discriminator under the official PyTorch names, the community port's and TensorFlow's. All three compute the
//! same, labels apart: weights are equalised when they are used, so that they differ in names and layout alone.

use super::{Hints, count, discriminator::Discriminator, mapping_config, resolution};
use crate::{
    checkpoint::{
        error::Fault,
        network::{Layout, NetworkConfig, Plan},
    },
    model::{
        config::{Architecture, ChannelTable, resolutions},
        discriminator_config::{
            DiscriminatorArchitecture, DiscriminatorConfig, LabelProjection, StyleGan2DiscriminatorConfig,
        },
    },
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Naming {
    Official,
    /// Its blocks are numbered from the image on.
    Community {
        resolution: usize,
    },
    TensorFlow,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    FromRgb,
    Conv0,
    Conv1,
    Skip,
    Conv,
    Fc,
    Out,
}

impl Part {
    fn official(self) -> &'static str {
        match self {
            Self::FromRgb => "fromrgb",
            Self::Conv0 => "conv0",
            Self::Conv1 => "conv1",
            Self::Skip => "skip",
            Self::Conv => "conv",
            Self::Fc => "fc",
            Self::Out => "out",
        }
    }
}

impl Naming {
    /// Names of a part's weight and bias in the block of resolution `r`.
    fn names(self, part: Part, r: usize) -> [String; 2] {
        match self {
            Self::Official => ["weight", "bias"].map(|field| format!("b{r}.{}.{field}", part.official())),
            Self::Community { resolution } => {
                let block = (resolution / r).max(1).ilog2() + 1;
                match part {
                    Part::FromRgb => ["convs.0.0.weight".into(), "convs.0.1.bias".into()],
                    Part::Conv0 => [format!("convs.{block}.conv1.0.weight"), format!("convs.{block}.conv1.1.bias")],
                    Part::Conv1 => [format!("convs.{block}.conv2.1.weight"), format!("convs.{block}.conv2.2.bias")],
                    Part::Skip => [format!("convs.{block}.skip.1.weight"), String::new()],
                    Part::Conv => ["final_conv.0.weight".into(), "final_conv.1.bias".into()],
                    Part::Fc => ["final_linear.0.weight".into(), "final_linear.0.bias".into()],
                    Part::Out => ["final_linear.1.weight".into(), "final_linear.1.bias".into()],
                }
            }
            Self::TensorFlow => ["weight", "bias"].map(|field| match part {
                Part::FromRgb => format!("{r}x{r}/FromRGB/{field}"),
                Part::Conv0 => format!("{r}x{r}/Conv0/{field}"),
                Part::Conv1 => format!("{r}x{r}/Conv1_down/{field}"),
                Part::Skip => format!("{r}x{r}/Skip/{field}"),
                Part::Conv => format!("{r}x{r}/Conv/{field}"),
                Part::Fc => format!("{r}x{r}/Dense0/{field}"),
                Part::Out => format!("Output/{field}"),
            }),
        }
    }

    /// Outputs and inputs of a convolution or a fully connected layer.
    fn dims(self, plan: &Plan<'_>, part: Part, r: usize) -> Result<[usize; 2], Fault> {
        let [weight, _] = self.names(part, r);
        let is_linear = matches!(part, Part::Fc | Part::Out);
        Ok(match (self, is_linear) {
            (Self::TensorFlow, true) => {
                let [inputs, outputs] = plan.dims(&weight)?;
                [outputs, inputs]
            }
            (Self::TensorFlow, false) => {
                let [_, _, inputs, outputs] = plan.dims(&weight)?;
                [outputs, inputs]
            }
            (_, true) => plan.dims(&weight)?,
            (_, false) => {
                let [outputs, inputs, _, _] = plan.dims(&weight)?;
                [outputs, inputs]
            }
        })
    }

    fn take(self, plan: &mut Plan<'_>, part: Part, r: usize, shape: &[usize]) -> Result<(), Fault> {
        let layout = match (self, shape.len()) {
            (Self::TensorFlow, 2) => Layout::Transposed,
            (Self::TensorFlow, _) => Layout::HwioToOihw,
            _ => Layout::Same,
        };
        let ([weight, bias], [to_weight, to_bias]) = (self.names(part, r), Self::Official.names(part, r));
        plan.convert(to_weight, &weight, shape, layout, 1.0, 0.0)?;
        if part != Part::Skip {
            plan.take(to_bias, &bias, shape.get(..1).unwrap_or_default())?;
        }
        Ok(())
    }
}

pub(super) fn official(plan: Plan<'_>, hints: &Hints) -> Result<Discriminator, Fault> {
    let blocks = 1 + count(&plan, |block| format!("b{}.conv0.weight", 8usize << block));
    let resolution = resolution(&plan, blocks)?;
    let mut found = read(plan, Naming::Official, resolution, hints)?;
    if hints.conv_clamp.is_none() {
        found.notes.push(super::NO_CLAMP.to_owned());
    }
    Ok(found)
}

pub(super) fn community(plan: Plan<'_>) -> Result<Discriminator, Fault> {
    let resolution = resolution(&plan, 1 + count(&plan, |i| format!("convs.{}.conv1.0.weight", i + 1)))?;
    read(plan, Naming::Community { resolution }, resolution, &Hints::default())
}

pub(super) fn tensorflow(plan: Plan<'_>, hints: &Hints) -> Result<Discriminator, Fault> {
    let resolution = resolution(&plan, 1 + count(&plan, |block| format!("{0}x{0}/Conv0/weight", 8usize << block)))?;
    read(plan, Naming::TensorFlow, resolution, hints)
}

fn read(mut plan: Plan<'_>, naming: Naming, resolution: usize, hints: &Hints) -> Result<Discriminator, Fault> {
    let config = config(&plan, naming, resolution, hints)?;
    for r in resolutions(resolution) {
        block(&mut plan, naming, &config, r)?;
    }
    let last = config.channels.at(4);
    naming.take(&mut plan, Part::Conv, 4, &[last, last + config.mbstd_num_channels, 3, 3])?;
    naming.take(&mut plan, Part::Fc, 4, &[last, last * 16])?;
    naming.take(&mut plan, Part::Out, 4, &[config.outputs(), last])?;
    if config.label_vector_dim().is_some() {
        label_mapping(&mut plan, &config)?;
    }
    let config = NetworkConfig::Discriminator(DiscriminatorConfig::StyleGan2(config));
    Ok(Discriminator { config, plan: plan.finish(), notes: Vec::new() })
}

/// What the shapes and the file's other words say.
fn config(
    plan: &Plan<'_>,
    naming: Naming,
    resolution: usize,
    hints: &Hints,
) -> Result<StyleGan2DiscriminatorConfig, Fault> {
    let mut channels = ChannelTable(Default::default());
    for r in resolutions(resolution).filter(|r| *r > 4) {
        let [_, inputs] = naming.dims(plan, Part::Conv0, r)?;
        channels.0.insert(r, inputs);
    }
    let [last, conv_inputs] = naming.dims(plan, Part::Conv, 4)?;
    channels.0.insert(4, last);
    let mbstd_num_channels = conv_inputs
        .checked_sub(last)
        .ok_or_else(|| plan.fault(format!("its last convolution has {conv_inputs} inputs for {last} channels")))?;
    let [_, img_channels] = naming.dims(plan, Part::FromRgb, resolution)?;
    let [outputs, _] = naming.dims(plan, Part::Out, 4)?;
    let has = |part| plan.has(&naming.names(part, if part == Part::Skip { 8 } else { 4 })[0]);
    let architecture = match hints.architecture {
        Some(Architecture::Skip) => DiscriminatorArchitecture::Skip,
        Some(Architecture::Resnet) => DiscriminatorArchitecture::Resnet,
        Some(Architecture::Orig) => DiscriminatorArchitecture::Orig,
        Some(Architecture::Msg) => DiscriminatorArchitecture::Msg,
        None if has(Part::Skip) => DiscriminatorArchitecture::Resnet,
        None if naming != (Naming::Community { resolution }) && has(Part::FromRgb) => DiscriminatorArchitecture::Skip,
        None => DiscriminatorArchitecture::Orig,
    };
    // TensorFlow has an output for each class, the others map the label to a vector.
    let mapped = plan.dims_if_any("mapping.embed.weight")?.map_or(0, |[_, labels]| labels);
    let (label_projection, label_dim) = match naming {
        Naming::TensorFlow if outputs > 1 => (LabelProjection::Direct, outputs),
        _ => (LabelProjection::Mapped, mapped),
    };
    let num_layers = count(plan, |i| format!("mapping.fc{i}.weight"));
    let hidden_dim = plan.dims_if_any("mapping.fc0.weight")?.map_or(outputs, |[hidden, _]| hidden);
    let mapping = match mapped {
        0 => mapping_config(8, last, &Hints::default(), 0.998),
        _ => mapping_config(num_layers, hidden_dim, hints, 0.998),
    };
    Ok(StyleGan2DiscriminatorConfig {
        resolution,
        img_channels,
        label_dim,
        channels,
        architecture,
        conv_clamp: hints.conv_clamp.flatten(),
        mbstd_group_size: hints.mbstd_group_size.unwrap_or(Some(4)),
        mbstd_num_channels,
        label_projection,
        mapping,
        cmap_dim: if mapped > 0 { outputs } else { last },
        resample_filter: hints.resample_filter.clone().unwrap_or_else(|| vec![1.0, 3.0, 3.0, 1.0]),
        grows: false,
    })
}

fn block(plan: &mut Plan<'_>, naming: Naming, config: &StyleGan2DiscriminatorConfig, r: usize) -> Result<(), Fault> {
    let inputs = config.channels.at(r);
    let architecture = config.architecture;
    if r == config.resolution || matches!(architecture, DiscriminatorArchitecture::Skip) {
        naming.take(plan, Part::FromRgb, r, &[inputs, config.img_channels, 1, 1])?;
    }
    if r == 4 {
        return Ok(());
    }
    let outputs = config.channels.at(r / 2);
    naming.take(plan, Part::Conv0, r, &[inputs, inputs, 3, 3])?;
    naming.take(plan, Part::Conv1, r, &[outputs, inputs, 3, 3])?;
    if architecture == DiscriminatorArchitecture::Resnet {
        naming.take(plan, Part::Skip, r, &[outputs, inputs, 1, 1])?;
    }
    Ok(())
}

/// The mapping of the label, which the official PyTorch code alone has.
fn label_mapping(plan: &mut Plan<'_>, config: &StyleGan2DiscriminatorConfig) -> Result<(), Fault> {
    let [embedding, _] = plan.dims("mapping.embed.weight")?;
    let mut same = |name: String, shape: &[usize]| plan.take(name.clone(), &name, shape);
    same("mapping.embed.weight".into(), &[embedding, config.label_dim])?;
    same("mapping.embed.bias".into(), &[embedding])?;
    let last = config.mapping.num_layers;
    for i in 0..last {
        let inputs = if i == 0 { embedding } else { config.mapping.hidden_dim };
        let outputs = if i + 1 == last { config.cmap_dim } else { config.mapping.hidden_dim };
        same(format!("mapping.fc{i}.weight"), &[outputs, inputs])?;
        same(format!("mapping.fc{i}.bias"), &[outputs])?;
    }
    Ok(())
}
