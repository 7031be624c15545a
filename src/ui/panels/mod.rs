//! The side panels. A panel reads the state and asks for commands; it keeps nothing but how it is looked at (what is
//! folded away, a search, an order), and that is egui's to remember.

pub mod layer_names;
pub mod layers;
pub mod network_latent;
pub mod noise;
pub mod performance;
pub(super) mod rows;
pub mod style_mix;
pub mod style_vector;
pub mod truncation;

pub use layers::layers_ui;
pub use network_latent::network_latent_ui;
pub use noise::noise_ui;
pub use performance::performance_ui;
pub use style_mix::style_mix_ui;
pub use style_vector::style_vector_ui;
pub use truncation::truncation_ui;

use egui::{ScrollArea, Sense, Ui, UiBuilder};

use super::{command::CommandSender, state::AppState, theme};

/// Height that the two lists on the right need to be of use together, in points.
const LISTS_HEIGHT: f32 = 480.0;

/// Everything of the panel on the left, scrolled where it does not fit.
pub fn left_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    scrolled_ui(ui, "left panel", |ui| {
        network_latent_ui(ui, state, commands);
        truncation_ui(ui, state, commands);
        style_mix_ui(ui, state, commands);
        noise_ui(ui, state, commands);
        performance_ui(ui, state, commands);
    });
}

/// Everything of the panel on the right. Its two lists share the height and scroll by themselves; where that leaves
/// too little for either, the whole panel scrolls.
pub fn right_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let contents = |ui: &mut Ui| {
        layers_ui(ui, state, commands);
        style_vector_ui(ui, state, commands);
    };
    if ui.available_height() < LISTS_HEIGHT {
        scrolled_ui(ui, "right panel", contents);
    } else {
        contents(ui);
    }
}

/// How far a scroll bar reaches into the panel's margin: it clears the reset marks, and the edge that resizes the panel.
const BAR_IN_MARGIN: f32 = 0.6 * theme::PANEL_MARGIN;

/// What scrolls within a panel, with the scroll bar beside it.
fn scrolled_ui(ui: &mut Ui, name: &str, contents: impl FnOnce(&mut Ui)) {
    let inside = ui.available_rect_before_wrap();
    let with_bar = inside.with_max_x(inside.right() + BAR_IN_MARGIN);
    // The child takes no room by itself: the panel must not grow by its own margin.
    ui.allocate_rect(inside, Sense::hover());
    let mut child = ui.new_child(UiBuilder::new().max_rect(with_bar).id_salt(name));
    ScrollArea::vertical().id_salt(name).auto_shrink(false).show(&mut child, |ui| {
        ui.set_max_width(inside.width());
        contents(ui);
    });
}
