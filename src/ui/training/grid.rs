//! The live grid: images of fixed latents, as the moving average draws them now. A click on one makes it the pose.

use egui::{CursorIcon, Rect, Role, Sense, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use super::{TrainingCommand, TrainingState};
use crate::{
    training::sample_grid::{self, COLUMNS},
    ui::{
        command::{Command, CommandSender},
        theme::{self, Palette},
    },
};

/// Draws the grid as large as it can be.
pub fn grid_ui(ui: &mut Ui, training: &TrainingState, commands: &CommandSender) {
    let palette = Palette::of(ui.visuals());
    let side = ui.available_width().min(ui.available_height()).max(32.0).floor();
    let (area, _) = ui.allocate_exact_size(vec2(ui.available_width(), ui.available_height()), Sense::hover());
    let rect = Rect::from_min_size(pos2(area.right() - side, area.top()), vec2(side, side));
    let Some(sample) = &training.sample else {
        ui.painter().rect_filled(rect, f32::from(theme::RADIUS), palette.well);
        let font = egui::FontId::proportional(theme::SMALL_SIZE);
        ui.painter().text(rect.center(), egui::Align2::CENTER_CENTER, "no samples yet", font, palette.weak);
        return;
    };
    let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
    ui.painter().image(sample.texture.id(), rect, whole, egui::Color32::WHITE);
    let cell = side / COLUMNS as f32;
    for index in 0..COLUMNS * COLUMNS {
        let place = vec2((index % COLUMNS) as f32, (index / COLUMNS) as f32) * cell;
        let rect = Rect::from_min_size(rect.min + place, vec2(cell, cell));
        let (seed, class) = sample_grid::cell(index, training.label_dim());
        let response = ui.interact(rect, ui.scope_id().with(("sample", index)), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Sample of seed {seed}")));
        if response.hovered() || response.has_focus() {
            ui.painter().rect_stroke(rect, 0.0, Stroke::new(2.0, palette.accent), StrokeKind::Inside);
        }
        if response.clicked() {
            commands.send(Command::Training(TrainingCommand::PoseOf(index)));
        }
        let class = if training.label_dim() > 0 { format!(", class {class}") } else { String::new() };
        let kimg = sample.nimg as f64 / 1000.0;
        response
            .on_hover_cursor(CursorIcon::PointingHand)
            .on_hover_text_at_pointer(format!("Seed {seed}{class}, after {kimg:.1} kimg. Click to make it the pose."));
    }
}
