//! The whole program: a control that is moved changes the pose and the image, and what goes wrong is told.

use std::path::{Path, PathBuf};

use egui::{Key, Modifiers, vec2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use stylescope::{
    checkpoint::save_safetensors,
    model::{Generator, Placement, config::ChannelTable},
    session::PoseEdit,
    ui::{app::Start, command::Command, state::Dialog},
};

use crate::{scene::config, window::Window};

/// Does something that must show in the pose and in the image, and takes it back from the keyboard.
fn acts(window: &mut Window, what: &str, act: impl FnOnce(&mut Window)) {
    let before = window.seen();
    act(window);
    let after = window.seen();
    assert_ne!(after.pose, before.pose, "{what}: the pose");
    assert_ne!(after.image, before.image, "{what}: the image");
    window.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(window.seen(), before, "{what}: undone");
    window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::Z);
    assert_eq!(window.seen(), after, "{what}: redone");
    window.press(Modifiers::COMMAND, Key::Z);
}

/// Puts the pose where a control can be seen to act, for good.
fn edit(window: &mut Window, edit: PoseEdit) {
    window.harness.state().commands().edit(edit);
    window.settle();
}

fn sets(window: &mut Window, name: &str, value: f64) {
    acts(window, name, |window| window.set(name, value));
}

fn clicks(window: &mut Window, name: &str) {
    acts(window, name, |window| window.click(name));
}

#[test]
fn the_latent_moves_the_image() {
    let mut window = Window::open(Start::Bundled);
    sets(&mut window, "Seed number", 7.0);
    sets(&mut window, "Seed x", 2.5);
    sets(&mut window, "Seed y", 1.25);
    clicks(&mut window, "Random seed");
    acts(&mut window, "seed plane", |window| window.drag("Seed plane", vec2(40.0, 20.0)));
    acts(&mut window, "image", |window| window.drag("Image", vec2(120.0, 60.0)));
    edit(&mut window, PoseEdit::Seed(stylescope::session::pose::SeedPosition { x: 3.4, y: 0.7 }));
    clicks(&mut window, "Snap to seed");
}

#[test]
fn truncation_and_mixing_move_the_image() {
    let mut window = Window::open(Start::Bundled);
    sets(&mut window, "Truncation psi", 0.4);
    acts(&mut window, "psi, dragged", |window| window.drag("Truncation psi", vec2(-40.0, 0.0)));
    edit(&mut window, PoseEdit::Psi(0.3));
    sets(&mut window, "Truncation cutoff", 4.0);
    edit(&mut window, PoseEdit::ResetTruncation);

    sets(&mut window, "Mix amount layer 2 (8x8 conv1)", 0.5);
    acts(&mut window, "mix bar, dragged", |window| window.drag("Mix amount layer 0 (4x4 conv1)", vec2(0.0, -20.0)));
    clicks(&mut window, "Mix layer 3 (16x16 conv0)");
    for preset in ["Mix coarse layers", "Mix middle layers", "Mix fine layers", "Mix all layers"] {
        clicks(&mut window, preset);
    }
    window.click("Mix all layers");
    sets(&mut window, "Second seed", 5.0);
    clicks(&mut window, "Random second seed");
    clicks(&mut window, "Mix no layers");
    clicks(&mut window, "Mix layer 3 (16x16 conv0)");
    clicks(&mut window, "Reset section Style mix");
}

#[test]
fn noise_moves_the_image() {
    let mut window = Window::open(Start::Bundled);
    clicks(&mut window, "Noise source: Off");
    clicks(&mut window, "Noise source: Random");
    sets(&mut window, "Noise strength", 2.0);
    sets(&mut window, "Noise turn", 0.3);
    window.click("Noise source: Random");
    sets(&mut window, "Noise seed", 3.0);
    sets(&mut window, "Noise turn", 0.3);
    sets(&mut window, "Noise of layer 5 (32x32 conv0)", -3.0);
}

#[test]
fn layers_and_channels_move_the_image() {
    let mut window = Window::open(Start::Bundled);
    sets(&mut window, "Mix of layer 4 (16x16 conv1)", 1.0);
    sets(&mut window, "Psi of layer 1 (8x8 conv0)", -0.5);
    edit(&mut window, PoseEdit::LayerPsi { ws: 1, psi: Some(0.1) });
    clicks(&mut window, "Reset layer 1 (8x8 conv0)");

    window.click("Show 8x8 conv1");
    assert_eq!(window.state().layer().map(|layer| layer.name.as_str()), Some("b8.conv1"));
    sets(&mut window, "Channel 3 offset", 9.0);
    acts(&mut window, "channel, dragged", |window| window.drag("Channel 1 offset", vec2(40.0, 0.0)));
    window.click("Vector: w");
    sets(&mut window, "w 2 offset", 9.0);
    edit(&mut window, PoseEdit::WOffset { ws: 2, channel: 0, offset: Some(5.0) });
    clicks(&mut window, "Reset style vector and w");
}

#[test]
fn the_style_vector_is_reached_in_a_low_window() {
    let mut window = Window::sized(Start::Bundled, vec2(640.0, 400.0), 1.0);
    window.harness.get_by_label("Find Channel").scroll_to_me();
    window.settle();
    let low = window.harness.get_by_label("Channel 0 offset").rect();
    window.harness.get_by_label("Channel 2 offset").scroll_to_me();
    window.settle();
    let shown = window.harness.get_by_label("Channel 2 offset").rect();
    assert!(shown.bottom() < 400.0 && shown.top() < low.top() + 60.0, "{low:?} {shown:?}");
    acts(&mut window, "channel", |window| window.drag("Channel 2 offset", vec2(40.0, 0.0)));
}

#[test]
fn the_values_of_the_chosen_layer_are_shown() {
    let mut window = Window::open(Start::Bundled);
    window.click("Show 16x16 conv0");
    let layer = window.state().selected_layer;
    window.wait_until("the vectors arrive", |app| {
        app.state().inspected.as_ref().is_some_and(|values| values.layer == layer)
    });
    window.wait_until("the statistics arrive", |app| app.state().statistics.is_some());
    let state = window.state();
    let (values, info) = (state.inspected.as_ref(), state.layer());
    assert_eq!(values.map(|values| values.style.len()), info.map(|layer| layer.style_dim));
    // With the statistics a bar is in standard deviations.
    window.set("Channel 3 offset", 2.0);
    let state = window.state();
    let sigma = state.statistics.as_ref().map(|known| known.style_std[layer][3]).expect("statistics");
    assert!((state.pose().style_offset(layer, 3) - 2.0 * sigma).abs() <= 1e-6 * sigma.max(1.0));
}

#[test]
fn classes_are_greyed_on_an_unconditional_model() {
    let window = Window::open(Start::Bundled);
    assert!(window.harness.get_by_label("Class label").accesskit_node().is_disabled());
    assert!(!window.harness.get_by_label("Truncation psi").accesskit_node().is_disabled());
}

/// A small untrained network with classes, as a file.
fn conditional_model(folder: &Path) -> PathBuf {
    let config = config(32, 5, ChannelTable::from_base(512, 32, 32), 64);
    let generator = Generator::init(config.clone(), 3, &Placement::cpu()).expect("a network");
    let weights = generator.state_dict().expect("its weights");
    let path = folder.join("five-classes.safetensors");
    save_safetensors(&path, &config, &weights, &[]).expect("written");
    path
}

#[test]
fn classes_move_the_image_of_a_conditional_model() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = conditional_model(folder.path());
    let mut window = Window::open(Start::Path(path.clone()));
    assert_eq!(window.state().label_dim(), 5, "{:?}", window.state().error);
    assert_eq!(window.state().recent, [path]);
    acts(&mut window, "class", |window| {
        window.click("Class label");
        window.click("Class 3");
    });
}

#[test]
fn another_model_takes_the_place_of_the_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = conditional_model(folder.path());
    let mut window = Window::open(Start::Bundled);
    edit(&mut window, PoseEdit::StyleOffset { layer: 2, channel: 5, offset: Some(1.5) });
    let before = window.seen();
    window.drop_file(&path);
    assert_eq!(window.state().model.as_ref().map(|model| model.config.resolution()), Some(32));
    let after = window.seen();
    assert_ne!(after.image, before.image);
    assert!(after.pose.style_offsets.is_empty(), "channels mean nothing in another network");
    window.click("Open the bundled model");
    assert_eq!(window.state().model.as_ref().map(|model| model.name.as_str()), Some("portraits-64"));
}

#[test]
fn animation_walks_and_is_one_step_of_undo() {
    let mut window = Window::open(Start::Bundled);
    let before = window.seen();
    window.set("Seed speed", 5.0);
    window.harness.get_by_label("Animate seed").click();
    window.harness.run_steps(30);
    assert!(window.state().pose().seed.x > 0.5, "{:?}", window.state().pose().seed);
    window.harness.get_by_label("Animate seed").click();
    window.settle();
    window.leave();
    assert_ne!(window.seen().image, before.image);
    window.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(window.seen().pose, before.pose);
}

#[test]
fn comparing_shows_the_unedited_pose_while_the_key_is_held() {
    let mut window = Window::open(Start::Bundled);
    let plain = window.seen();
    edit(&mut window, PoseEdit::Psi(0.2));
    let edited = window.seen();
    window.harness.key_down(Key::C);
    window.settle();
    let compared = window.seen();
    assert_eq!(compared.image, plain.image);
    assert_eq!(compared.pose, edited.pose);
    window.harness.key_up(Key::C);
    window.settle();
    assert_eq!(window.seen(), edited);
}

#[test]
fn a_wrong_file_is_told_and_the_program_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("no-model.pkl");
    std::fs::write(&path, b"this is no pickle").expect("written");
    let mut window = Window::open(Start::Bundled);
    let before = window.seen();
    window.drop_file(&path);
    let error = window.state().error.clone().expect("an error over the image");
    assert!(error.title.contains("no-model.pkl"), "{error:?}");
    assert!(window.harness.query_all_by_label(&error.title).count() > 0);

    window.set("Truncation psi", 0.5);
    assert_eq!(window.state().pose().truncation.psi, 0.5, "the program goes on");
    window.press(Modifiers::COMMAND, Key::Z);
    window.click("Dismiss");
    assert!(window.state().error.is_none());
    assert_eq!(window.seen(), before, "the model before is still there");
}

#[test]
fn a_saved_picture_brings_its_pose_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("posed.png");
    let mut window = Window::open(Start::Bundled);
    for step in [
        PoseEdit::Seed(stylescope::session::pose::SeedPosition { x: 12.25, y: 3.0 }),
        PoseEdit::Psi(0.6),
        PoseEdit::MixAmount { ws: 3, amount: 0.5 },
        PoseEdit::StyleOffset { layer: 2, channel: 5, offset: Some(1.5) },
    ] {
        edit(&mut window, step);
    }
    let posed = window.seen();
    window.harness.state().commands().send(Command::SaveImageTo(path.clone()));
    window.settle();
    assert!(path.exists());

    edit(&mut window, PoseEdit::Replace(Box::default()));
    assert_ne!(window.seen(), posed);
    window.drop_file(&path);
    let pose = posed.pose.clone();
    window.wait_until("the pose is read", move |app| *app.state().pose() == pose);
    window.settle();
    assert_eq!(window.seen(), posed);
    window.press(Modifiers::COMMAND, Key::Z);
    assert_eq!(*window.state().pose(), Default::default(), "and undo takes it back");
}

#[test]
fn the_palette_and_the_help_sheet_open_and_close() {
    let mut window = Window::open(Start::Empty);
    for (modifiers, key, dialog, inside) in [
        (Modifiers::COMMAND | Modifiers::SHIFT, Key::P, Dialog::Palette, "Search commands"),
        (Modifiers::NONE, Key::F1, Dialog::Shortcuts, "Walk through the plane of seeds"),
    ] {
        window.press(modifiers, key);
        assert_eq!(window.state().dialog, Some(dialog));
        assert!(window.harness.query_by_label(inside).is_some(), "{inside}");
        window.press(Modifiers::NONE, Key::Escape);
        assert_eq!(window.state().dialog, None);
        assert!(window.harness.query_by_label(inside).is_none(), "{inside}");
    }
}

#[test]
fn the_palette_finds_and_carries_out_a_command() {
    let mut window = Window::open(Start::Bundled);
    let before = window.seen();
    window.press(Modifiers::COMMAND | Modifiers::SHIFT, Key::P);
    window.harness.get_by_label("Search commands").type_text("mix all layers");
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
    assert_eq!(window.state().dialog, None);
    assert_eq!(window.state().pose().mix.amounts.len(), window.state().num_ws());
    assert_ne!(window.seen().image, before.image);
}

#[test]
fn letters_are_for_the_field_that_is_typed_in() {
    let mut window = Window::open(Start::Bundled);
    window.harness.get_by_label("Truncation psi").focus();
    window.settle();
    window.press(Modifiers::NONE, Key::Enter);
    let before = window.state().pose().clone();
    // R would go to a random seed.
    window.press(Modifiers::NONE, Key::R);
    window.harness.get_by_label("Truncation psi, typed").type_text("0.25");
    window.settle();
    assert_eq!(*window.state().pose(), before);
    window.press(Modifiers::NONE, Key::Enter);
    assert_eq!(window.state().pose().truncation.psi, 0.25);
    assert_eq!(window.state().pose().seed, before.seed);
}
