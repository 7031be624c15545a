//! The *Layers* table: what each `w` of the synthesis network drives, and its own mixing, psi and noise.

use egui::{Align, Button, Label, Layout, Response, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo, pos2, vec2};

use super::{
    layer_names::{driven_names, full_name, main_layer, scale_word, short_name, ws_name},
    rows::{hint, section},
};
use crate::{
    session::{PoseEdit, PoseField, ranges},
    ui::{
        command::{Command, CommandSender},
        state::AppState,
        theme::{Palette, RESET_WIDTH, ROW_HEIGHT, small_figures},
        widgets::{
            Change, ValueBar,
            row::{reset_mark_ui, right_clicked},
        },
    },
};

/// Between the columns, in points.
const COLUMN_GAP: f32 = 4.0;
/// Width of the column of marks, in points.
const MARK_WIDTH: f32 = 7.0;
/// Width of the column of resolutions, in points.
const SIZE_WIDTH: f32 = 28.0;
/// Part of the window's height that the table may take.
const SHARE_OF_HEIGHT: f32 = 0.5;
/// The table is at least this high, in points.
const MIN_HEIGHT: f32 = 120.0;

const MIX: &str = "Style mixing: how much of the second seed the layer takes.";
const PSI: &str = "A truncation \u{3c8} of the layer's own in place of the one of all layers; it ignores the cutoff. Pale where the \
                   layer follows the others.";
const NOISE: &str =
    "A factor on the layer's learned noise_strength: 1 as trained, 0 without, negative turns the noise over.";

/// Width of each column.
struct Columns {
    name: f32,
    bar: f32,
}

impl Columns {
    fn of(ui: &Ui) -> Self {
        let free = ui.available_width() - MARK_WIDTH - SIZE_WIDTH - RESET_WIDTH - 6.0 * COLUMN_GAP;
        let bar = (free * 0.215).clamp(36.0, 90.0);
        Self { name: (free - 3.0 * bar).max(40.0), bar }
    }
}

/// Draws the section.
pub fn layers_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let height = (ui.available_height() * SHARE_OF_HEIGHT).max(MIN_HEIGHT);
    section(ui, state, commands, "Layers", None, |ui| {
        let num_ws = state.num_ws();
        if num_ws == 0 {
            hint(ui, "Open a model to see its layers.");
            return;
        }
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing = vec2(COLUMN_GAP, 2.0);
            header_ui(ui);
            ScrollArea::vertical().id_salt("layers").max_height(height).auto_shrink([false, true]).show_rows(
                ui,
                ROW_HEIGHT,
                num_ws,
                |ui, rows| {
                    for ws in rows {
                        ui.push_id(ws, |ui| row_ui(ui, state, commands, ws));
                    }
                },
            );
        });
    });
}

fn header_ui(ui: &mut Ui) {
    let columns = Columns::of(ui);
    ui.horizontal(|ui| {
        let word = |ui: &mut Ui, width: f32, text: &str, tooltip: &str| {
            ui.allocate_ui_with_layout(vec2(width, 16.0), Layout::left_to_right(Align::Center), |ui| {
                ui.set_min_width(width);
                ui.add(Label::new(RichText::new(text).small().weak()).truncate().selectable(false))
                    .on_hover_text(tooltip);
            });
        };
        ui.add_space(MARK_WIDTH + COLUMN_GAP);
        word(ui, SIZE_WIDTH, "Size", "Side of the layer's output in pixels");
        word(ui, columns.name, "Layer", "The layers that this w drives; a click shows one's style vector");
        word(ui, columns.bar, "Mix", MIX);
        word(ui, columns.bar, "Psi", PSI);
        word(ui, columns.bar, "Noise", NOISE);
    });
}

fn row_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender, ws: usize) {
    let columns = Columns::of(ui);
    let palette = Palette::of(ui.visuals());
    let name = ws_name(state, ws);
    let pose = state.pose();
    let layers: Vec<usize> = state.layers_of_ws(ws).map(|(layer, _)| layer).collect();
    let main = main_layer(state, ws);
    let selected = layers.contains(&state.selected_layer);

    let rect = egui::Rect::from_min_size(ui.cursor().min, vec2(ui.available_width(), ROW_HEIGHT));
    let row = ui.interact(rect, ui.make_persistent_id("row"), Sense::click());
    row.widget_info(|| WidgetInfo::selected(Role::Row, ui.is_enabled(), selected, format!("Select {name}")));
    if let (true, Some((layer, _))) = (row.clicked(), main) {
        commands.send(Command::SelectLayer(layer));
    }
    if selected {
        ui.painter().rect_filled(rect, 3, palette.control);
    } else if row.hovered() {
        ui.painter().rect_filled(rect, 3, palette.control.gamma_multiply(0.5));
    }
    ui.horizontal(|ui| {
        let (mark, _) = ui.allocate_exact_size(vec2(MARK_WIDTH, ROW_HEIGHT), Sense::hover());
        let moved =
            pose.w_offsets.contains_key(&ws) || layers.iter().any(|layer| pose.style_offsets.contains_key(layer));
        let changed = pose.is_layer_changed(ws, &layers);
        if changed || moved {
            ui.painter().circle_filled(pos2(mark.center().x, mark.center().y), 2.5, palette.accent);
        }
        let resolution = main.map_or(0, |(_, layer)| layer.resolution);
        ui.allocate_ui_with_layout(vec2(SIZE_WIDTH, ROW_HEIGHT), Layout::left_to_right(Align::Center), |ui| {
            ui.set_min_width(SIZE_WIDTH);
            let text = RichText::new(resolution.to_string()).font(small_figures());
            let size = ui.add(Label::new(text).selectable(false));
            size.on_hover_text(format!("{}: {}", driven_names(state, ws), scale_word(state, ws)));
        });
        names_ui(ui, state, commands, ws, columns.name);
        mix_cell(ui, state, commands, ws, &name, columns.bar);
        psi_cell(ui, state, commands, ws, &name, columns.bar);
        noise_cell(ui, state, commands, ws, &name, columns.bar);
        if reset_mark_ui(ui, &name, changed) {
            commands.edit(PoseEdit::ResetLayer { ws, layers });
        }
    });
}

/// The layers that this `w` drives, each to be chosen by itself.
fn names_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender, ws: usize, width: f32) {
    ui.allocate_ui_with_layout(vec2(width, ROW_HEIGHT), Layout::left_to_right(Align::Center), |ui| {
        ui.set_min_width(width);
        ui.set_max_width(width);
        ui.spacing_mut().button_padding = vec2(2.0, 0.0);
        ui.spacing_mut().item_spacing.x = 1.0;
        let main = main_layer(state, ws).map(|(layer, _)| layer);
        let mut layers: Vec<_> = state.layers_of_ws(ws).collect();
        layers.sort_by_key(|(layer, _)| Some(*layer) != main);
        for (layer, info) in layers {
            let chosen = layer == state.selected_layer;
            let text = RichText::new(short_name(info)).small();
            let button = ui.push_id(layer, |ui| ui.add(Button::selectable(chosen, text).truncate())).inner;
            let button = button.accessible_name(format!("Show {}", full_name(info)));
            if button.clicked() {
                commands.send(Command::SelectLayer(layer));
            }
            button.on_hover_text(format!(
                "{}: {} style channels. Click to show its style vector.",
                info.name, info.style_dim
            ));
        }
    });
}

/// A number of the table that resets by itself on a right click.
#[allow(clippy::too_many_arguments, reason = "all that three kinds of cells differ in")]
fn cell(
    ui: &mut Ui,
    bar: ValueBar<'_>,
    width: f32,
    changed: bool,
    tooltip: &str,
    commands: &CommandSender,
    edit: impl FnOnce(f32) -> PoseEdit,
    field: PoseField,
) -> Response {
    let (response, change) = bar.compact().size(vec2(width, ROW_HEIGHT - 2.0)).show(ui);
    if let Some(Change { value, gesture }) = change {
        commands.edit_in(edit(value), gesture);
    }
    if changed && right_clicked(ui, response.rect) {
        commands.edit(field.reset());
    }
    response.on_hover_text(tooltip)
}

fn mix_cell(ui: &mut Ui, state: &AppState, commands: &CommandSender, ws: usize, name: &str, width: f32) {
    let mix = &state.pose().mix;
    let amount = mix.amounts.get(&ws).copied();
    let name = format!("Mix of {name}");
    let bar = ValueBar::new(&name, amount.unwrap_or(0.0), ranges::MIX_AMOUNT);
    let bar = bar.step(0.05).muted(amount.is_none() || mix.muted.contains(&ws));
    let edit = |amount| PoseEdit::MixAmount { ws, amount };
    cell(ui, bar, width, amount.is_some(), MIX, commands, edit, PoseField::MixAmount(ws));
}

fn psi_cell(ui: &mut Ui, state: &AppState, commands: &CommandSender, ws: usize, name: &str, width: f32) {
    let pose = state.pose();
    let own = pose.layer_psi.get(&ws).copied();
    let truncated = pose.truncation.cutoff.is_none_or(|cutoff| ws < cutoff);
    let common = if truncated { pose.truncation.psi } else { 1.0 };
    let name = format!("Psi of {name}");
    let bar = ValueBar::new(&name, own.unwrap_or(common), ranges::PSI).muted(own.is_none());
    let edit = |psi| PoseEdit::LayerPsi { ws, psi: Some(psi) };
    cell(ui, bar, width, own.is_some(), PSI, commands, edit, PoseField::LayerPsi(ws));
}

fn noise_cell(ui: &mut Ui, state: &AppState, commands: &CommandSender, ws: usize, name: &str, width: f32) {
    let pose = state.pose();
    let noisy = state.layers_of_ws(ws).find(|(_, layer)| layer.noise_index.is_some());
    let name = format!("Noise of {name}");
    ui.add_enabled_ui(noisy.is_some(), |ui| {
        let layer = noisy.map_or(0, |(layer, _)| layer);
        let own = noisy.and_then(|_| pose.layer_noise.get(&layer).copied());
        let bar = ValueBar::new(&name, own.unwrap_or(1.0), ranges::LAYER_NOISE).step(0.05).muted(own.is_none());
        let bar = if noisy.is_none() { bar.text("\u{2013}") } else { bar };
        let edit = |factor| PoseEdit::LayerNoise { layer, factor: Some(factor) };
        let tooltip =
            noisy.map_or_else(String::new, |(_, info)| format!("{NOISE} The model's own: {:.4}.", info.noise_strength));
        cell(ui, bar, width, own.is_some(), &tooltip, commands, edit, PoseField::LayerNoise(layer))
            .on_disabled_hover_text("This layer has no noise input.");
    });
}
