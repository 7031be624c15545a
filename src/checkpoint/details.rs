//! A model file in words, for `stylescope info` and the window.

use super::{
    checkpoint::Checkpoint,
    network::{NetworkConfig, NetworkEntry},
};
use crate::model::{
    config::{ChannelTable, GeneratorConfig, LabelNormalization, StyleGan1Variant},
    discriminator_config::{DiscriminatorArchitecture, DiscriminatorConfig},
};

impl Checkpoint {
    /// What the file holds, a line each.
    pub fn details(&self) -> Vec<String> {
        let size = self.file_len() as f64 / 1e6;
        let mut lines = vec![
            format!("File: {}", self.path.display()),
            format!("Format: {}, {size:.1} MB", self.format),
            format!("Lineage: {}", self.lineage),
            format!("Networks: {}", self.networks().len()),
        ];
        for network in self.networks() {
            describe(network, &mut lines);
        }
        lines.extend(self.notes.iter().map(|note| format!("Note: {note}")));
        lines
    }
}

fn describe(network: &NetworkEntry, lines: &mut Vec<String>) {
    let mut line = |name: &str, value: String| lines.push(format!("  {name}: {value}"));
    let class = if network.class_name.is_empty() { String::new() } else { format!(", class {}", network.class_name) };
    line(&network.name, format!("{}{class}, {} parameters", network.role, grouped(network.num_parameters)));
    let mut line = |name: &str, value: String| line(&format!("  {name}"), value);
    match &network.config {
        NetworkConfig::Discriminator(config) => {
            let family = match config {
                DiscriminatorConfig::StyleGan2(config) => match config.architecture {
                    DiscriminatorArchitecture::Orig => "StyleGAN2 (orig)",
                    DiscriminatorArchitecture::Skip => "StyleGAN2 (skip)",
                    DiscriminatorArchitecture::Resnet => "StyleGAN2 (resnet)",
                    DiscriminatorArchitecture::Msg => "StyleGAN2 (MSG)",
                },
                DiscriminatorConfig::StyleGan1(config) => match config.variant {
                    StyleGan1Variant::Official => "StyleGAN",
                    StyleGan1Variant::Community => "StyleGAN (community port)",
                },
            };
            line("Family", family.to_owned());
            line("Image", image(config.resolution(), config.img_channels()));
            line("Labels", labels(config.label_dim()));
            line("Channels", channels(config.channels()));
            if let DiscriminatorConfig::StyleGan2(config) = config {
                line("Clamp", config.conv_clamp.map_or("none".into(), |clamp| clamp.to_string()));
            }
        }
        NetworkConfig::Generator(config) => {
            line("Family", config.family_name().to_owned());
            line("Image", image(config.resolution(), config.img_channels()));
            line("Labels", labels(config.label_dim()));
            line("z, w, num_ws", format!("{}, {}, {}", config.z_dim(), config.w_dim(), config.num_ws()));
            let mapping = config.mapping();
            let joint = mapping.label_normalization == LabelNormalization::Joint && config.label_dim() > 0;
            line(
                "Mapping",
                format!(
                    "{} layers of {}, learning rate x {}{}",
                    mapping.num_layers,
                    mapping.hidden_dim,
                    mapping.lr_multiplier,
                    if joint { ", label and z normalised together" } else { "" }
                ),
            );
            line("Channels", channels(config.channels()));
            match config {
                GeneratorConfig::StyleGan2(config) => {
                    line("Clamp", config.conv_clamp.map_or("none".into(), |clamp| clamp.to_string()));
                    line("Noise", if config.use_noise { "yes" } else { "no" }.into());
                    line("Filter", format!("{:?}", config.resample_filter));
                }
                GeneratorConfig::StyleGan1(config) => {
                    line("Level of detail", config.lod.to_string());
                }
            }
        }
    }
}

fn image(resolution: usize, channels: usize) -> String {
    let kind = match channels {
        1 => "grey",
        3 => "RGB",
        4 => "RGBA",
        _ => return format!("{resolution}x{resolution}, {channels} channels"),
    };
    format!("{resolution}x{resolution} {kind}")
}

fn labels(label_dim: usize) -> String {
    if label_dim == 0 { "none".into() } else { format!("{label_dim} classes") }
}

fn channels(table: &ChannelTable) -> String {
    let entries: Vec<String> =
        table.0.iter().map(|(resolution, channels)| format!("{resolution}: {channels}")).collect();
    entries.join(", ")
}

/// 12345678 as `12 345 678`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().filter_map(|group| str::from_utf8(group).ok()).collect();
    groups.join(" ")
}
