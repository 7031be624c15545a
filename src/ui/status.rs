//! The line at the bottom: what is shown, where it is computed, and what it costs.

use std::time::{Duration, Instant};

use egui::{Label, RichText, Sense, Ui, vec2};

use super::{
    state::{AppState, DeviceLine},
    theme,
    timeline::kimg_text,
    training::progress_text,
};
use crate::engine::tuning::Tuned;

/// Draws the status line. Changing figures keep their width.
pub fn status_ui(ui: &mut Ui, state: &AppState) {
    let palette = theme::Palette::of(ui.visuals());
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = theme::SECTION_GAP;
        let colour = if state.error.is_some() {
            palette.error
        } else if state.pending {
            palette.accent
        } else {
            palette.weak
        };
        let (dot, _) = ui.allocate_exact_size(vec2(8.0, theme::ROW_HEIGHT), Sense::hover());
        ui.painter().circle_filled(dot.center(), 3.5, colour);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = theme::SECTION_GAP;
            saved_ui(ui, state, palette);
            training_ui(ui, state, palette);
            times_ui(ui, state);
            ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| {
                ui.add(Label::new(RichText::new(model_text(state)).small().color(palette.text)).truncate());
            });
        });
    });
}

/// How far the search for the fastest kernels is.
fn tuning_text(tuned: Tuned) -> String {
    // The one that is being timed counts.
    format!("Tuning {} of {} layers", (tuned.done + 1).min(tuned.total), tuned.total)
}

fn model_text(state: &AppState) -> String {
    if let Some(tuned) = state.opening.as_ref().and_then(|opening| opening.tuned) {
        return tuning_text(tuned);
    }
    let DeviceLine { name, kind, .. } = &state.device;
    let device = if name == kind { name.clone() } else { format!("{name} ({kind})") };
    let Some(model) = &state.model else { return format!("No model \u{b7} {device}") };
    let config = &model.config;
    let name = match model.nimg {
        Some(nimg) => format!("{} \u{b7} {}", model.name, kimg_text(nimg)),
        None => model.name.clone(),
    };
    let following = if state.timeline.follow { " (following)" } else { "" };
    let side = config.resolution();
    let size = match state.picture.preview() {
        Some(preview) => format!("preview {preview} > {side}"),
        None => format!("{side}\u{d7}{side}"),
    };
    format!("{name}{following} \u{b7} {size} \u{b7} {} \u{b7} {device}", config.family_name())
}

fn times_ui(ui: &mut Ui, state: &AppState) {
    let small = |text: String| RichText::new(text).font(theme::small_figures()).weak();
    let Some(last) = state.performance.last() else { return };
    let fps = state.performance.fps(Instant::now());
    let fps = if fps > 0.0 { format!("{fps:>5.1} fps") } else { "  idle   ".to_owned() };
    ui.label(small(fps)).on_hover_text("Images a second, while the pose changes");
    let times = format!(
        "map{} \u{b7} affine{} \u{b7} synth{} \u{b7} present{} \u{b7} total{} ms",
        milliseconds(last.map),
        milliseconds(last.affine),
        milliseconds(last.synthesis),
        milliseconds(last.present),
        milliseconds(last.total),
    );
    // On a narrow window the sum is what matters.
    let text = if ui.available_width() > 560.0 { times } else { format!("{} ms", milliseconds(last.total)) };
    ui.label(small(text)).on_hover_text(
        "Time of the last image by stage: seeds to w, w to styles, styles to the image, image to the screen.\n\
         On a GPU the synthesis figure is the time to record and submit.",
    );
}

fn milliseconds(duration: Duration) -> String {
    let ms = duration.as_secs_f64() * 1e3;
    if ms < 99.95 { format!("{ms:>5.1}") } else { format!("{ms:>5.0}") }
}

/// How far a training is, for whoever has closed the dock.
fn training_ui(ui: &mut Ui, state: &AppState, palette: theme::Palette) {
    let Some(view) = state.training.view.as_ref().filter(|view| view.phase.is_active() && view.total > 0) else {
        return;
    };
    let percent = 100.0 * view.progress.nimg as f64 / view.total as f64;
    let text = RichText::new(format!("training {percent:>4.1} %")).font(theme::small_figures()).color(palette.accent);
    ui.label(text).on_hover_text(progress_text(view));
}

fn saved_ui(ui: &mut Ui, state: &AppState, palette: theme::Palette) {
    let (text, colour) = if !state.saving.is_empty() {
        ("saving", palette.accent)
    } else if state.is_saved() {
        ("saved", palette.success)
    } else {
        ("not saved", palette.weak)
    };
    let hover = match &state.saved {
        Some(saved) => format!("Last saved: {}", saved.path.display()),
        None => "The image on the screen has not been saved".to_owned(),
    };
    ui.label(RichText::new(format!("{text:>9}")).font(theme::small_figures()).color(colour)).on_hover_text(hover);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layer_that_is_being_tuned_is_named() {
        assert_eq!(tuning_text(Tuned { done: 11, total: 26 }), "Tuning 12 of 26 layers");
        assert_eq!(tuning_text(Tuned { done: 26, total: 26 }), "Tuning 26 of 26 layers");
    }

    #[test]
    fn milliseconds_keep_their_width() {
        for ms in [0.04, 1.0, 12.34, 99.94, 99.96, 1234.0] {
            assert_eq!(milliseconds(Duration::from_secs_f64(ms / 1e3)).len(), 5, "{ms}");
        }
    }
}
