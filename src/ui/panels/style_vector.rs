//! The *Style vector* of the chosen layer, channel by channel: in style space (S) or in the `w` that drives it.

use egui::{ComboBox, Id, Ui, vec2};

use super::{
    layer_names::{full_name, ws_name},
    rows::{hint, section},
};
use crate::{
    model::layer::LayerInfo,
    session::{PoseEdit, PoseField},
    ui::{
        command::{Command, CommandSender},
        state::AppState,
        theme::{LABEL_WIDTH, ROW_HEIGHT},
        widgets::{
            channel_list::{ChannelChange, Channels, channel_list_ui},
            row::reset_mark_ui,
            segmented::{Segment, segmented_ui},
        },
    },
};

/// The list is at least this high, in points.
const MIN_HEIGHT: f32 = 110.0;

/// Which vector is shown; of no interest to anything but the view, so egui's memory keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Space {
    #[default]
    Style,
    W,
}

/// Draws the section.
pub fn style_vector_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    section(ui, state, commands, "Style vector", None, |ui| {
        let Some(layer) = state.layer() else {
            hint(ui, "Open a model and choose a layer to move the channels of its style.");
            return;
        };
        let memory = Id::unique("space of the style vector panel");
        let mut space = ui.data(|data| data.get_temp::<Space>(memory)).unwrap_or_default();
        layer_row(ui, state, commands, layer);
        let tabs = [
            Segment::new(
                Space::Style,
                "Style (S)",
                "Style space: what the layer's affine transform makes of w. It scales the layer's channels, so single channels \
                 often have one meaning. Moves this layer alone.",
            ),
            Segment::new(
                Space::W,
                "w",
                "The intermediate latent that drives this layer (W+). Moves every layer that shares it.",
            ),
        ];
        if let (_, Some(change)) = segmented_ui(ui, "Vector", &tabs, space) {
            space = change.value;
            ui.data_mut(|data| data.insert_temp(memory, space));
        }
        match space {
            Space::Style => style_ui(ui, state, commands, layer),
            Space::W => w_ui(ui, state, commands, layer),
        }
    });
}

fn layer_row(ui: &mut Ui, state: &AppState, commands: &CommandSender, layer: &LayerInfo) {
    ui.horizontal(|ui| {
        ui.allocate_ui(vec2(LABEL_WIDTH, ROW_HEIGHT), |ui| {
            ui.set_min_width(LABEL_WIDTH);
            ui.label("Layer")
                .on_hover_text("The layer whose channels are shown; also a click in the table, or [ and ].");
        });
        let gap = ui.spacing().item_spacing.x;
        let width = (ui.available_width() - super::super::theme::RESET_WIDTH - gap).max(60.0);
        let combo = ComboBox::from_id_salt("style vector layer").width(width).selected_text(full_name(layer));
        let inner = combo.show_ui(ui, |ui| {
            for (index, info) in state.layers().iter().enumerate() {
                let chosen = index == state.selected_layer;
                if ui.selectable_label(chosen, full_name(info)).clicked() && !chosen {
                    commands.send(Command::SelectLayer(index));
                }
            }
        });
        inner.response.accessible_name("Layer of the style vector");
        let field = PoseField::Vectors { layer: state.selected_layer, ws: layer.ws_index };
        if reset_mark_ui(ui, "style vector and w", !state.pose().is_default(field)) {
            commands.edit(field.reset());
        }
    });
}

fn style_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender, layer: &LayerInfo) {
    let index = state.selected_layer;
    let inspected = state.inspected.as_ref().filter(|values| values.layer == index);
    let statistics = state.statistics.as_ref();
    let channels = Channels {
        name: "Channel",
        count: layer.style_dim,
        values: inspected.map(|values| values.style.as_slice()),
        offsets: state.pose().style_offsets.get(&index),
        std: statistics.and_then(|known| known.style_std.get(index)).map(Vec::as_slice),
    };
    let height = list_height(ui);
    if let Some(ChannelChange { channel, offset, gesture }) = channel_list_ui(ui, &channels, height) {
        commands.edit_in(PoseEdit::StyleOffset { layer: index, channel, offset }, gesture);
    }
}

fn w_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender, layer: &LayerInfo) {
    let ws = layer.ws_index;
    let inspected = state.inspected.as_ref().filter(|values| values.layer == state.selected_layer);
    let statistics = state.statistics.as_ref();
    let channels = Channels {
        name: "w",
        count: state.model.as_ref().map_or(0, |model| model.config.w_dim()),
        values: inspected.map(|values| values.w.as_slice()),
        offsets: state.pose().w_offsets.get(&ws),
        std: statistics.map(|known| known.w_std.as_slice()),
    };
    hint(ui, format!("w of {}", ws_name(state, ws)));
    let height = list_height(ui);
    if let Some(ChannelChange { channel, offset, gesture }) = channel_list_ui(ui, &channels, height) {
        commands.edit_in(PoseEdit::WOffset { ws, channel, offset }, gesture);
    }
}

/// What is left below the search field.
fn list_height(ui: &Ui) -> f32 {
    let rest = ui.available_height() - ROW_HEIGHT - 3.0 * ui.spacing().item_spacing.y;
    // Without a bottom (inside of a scrolled panel) the height that is left says nothing.
    if rest.is_finite() { rest.clamp(MIN_HEIGHT, 2000.0) } else { 4.0 * MIN_HEIGHT }
}
