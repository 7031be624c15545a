//! Pictures of the main states, compared with those in `tests/snapshots`. `UPDATE_SNAPSHOTS=1 cargo test --test ui` makes
//! them anew.

use std::path::Path;

use egui::{Rect, ThemePreference, vec2};
use egui_kittest::{SnapshotOptions, kittest::Queryable as _};
use stylescope::{
    session::{MixPreset, PoseEdit},
    ui::{app::Start, command::Command, theme},
};

use crate::window::Window;

/// Between versions of the software driver, edges of letters differ a little.
fn options() -> SnapshotOptions {
    SnapshotOptions::new().threshold(1.5).max_failed_pixels(60)
}

/// Width of the part of the status line that stays the same, in points.
const STATUS_WIDTH: f32 = 200.0;

/// Compares the window, without what differs from run to run: times, the words of the system, the image's last digits.
fn compare(window: &mut Window, name: &str) {
    window.harness.state().commands().send(Command::Section("Performance & capture".to_owned(), false));
    // The channels get their unit when the statistics arrive, whenever that is.
    window.wait_until("the statistics arrive", |app| app.state().model.is_none() || app.state().statistics.is_some());
    window.settle();
    window.leave();
    let bounds = window.harness.ctx.content_rect();
    let status = Rect::from_min_max(bounds.left_bottom() - vec2(0.0, theme::ROW_HEIGHT + 6.0), bounds.right_bottom());
    let mut hidden = vec![status.with_min_x(bounds.left() + STATUS_WIDTH)];
    let state = window.state();
    if let Some(error) = &state.error {
        hidden.extend(window.harness.query_all_by_label(&error.text).map(|node| node.rect()));
    } else if let Some((_, size)) = state.picture.get() {
        hidden.push(state.canvas.image_rect(size, window.canvas(), window.harness.ctx.pixels_per_point()));
    }
    for rect in hidden {
        window.harness.mask(rect);
    }
    window.harness.snapshot_options(name, &options());
}

fn show(window: &mut Window, look: ThemePreference) {
    window.harness.state().commands().send(Command::Theme(look));
    window.settle();
}

fn edited(look: ThemePreference) -> Window {
    let mut window = Window::sized(Start::Bundled, vec2(1280.0, 800.0), 1.0);
    for edit in [
        PoseEdit::Psi(0.7),
        PoseEdit::MixPreset(MixPreset::Middle, 10),
        PoseEdit::MixAmount { ws: 8, amount: 0.4 },
        PoseEdit::MixMuted { ws: 5, muted: true },
        PoseEdit::LayerPsi { ws: 2, psi: Some(0.3) },
        PoseEdit::LayerNoise { layer: 3, factor: Some(2.0) },
        PoseEdit::StyleOffset { layer: 0, channel: 3, offset: Some(2.0) },
    ] {
        window.harness.state().commands().edit(edit);
    }
    show(&mut window, look);
    window
}

fn empty(look: ThemePreference) -> Window {
    let mut window = Window::sized(Start::Empty, vec2(1280.0, 800.0), 1.0);
    show(&mut window, look);
    window
}

#[test]
fn no_model_dark() {
    compare(&mut empty(ThemePreference::Dark), "no_model_dark");
}

#[test]
fn no_model_light() {
    compare(&mut empty(ThemePreference::Light), "no_model_light");
}

#[test]
fn model_dark() {
    compare(&mut edited(ThemePreference::Dark), "model_dark");
}

#[test]
fn model_light() {
    compare(&mut edited(ThemePreference::Light), "model_light");
}

#[test]
fn small_window() {
    compare(&mut Window::sized(Start::Bundled, vec2(960.0, 600.0), 1.0), "small_window");
}

#[test]
fn small_window_at_twice_the_scale() {
    compare(&mut Window::sized(Start::Bundled, vec2(640.0, 400.0), 2.0), "twice_the_scale");
}

#[test]
fn error_over_the_image() {
    let mut window = empty(ThemePreference::Dark);
    window.drop_file(Path::new("/nowhere/broken.pkl"));
    assert!(window.state().error.is_some());
    // The message in the corner goes by itself, in its own time.
    for toast in window.state().toasts.shown() {
        window.harness.state().commands().send(Command::DismissToast(toast.id));
    }
    compare(&mut window, "error");
}

#[test]
fn palette() {
    let mut window = empty(ThemePreference::Dark);
    window.harness.state().commands().send(Command::Palette);
    window.settle();
    compare(&mut window, "palette");
}
