//! The side panels by themselves: each control asks for the right command.

use egui::{Key, Role, Theme, vec2};
use egui_kittest::{
    Harness,
    kittest::{NodeT as _, Queryable as _},
};
use stylescope::{
    session::{MixPreset, PoseEdit, pose::NoiseMode},
    ui::{command::Command, performance::Performance},
};

use crate::scene::{Scene, harness, summary};

fn open() -> Harness<'static, Scene> {
    harness(Scene::with(summary(256, 0)), Theme::Dark, 1140.0)
}

fn last(harness: &Harness<'_, Scene>) -> Option<Command> {
    harness.state().sent.last().cloned()
}

fn last_edit(harness: &Harness<'_, Scene>) -> Option<PoseEdit> {
    match last(harness) {
        Some(Command::Edit(edit, _)) => Some(edit),
        _ => None,
    }
}

#[test]
fn bars_ask_for_their_edit_and_reset_it() {
    let mut harness = open();
    let cases: [(&str, &str, f64, PoseEdit); 12] = [
        ("Truncation psi", "Truncation psi", 0.5, PoseEdit::Psi(0.5)),
        ("Truncation cutoff", "Truncation cutoff", 6.0, PoseEdit::Cutoff(Some(6))),
        ("Noise strength", "Noise strength", 0.25, PoseEdit::NoiseStrength(0.25)),
        ("Noise turn", "Noise turn", 0.125, PoseEdit::NoiseTurn(0.125)),
        ("Seed number", "Seed number", 230.0, PoseEdit::Seed(position(30.0, 2.0))),
        ("Seed x", "Seed position", 4.25, PoseEdit::Seed(position(4.25, 0.0))),
        ("Seed y", "Seed position", 1.5, PoseEdit::Seed(position(0.0, 1.5))),
        ("Second seed", "Second seed", 7.0, PoseEdit::MixSeed(7)),
        ("Mix of layer 3 (16x16 conv0)", "layer 3 (16x16 conv0)", 0.5, PoseEdit::MixAmount { ws: 3, amount: 0.5 }),
        ("Psi of layer 3 (16x16 conv0)", "layer 3 (16x16 conv0)", 0.5, PoseEdit::LayerPsi { ws: 3, psi: Some(0.5) }),
        (
            "Noise of layer 3 (16x16 conv0)",
            "layer 3 (16x16 conv0)",
            2.0,
            PoseEdit::LayerNoise { layer: 5, factor: Some(2.0) },
        ),
        (
            "Channel 2 offset",
            "Channel 2 offset",
            1.0,
            PoseEdit::StyleOffset { layer: 0, channel: 2, offset: Some(1.53) },
        ),
    ];
    for (control, reset, value, edit) in cases {
        let reset = format!("Reset {reset}");
        assert!(harness.get_by_label(&reset).accesskit_node().is_disabled(), "{reset} before");
        harness.get_by_label(control).set_value_accesskit(value);
        harness.run();
        assert_eq!(last_edit(&harness), Some(edit), "{control}");
        assert_ne!(*harness.state().state.pose(), Default::default(), "{control}");
        harness.get_by_label(&reset).click();
        harness.run();
        assert_eq!(*harness.state().state.pose(), Default::default(), "{reset}");
    }
}

fn position(x: f64, y: f64) -> stylescope::session::pose::SeedPosition {
    stylescope::session::pose::SeedPosition { x, y }
}

#[test]
fn a_drag_is_one_step_of_undo() {
    let mut harness = open();
    let center = harness.get_by_label("Truncation psi").rect().center();
    harness.drag_at(center);
    harness.step();
    for x in 1..=6 {
        harness.hover_at(center - vec2(8.0 * x as f32, 0.0));
        harness.step();
    }
    harness.drop_at(center - vec2(48.0, 0.0));
    harness.run();
    assert!(harness.state().sent.len() > 3);
    assert!(harness.state().state.pose().truncation.psi < 0.5);
    let document = &mut harness.state_mut().state.document;
    assert_eq!(document.undo().as_deref(), Some("Change psi"));
    assert_eq!(*document.pose(), Default::default());
}

#[test]
fn mixing_has_bars_switches_and_presets() {
    let mut harness = open();
    let bar = harness.get_by_label("Mix amount layer 5 (32x32 conv0)").rect();
    harness.drag_at(bar.center());
    harness.step();
    harness.hover_at(bar.center() - vec2(0.0, bar.height() / 4.0));
    harness.step();
    harness.drop_at(bar.center() - vec2(0.0, bar.height() / 4.0));
    harness.run();
    let amount = harness.state().state.pose().mix.amount(5);
    assert!((0.2..0.3).contains(&amount), "{amount}");

    harness.get_by_label("Mix layer 5 (32x32 conv0)").click();
    harness.run();
    assert_eq!(harness.state().state.pose().mix.amount(5), 0.0);
    harness.get_by_label("Mix layer 5 (32x32 conv0)").click();
    harness.run();
    assert_eq!(harness.state().state.pose().mix.amount(5), amount, "the amount comes back");
    harness.get_by_label("Mix layer 6 (32x32 conv1)").click();
    harness.run();
    assert_eq!(harness.state().state.pose().mix.amount(6), 1.0, "without an amount all of it");

    for preset in MixPreset::ALL {
        let edit = PoseEdit::MixPreset(preset, 14);
        harness.get_by_label(&edit.label()).click();
        harness.run();
        assert_eq!(last_edit(&harness), Some(edit));
    }
    harness.get_by_label("Random second seed").click();
    harness.run();
    assert!(matches!(last_edit(&harness), Some(PoseEdit::MixSeed(_))));
}

#[test]
fn the_noise_has_sources_and_greys_what_does_nothing() {
    let mut harness = open();
    assert!(harness.get_by_label("Noise seed").accesskit_node().is_disabled());
    harness.get_by_label("Noise source: Random").click();
    harness.run();
    assert_eq!(last_edit(&harness), Some(PoseEdit::NoiseMode(NoiseMode::Random)));
    harness.get_by_label("Noise seed").set_value_accesskit(5.0);
    harness.run();
    assert_eq!(last_edit(&harness), Some(PoseEdit::NoiseSeed(5)));
    harness.get_by_label("Noise source: Off").click();
    harness.run();
    for name in ["Noise seed", "Noise strength", "Noise turn", "Noise speed", "Animate noise"] {
        assert!(harness.get_by_label(name).accesskit_node().is_disabled(), "{name}");
    }
    harness.get_by_label("Reset section Noise").click();
    harness.run();
    assert_eq!(*harness.state().state.pose(), Default::default());
}

#[test]
fn animation_starts_and_has_a_speed() {
    let mut harness = open();
    for (toggle, on, speed, command, default) in [
        ("Animate seed", Command::AnimateSeed(true), "Seed speed", Command::SeedSpeed(-1.5), Command::SeedSpeed(0.25)),
        (
            "Animate noise",
            Command::AnimateNoise(true),
            "Noise speed",
            Command::NoiseSpeed(-1.5),
            Command::NoiseSpeed(0.1),
        ),
    ] {
        harness.get_by_label(toggle).click();
        harness.run();
        assert_eq!(last(&harness), Some(on));
        harness.get_by_label(speed).set_value_accesskit(-1.5);
        harness.run();
        assert_eq!(last(&harness), Some(command));
        harness.get_by_label(&format!("Reset {speed}")).click();
        harness.run();
        assert_eq!(last(&harness), Some(default));
    }
}

#[test]
fn a_layer_is_chosen_in_the_table_and_its_vectors_are_shown() {
    let mut harness = open();
    harness.get_by_label("Select layer 3 (16x16 conv0)").click_accesskit();
    harness.run();
    assert_eq!(last(&harness), Some(Command::SelectLayer(5)));
    harness.get_by_label("Show 8x8 torgb").click();
    harness.run();
    assert_eq!(harness.state().state.selected_layer, 4);

    harness.get_by_label("Vector: w").click();
    harness.run();
    harness.get_by_label("w 3 offset").set_value_accesskit(1.0);
    harness.run();
    assert!(matches!(last_edit(&harness), Some(PoseEdit::WOffset { ws: 3, channel: 3, offset: Some(_) })));
    harness.get_by_label("Vector: Style (S)").click();
    harness.run();
    harness.get_by_label("Channel 3 offset").set_value_accesskit(1.0);
    harness.run();
    assert!(matches!(last_edit(&harness), Some(PoseEdit::StyleOffset { layer: 4, channel: 3, offset: Some(_) })));
    harness.get_by_label("Reset style vector and w").click();
    harness.run();
    assert_eq!(*harness.state().state.pose(), Default::default());
}

#[test]
fn classes_are_chosen_where_the_model_has_them() {
    let harness = open();
    assert!(harness.get_by_label("Class label").accesskit_node().is_disabled());
    let mut harness = harness_with_classes(1000);
    harness.get_by_role_and_label(Role::ComboBox, "Class label").click();
    harness.run();
    harness.get_by_label("Class 3").click();
    harness.run();
    assert_eq!(last_edit(&harness), Some(PoseEdit::Class(3)));
    harness.get_by_label("Reset Class label").click();
    harness.run();
    assert_eq!(harness.state().state.pose().class, 0);
}

fn harness_with_classes(classes: usize) -> Harness<'static, Scene> {
    harness(Scene::with(summary(64, classes)), Theme::Dark, 1140.0)
}

#[test]
fn without_a_model_controls_are_greyed_and_say_what_to_do() {
    let mut harness = harness(Scene::empty(), Theme::Dark, 1140.0);
    for name in [
        "Seed number",
        "Seed x",
        "Seed y",
        "Class label",
        "Truncation psi",
        "Truncation cutoff",
        "Second seed",
        "Noise strength",
    ] {
        assert!(harness.get_by_label(name).accesskit_node().is_disabled(), "{name}");
    }
    for hint in ["No model yet", "Open a model to mix", "Open a model to see its layers", "choose a layer"] {
        assert!(harness.query_by_label_contains(hint).is_some(), "{hint}");
    }
    harness.get_by_label("Open the bundled model").click();
    harness.run();
    assert_eq!(last(&harness), Some(Command::OpenBundled));
}

#[test]
fn performance_has_limits_and_captures() {
    let mut harness = open();
    harness.get_by_label("Image rate limit").set_value_accesskit(30.0);
    harness.run();
    assert_eq!(last(&harness), Some(Command::FpsLimit(30)));
    harness.get_by_label("Reset Image rate limit").click();
    harness.run();
    assert_eq!(last(&harness), Some(Command::FpsLimit(60)));
    if Performance::max_threads() > 1 {
        harness.get_by_label("Processors that compute").set_value_accesskit(1.0);
        harness.run();
        assert_eq!(last(&harness), Some(Command::ThreadLimit(1)));
        harness.get_by_label("Reset Processors that compute").click();
        harness.run();
        assert_eq!(last(&harness), Some(Command::ThreadLimit(Performance::max_threads())));
    }
    harness.get_by_label("Vertical sync").click();
    harness.run();
    assert_eq!(last(&harness), Some(Command::Vsync(false)));
    assert!(harness.query_by_label("16-bit feature maps").is_none(), "the device cannot");
    harness.state_mut().state.device.half = true;
    harness.run();
    harness.get_by_label("16-bit feature maps").click();
    harness.run();
    assert_eq!(last(&harness), Some(Command::Half(true)));
    harness.get_by_label("Reset 16-bit feature maps").click();
    harness.run();
    assert_eq!(last(&harness), Some(Command::Half(false)));
    harness.get_by_label("Capture image").click();
    harness.run();
    assert_eq!(last(&harness), Some(Command::Capture));
}

#[test]
fn sections_fold_and_stay_folded() {
    let mut harness = open();
    harness.get_by_label("Truncation").click();
    harness.run();
    assert!(harness.query_by_label("Truncation psi").is_none());
    assert_eq!(harness.state().state.sections.get("Truncation"), Some(&false));
    harness.get_by_label("Truncation").focus();
    harness.run();
    harness.key_press(Key::Enter);
    harness.run();
    assert!(harness.query_by_label("Truncation psi").is_some());
}
