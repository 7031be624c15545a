//! A window without an engine: the panels, the state that they read, and the commands that they asked for.

use std::{sync::Arc, time::Duration};

use egui::{Panel, vec2};
use egui_kittest::Harness;
use stylescope::{
    engine::message::{LayerValues, ModelId, ModelSummary, Timings},
    latent::LatentStatistics,
    model::{
        config::{
            Architecture, ChannelTable, GeneratorConfig, LabelNormalization, MappingConfig, StyleGan2Config,
            resolutions,
        },
        layer::{LayerInfo, LayerKind},
    },
    ui::{
        command::{Command, CommandSender},
        panels,
        state::{AppState, DeviceLine},
        theme,
    },
};

/// A StyleGAN2 (skip) network whose latents have `width` dimensions.
pub fn config(resolution: usize, label_dim: usize, channels: ChannelTable, width: usize) -> GeneratorConfig {
    let mapping = MappingConfig {
        num_layers: 8,
        hidden_dim: width,
        lr_multiplier: 0.01,
        w_avg_beta: 0.995,
        label_normalization: LabelNormalization::Separate,
    };
    GeneratorConfig::StyleGan2(StyleGan2Config {
        z_dim: width,
        label_dim,
        w_dim: width,
        resolution,
        img_channels: 3,
        mapping,
        channels,
        architecture: Architecture::Skip,
        conv_clamp: None,
        use_noise: true,
        resample_filter: vec![1.0, 3.0, 3.0, 1.0],
    })
}

/// What a StyleGAN2 (skip) network of this resolution would say of itself.
pub fn summary(resolution: usize, label_dim: usize) -> ModelSummary {
    let channels = ChannelTable::from_base(32_768, 512, resolution);
    let mut layers = Vec::new();
    let (mut ws, mut noises) = (0, 0);
    for r in resolutions(resolution) {
        let mut push = |name: &str, kind, ws_index, style_dim, out_channels| {
            let noise_index = (kind == LayerKind::Conv).then_some(noises);
            noises += usize::from(noise_index.is_some());
            let name = format!("b{r}.{name}");
            let noise_strength = if noise_index.is_some() { 0.1 } else { 0.0 };
            layers.push(LayerInfo {
                name,
                kind,
                resolution: r,
                ws_index,
                style_dim,
                out_channels,
                noise_index,
                noise_strength,
            });
        };
        let out = channels.at(r);
        if r > 4 {
            push("conv0", LayerKind::Conv, ws, channels.at(r / 2), out);
            ws += 1;
        }
        push("conv1", LayerKind::Conv, ws, out, out);
        ws += 1;
        push("torgb", LayerKind::ToRgb, ws, out, 3);
    }
    let config = config(resolution, label_dim, channels, 512);
    ModelSummary {
        id: ModelId(1),
        path: Some("/models/a-model.safetensors".into()),
        name: "a-model".to_owned(),
        nimg: None,
        network: "generator".to_owned(),
        networks: Vec::new(),
        details: vec!["a line of details".to_owned()],
        notice: None,
        config,
        layers,
    }
}

/// The panels' side of the window.
pub struct Scene {
    pub state: AppState,
    pub commands: CommandSender,
    /// Everything that was asked for, in order.
    pub sent: Vec<Command>,
}

impl Scene {
    pub fn empty() -> Self {
        let device = DeviceLine { name: "A device".to_owned(), kind: "CPU", half: false };
        Self { state: AppState::new(device), commands: CommandSender::default(), sent: Vec::new() }
    }

    pub fn with(model: ModelSummary) -> Self {
        let mut scene = Self::empty();
        let layers = &model.layers;
        let spread = |count: usize| (0..count).map(|i| 0.05 + (i * 37 % 100) as f32 / 50.0).collect::<Vec<f32>>();
        let statistics = LatentStatistics {
            w_std: spread(512),
            style_std: layers.iter().map(|layer| spread(layer.style_dim)).collect(),
        };
        scene.state.statistics = Some(Arc::new(statistics));
        let values = |count: usize| (0..count).map(|i| 3.0 * (i as f32).sin()).collect::<Vec<f32>>();
        scene.state.inspected = Some(LayerValues { layer: 0, style: values(layers[0].style_dim), w: values(512) });
        for i in 0..180_u64 {
            let time = |micros: u64| Duration::from_micros(micros);
            let synthesis = time(12_000 + 4_000 * (i % 7));
            let timings = Timings {
                map: time(400),
                affine: time(250),
                synthesis,
                present: time(90),
                total: synthesis + time(740),
            };
            // Long ago, so that the rate does not depend on the clock.
            let Some(at) = std::time::Instant::now().checked_sub(Duration::from_secs(2)) else { break };
            scene.state.performance.push(at, timings);
        }
        scene.state.model = Some(Arc::new(model));
        scene
    }

    fn apply(&mut self) {
        for command in self.commands.take() {
            match &command {
                Command::Edit(edit, gesture) => {
                    self.state.document.edit(edit, *gesture);
                }
                Command::SelectLayer(layer) => {
                    self.state.selected_layer = *layer;
                    if let Some(values) = &mut self.state.inspected {
                        values.layer = *layer;
                    }
                }
                Command::Section(title, open) => {
                    self.state.sections.insert(title.clone(), *open);
                }
                Command::AnimateSeed(on) => self.state.animation.seed = *on,
                Command::SeedSpeed(speed) => self.state.animation.seed_speed = *speed,
                Command::AnimateNoise(on) => self.state.animation.noise = *on,
                Command::NoiseSpeed(speed) => self.state.animation.noise_speed = *speed,
                Command::FpsLimit(limit) => self.state.performance.fps_limit = *limit,
                Command::ThreadLimit(limit) => self.state.performance.threads = *limit,
                Command::Half(on) => self.state.performance.half = *on,
                Command::Vsync(on) => self.state.performance.vsync = *on,
                _ => {}
            }
            self.sent.push(command);
        }
    }
}

/// Both side panels, as high as they need to show everything.
pub fn harness(scene: Scene, look: egui::Theme, height: f32) -> Harness<'static, Scene> {
    Harness::builder()
        .with_size(vec2(2.0 * theme::PANEL_WIDTH + 24.0, height))
        .with_theme(look)
        .with_step_dt(0.02)
        .with_context_setup(theme::install)
        .wgpu()
        .build_ui_state(
            |ui, scene: &mut Scene| {
                scene.apply();
                let Scene { state, commands, .. } = scene;
                let side =
                    egui::Frame::new().fill(theme::Palette::of(ui.visuals()).panel).inner_margin(theme::PANEL_MARGIN);
                let panel = |panel: Panel| panel.frame(side).resizable(false).exact_size(theme::PANEL_WIDTH);
                panel(Panel::left("left")).show(ui, |ui| panels::left_ui(ui, state, commands));
                panel(Panel::right("right")).show(ui, |ui| panels::right_ui(ui, state, commands));
            },
            scene,
        )
}
