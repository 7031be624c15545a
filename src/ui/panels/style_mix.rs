//! *Style mix*: layers that take the styles of a second seed, in whole or in part.

use std::hash::{BuildHasher as _, Hasher as _};

use egui::{Align2, Button, CursorIcon, Role, Sense, Ui, WidgetInfo, vec2};

use super::{
    layer_names::{driven_names, scale_word, ws_name},
    rows::{field_row, hint, section, without_model},
};
use crate::{
    session::{MixPreset, PoseEdit, PoseField, ranges},
    ui::{
        command::CommandSender,
        state::AppState,
        theme::{Palette, ROW_HEIGHT, small_figures},
        widgets::{
            Change, Number, Row, ValueBar,
            row::{right_clicked, share},
        },
    },
};

/// Height of the bars, in points.
const BAR_HEIGHT: f32 = 52.0;
/// Height of the switches below the bars, in points.
const SWITCH_HEIGHT: f32 = 17.0;
/// Widest bar, in points.
const MAX_BAR_WIDTH: f32 = 28.0;
/// Between two bars, in points.
const BAR_GAP: f32 = 1.0;
/// Before the first bar of the middle and of the fine layers, in points.
const GROUP_GAP: f32 = 5.0;

const SEED: &str = "The second seed: the layers below take their w from it (style mixing).";

/// Draws the section.
pub fn style_mix_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    section(ui, state, commands, "Style mix", Some(PoseField::Mix), |ui| {
        let lacking = without_model(state);
        let mix = &state.pose().mix;
        field_row(
            ui,
            state,
            commands,
            PoseField::MixSeed,
            Row::new("Seed", "Second seed", SEED).lacking(lacking),
            |ui| {
                let random = 64.0;
                let width = (ui.available_width() - random - ui.spacing().item_spacing.x).max(40.0);
                let number = Number::new("Second seed", mix.seed.into(), 0.0..=u32::MAX.into());
                let (field, typed) = number.integer().width(width).show(ui);
                let button = ui.add_sized(vec2(random, ROW_HEIGHT), Button::new("Random"));
                let button = button.accessible_name("Random second seed");
                let drawn = button.clicked().then(|| Change::single(f64::from(random_seed())));
                (field.union(button), typed.or(drawn))
            },
            |seed| PoseEdit::MixSeed(seed as u32),
        );
        if state.num_ws() == 0 {
            hint(ui, "Open a model to mix its layers.");
            return;
        }
        bars_ui(ui, state, commands);
        presets_ui(ui, state, commands);
    });
}

/// A seed that nobody chose, small enough to be remembered and typed again.
fn random_seed() -> u32 {
    // The standard library seeds its hash maps from the operating system's randomness.
    (std::hash::RandomState::new().build_hasher().finish() % 100_000) as u32
}

/// One upright bar and one switch for each `ws` index.
fn bars_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let num_ws = state.num_ws();
    let gaps = 2.0 * GROUP_GAP + BAR_GAP * num_ws as f32;
    let width = ((ui.available_width() - gaps) / num_ws as f32).clamp(8.0, MAX_BAR_WIDTH);
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing = vec2(BAR_GAP, 2.0);
        for ws in 0..num_ws {
            if ws == MixPreset::Middle.ws_range(num_ws).start || ws == MixPreset::Fine.ws_range(num_ws).start {
                ui.add_space(GROUP_GAP);
            }
            ui.vertical(|ui| {
                ui.set_width(width);
                bar_ui(ui, state, commands, ws, width);
            });
        }
    });
}

fn bar_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender, ws: usize, width: f32) {
    let mix = &state.pose().mix;
    let amount = mix.amounts.get(&ws).copied().unwrap_or(0.0);
    let muted = mix.muted.contains(&ws);
    let on = amount > 0.0 && !muted;
    let name = ws_name(state, ws);
    let about = format!("{} ({})", driven_names(state, ws), scale_word(state, ws));

    let bar_name = format!("Mix amount {name}");
    let bar = ValueBar::new(&bar_name, amount, ranges::MIX_AMOUNT).step(0.05).vertical().muted(muted);
    let (response, change) = bar.size(vec2(width, BAR_HEIGHT)).show(ui);
    if let Some(Change { value, gesture }) = change {
        if muted {
            commands.edit_in(PoseEdit::MixMuted { ws, muted: false }, gesture);
        }
        commands.edit_in(PoseEdit::MixAmount { ws, amount: value }, gesture);
    }
    if amount != 0.0 && right_clicked(ui, response.rect) {
        commands.edit(PoseField::MixAmount(ws).reset());
    }
    response.on_hover_text(format!(
        "{about}\n{:.0} % of the second seed{}. Drag up and down, double click to type, right click for none.",
        100.0 * amount,
        if muted { ", switched off" } else { "" }
    ));
    if switch_ui(ui, &format!("Mix {name}"), ws, on, width, &about) {
        // A switch that has no amount to bring back means all of it.
        let edit = if amount > 0.0 {
            PoseEdit::MixMuted { ws, muted: !muted }
        } else {
            PoseEdit::MixAmount { ws, amount: 1.0 }
        };
        commands.edit(edit);
    }
}

/// The quick switch of a layer, which shows its number.
fn switch_ui(ui: &mut Ui, name: &str, ws: usize, on: bool, width: f32, about: &str) -> bool {
    let (rect, _) = ui.allocate_exact_size(vec2(width, SWITCH_HEIGHT), Sense::hover());
    let response = ui.interact(rect, ui.make_persistent_id(name), Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::Switch, ui.is_enabled(), on, name));
    let palette = Palette::of(ui.visuals());
    let fill = match (on, response.hovered() || response.has_focus()) {
        (true, _) => palette.accent_fill,
        (false, true) => palette.control_hovered,
        (false, false) => palette.control,
    };
    ui.painter().rect_filled(rect, 3, fill);
    let color = if on { palette.strong } else { palette.weak };
    ui.painter().text(rect.center(), Align2::CENTER_CENTER, ws.to_string(), small_figures(), color);
    let clicked = response.clicked();
    response
        .on_hover_cursor(CursorIcon::PointingHand)
        .on_hover_text(format!("{about}\nClick to mix this layer or not."));
    clicked
}

fn presets_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let num_ws = state.num_ws();
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        ui.spacing_mut().button_padding.x = 2.0;
        let size = share(ui, MixPreset::ALL.len());
        for preset in MixPreset::ALL {
            let possible = preset == MixPreset::Clear || !preset.ws_range(num_ws).is_empty();
            let button = ui.add_enabled(possible, Button::new(preset.name()).min_size(size));
            let button = button.accessible_name(PoseEdit::MixPreset(preset, num_ws).label());
            if button.clicked() {
                commands.edit(PoseEdit::MixPreset(preset, num_ws));
            }
            button
                .on_hover_text(preset_tooltip(preset, num_ws))
                .on_disabled_hover_text("This model has no layers that fine.");
        }
    });
}

fn preset_tooltip(preset: MixPreset, num_ws: usize) -> String {
    let what = match preset {
        MixPreset::Coarse => "pose, overall shape",
        MixPreset::Middle => "features, parts",
        MixPreset::Fine => "colours, texture",
        MixPreset::All => return "All layers: the second seed's own image".to_owned(),
        MixPreset::Clear => return "No layer takes anything from the second seed".to_owned(),
    };
    let layers = preset.ws_range(num_ws);
    format!("Layers {} to {} from the second seed: {what}", layers.start, layers.end.saturating_sub(1))
}
