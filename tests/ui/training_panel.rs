//! The training tab by itself, over a history that was made up.

use std::{collections::BTreeMap, path::Path};

use egui::{ColorImage, TextureOptions, Theme, UiBuilder, vec2};
use egui_kittest::{Harness, SnapshotOptions, kittest::Queryable as _};
use stylescope::{
    checkpoint::SnapshotFile,
    training::{
        Progress, TrainConfig,
        history::HistoryLine,
        preset::{Preset, PresetOptions},
        session::{Past, TrainEvent},
    },
    ui::{
        command::Command,
        dock::{Dock, DockTab, dock_ui},
        state::AppState,
        theme,
        training::{ShownSample, Side, TrainingCommand, TrainingView, form::Control, plan::Plan},
    },
};

use crate::scene::{Scene, summary};

const KIMG: f64 = 100.0;

fn config() -> TrainConfig {
    Preset::StyleGan2E.build(&PresetOptions { resolution: 32, kimg: KIMG, ..PresetOptions::default() }).unwrap()
}

/// A tick whose values swing around what a healthy training shows.
fn line(i: u64, sign: f64) -> HistoryLine {
    let swing = |speed: f64| (speed * i as f64).sin();
    let settled = 1.0 - (-0.2 * i as f64).exp();
    let values: BTreeMap<String, f64> = [
        ("loss_g", 0.9 + 0.2 * settled + 0.1 * swing(1.3)),
        ("loss_d", 1.3 - 0.2 * settled + 0.06 * swing(2.1)),
        ("sign_real", sign * settled + 0.02 * swing(1.7)),
        ("sign_fake", -sign * settled + 0.02 * swing(0.9)),
        ("r1", 0.02 + 0.01 * swing(1.1)),
        ("path_length", 0.3 * settled + 0.02 * swing(0.7)),
        ("diversity", 0.9 * settled),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    HistoryLine { nimg: 2000 * (i + 1), iteration: 125 * (i + 1), seconds: 60.0 * (i + 1) as f64, values }
}

/// A training that stands at 60 of 100 kimg.
fn training(sign: f64) -> TrainingView {
    let mut view = TrainingView::new("/runs/portraits-32-stylegan2-e-001".into());
    let snapshot = |i: u64| SnapshotFile::of(Path::new(&format!("/run/snapshots/{:09}.safetensors", 10_000 * i)));
    let past = Past {
        config: config(),
        history: (0..29).map(|i| line(i, sign)).collect(),
        snapshots: (1..=6).filter_map(snapshot).collect(),
        sample: None,
    };
    view.on_event(TrainEvent::Begun {
        parameters: [812_345, 798_211],
        nimg: 58_000,
        total: 100_000,
        notes: Vec::new(),
        past: Box::new(past),
    });
    view.on_event(TrainEvent::Tick { line: line(29, sign), sec_per_kimg: 31.4, remaining: 0.0 });
    view.on_progress(std::time::Instant::now(), Progress { nimg: 60_000, iteration: 3750 });
    view
}

fn harness(side: Side, sign: f64, look: Theme) -> Harness<'static, Scene> {
    let mut scene = Scene::with(summary(32, 0));
    let state: &mut AppState = &mut scene.state;
    state.dock = Dock { open: true, tab: DockTab::Training };
    state.training.view = Some(training(sign));
    state.training.side = side;
    state.training.flops_per_second = Some(2e10);
    state.training.plan = Some(Plan::of(&state.training.form, None, &state.training.classes()));
    Harness::builder()
        .with_size(vec2(1280.0, 640.0))
        .with_theme(look)
        .with_step_dt(0.02)
        .with_context_setup(theme::install)
        .wgpu()
        .build_ui_state(
            |ui, scene: &mut Scene| {
                scene.sent.extend(scene.commands.take());
                if scene.state.training.sample.is_none() {
                    scene.state.training.sample = Some(sample(ui.ctx()));
                }
                let whole = UiBuilder::new().max_rect(ui.ctx().content_rect());
                let mut root = ui.new_child(whole);
                dock_ui(&mut root, &scene.state, &scene.commands);
            },
            scene,
        )
}

/// Coloured squares where images of a network would be.
fn sample(ctx: &egui::Context) -> ShownSample {
    let cell = |i: usize| egui::Color32::from_rgb((i % 8 * 32) as u8, (i / 8 * 32) as u8, 120);
    let image = ColorImage::new([8, 8], (0..64).map(cell).collect());
    let texture = ctx.load_texture("samples", image, TextureOptions::NEAREST);
    ShownSample { path: "/run/samples/000060000.png".into(), nimg: 60_000, texture }
}

fn picture(side: Side, look: Theme, name: &str) {
    let mut harness = harness(side, 0.4, look);
    harness.run_steps(4);
    harness.snapshot_options(name, &SnapshotOptions::new().threshold(1.5).max_failed_pixels(80));
}

#[test]
fn setup_dark() {
    picture(Side::Setup, Theme::Dark, "training_setup_dark");
}

#[test]
fn run_dark() {
    picture(Side::Run, Theme::Dark, "training_run_dark");
}

#[test]
fn run_light() {
    picture(Side::Run, Theme::Light, "training_run_light");
}

#[test]
fn findings_are_told_and_lead_to_their_control() {
    // Signs of nearly 1: the discriminator is sure of everything.
    let mut harness = harness(Side::Run, 0.99, Theme::Dark);
    harness.run_steps(2);
    let finding = harness.state().state.training.view.as_ref().unwrap().findings[0].clone();
    for text in [&finding.sentence, &finding.advice] {
        assert!(harness.query_by_label(text).is_some(), "{text}");
    }
    harness.get_by_label("Training: Run (1)").click();
    harness.get_by_label("Go to gamma").click();
    harness.run_steps(2);
    assert_eq!(harness.state().sent.last(), Some(&Command::Training(TrainingCommand::GoTo(Control::Gamma))));

    // The form then shows the control and gives it the focus, once.
    harness.state_mut().state.training.go_to(Control::Gamma);
    harness.run_steps(3);
    assert!(harness.get_by_label("R1 gamma").is_focused());
    let rect = harness.get_by_label("R1 gamma").rect();
    assert!(rect.bottom() < 640.0 && rect.top() > 300.0, "{rect:?}");
    harness.get_by_label("Batch size").focus();
    harness.run_steps(3);
    assert!(!harness.get_by_label("R1 gamma").is_focused());
    // Of several choices the one that stands has it.
    for (control, name) in [(Control::Ada, "ADA: Off"), (Control::Data, "Images: Portraits")] {
        harness.state_mut().state.training.go_to(control);
        harness.run_steps(4);
        assert!(harness.get_by_label(name).is_focused(), "{name}");
    }
}

#[test]
fn a_click_on_a_sample_asks_for_its_pose() {
    let mut harness = harness(Side::Run, 0.4, Theme::Dark);
    harness.run_steps(2);
    harness.get_by_label("Sample of seed 13").click();
    harness.run_steps(2);
    assert_eq!(harness.state().sent, [Command::Training(TrainingCommand::PoseOf(13))]);
}
