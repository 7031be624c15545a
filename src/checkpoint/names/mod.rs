//! What the names of a file's arrays say: which network it is, its configuration, and how each weight is named and laid
//! out in the official state dict of its family.

mod discriminator;
mod stylegan1_community;
mod stylegan1_community_discriminator;
mod stylegan1_discriminator;
mod stylegan1_official;
mod stylegan2_community;
mod stylegan2_discriminator;
mod stylegan2_official;
mod tensorflow;

pub(super) use discriminator::discriminator;
pub(super) use stylegan2_official::filter_taps;
pub(super) use tensorflow::{TensorFlowHints, stylegan1_tensorflow, stylegan2_tensorflow};

use super::{
    checkpoint::Lineage,
    error::{Fault, shown},
    network::{Plan, Planned},
    source::Section,
    tensor::NamedTensors,
};
use crate::model::config::{Architecture, GeneratorConfig, MappingConfig};

/// What a file says beside the weights.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Hints {
    pub lr_multiplier: Option<f64>,
    pub w_avg_beta: Option<f64>,
    /// `Some(None)`: the file says that there is no clamp.
    pub conv_clamp: Option<Option<f64>>,
    pub resample_filter: Option<Vec<f32>>,
    pub architecture: Option<Architecture>,
    /// Of the minibatch standard deviation; `Some(None)`: the file says that the whole batch is a group.
    pub mbstd_group_size: Option<Option<usize>>,
    /// Smallest resolution with fused up- and downsampling, of StyleGAN.
    pub fused_from: Option<usize>,
    /// The file holds no blocks but those that belong to the network.
    pub all_blocks: bool,
}

/// Said of networks whose file has nothing but the weights.
const NO_CLAMP: &str = "The file does not say whether outputs are clamped (conv_clamp); it is opened without a clamp.";

/// A generator that was recognised.
pub(super) struct Recognised {
    pub lineage: Lineage,
    pub config: GeneratorConfig,
    pub plan: Vec<Planned>,
    pub notes: Vec<String>,
}

/// The generator whose arrays these are; `None` if the names are of no generator that is known. `file` is the whole
/// file: some questions only the values answer.
pub(super) fn generator(
    network: &str,
    tensors: &NamedTensors,
    hints: &Hints,
    file: Section<'_>,
) -> Result<Option<Recognised>, Fault> {
    let plan = Plan::new(network, tensors);
    let recognised = if plan.has("synthesis.b4.const") {
        stylegan2_official::read(plan, hints)
    } else if plan.has("input.input") && plan.has("conv1.conv.weight") {
        stylegan2_community::read(plan)
    } else if plan.has("generator.progression.0.conv1.input") {
        stylegan1_community::read(plan, hints, file)
    } else if plan.has("synthesis.layer0.const") || plan.has("synthesis.layer0.dense.weight") {
        stylegan1_official::read(plan, file)
    } else {
        return Ok(None);
    }?;
    recognised.config.validate().map_err(|source| Fault::Config { network: network.to_owned(), source })?;
    Ok(Some(recognised))
}

/// The mapping of a network whose layers have `shapes` [out, in], first to last.
fn mapping_config(num_layers: usize, hidden_dim: usize, hints: &Hints, w_avg_beta: f64) -> MappingConfig {
    MappingConfig {
        num_layers,
        hidden_dim,
        lr_multiplier: hints.lr_multiplier.unwrap_or(0.01),
        w_avg_beta: hints.w_avg_beta.unwrap_or(w_avg_beta),
        label_normalization: Default::default(),
    }
}

/// Refuses what the community ports do not have. Who added labels to them did so in many ways; taken for an unconditional
/// network, such a file would show wrong images.
fn refuse_labels(plan: &Plan<'_>) -> Result<(), Fault> {
    let has_label = |name: &&String| name.contains("embed") || name.contains("label");
    let Some(name) = plan.tensors.keys().find(has_label) else { return Ok(()) };
    let cause = format!("{} takes labels, and conditional variants of the community ports are not known", shown(name));
    Err(plan.fault(cause))
}

/// How many of `name(0)`, `name(1)`, ... the file has without a gap.
fn count(plan: &Plan<'_>, name: impl Fn(usize) -> String) -> usize {
    (0..64).take_while(|&index| plan.has(&name(index))).count()
}

/// The side after `blocks` blocks from 4 on; refused where it cannot be one of a network.
fn resolution(plan: &Plan<'_>, blocks: usize) -> Result<usize, Fault> {
    if (1..=9).contains(&blocks) { Ok(4 << (blocks - 1)) } else { Err(plan.fault(format!("it has {blocks} blocks"))) }
}
