//! How far the training is: a rail from the first image to the last, with a pin for each snapshot.

use egui::{Pos2, Rect, Role, Sense, Shape, Stroke, Ui, WidgetInfo, pos2, vec2};

use super::{Phase, TrainingView};
use crate::{
    base::numbers::duration,
    ui::theme::{self, Palette},
};

/// Height of the rail with its pins, in points.
const HEIGHT: f32 = 20.0;
/// Snapshots to come that are shown.
const COMING: usize = 200;
/// Half the width of a pin.
const PIN: f32 = 3.5;

/// Draws the rail.
pub fn progress_ui(ui: &mut Ui, view: &TrainingView) {
    let palette = Palette::of(ui.visuals());
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
    let text = progress_text(view);
    response.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, format!("Training progress: {text}")));
    let end = (view.total as f64 / 1000.0).max(1e-6);
    let rail =
        Rect::from_min_max(pos2(rect.left() + PIN, rect.bottom() - 8.0), pos2(rect.right() - PIN, rect.bottom() - 2.0));
    let at = |kimg: f64| rail.left() + rail.width() * (kimg / end).clamp(0.0, 1.0) as f32;
    let painter = ui.painter();
    painter.rect_filled(rail, 3.0, palette.well);
    let colour = match view.phase {
        Phase::Failed { .. } | Phase::Paused(Some(_)) | Phase::Stopping(Some(_)) => palette.error,
        Phase::Paused(None) => palette.warning,
        Phase::Ended { complete: true } => palette.success,
        _ => palette.accent,
    };
    let done = Rect::from_min_max(rail.min, pos2(at(view.progress.nimg as f64 / 1000.0), rail.bottom()));
    painter.rect_filled(done, 3.0, colour);

    let pointer = response.hover_pos();
    let mut nearest: Option<(f32, String)> = None;
    let mut near = |x: f32, text: String| {
        let distance = pointer.map_or(f32::MAX, |pointer| (pointer.x - x).abs());
        if distance < 2.0 * PIN && nearest.as_ref().is_none_or(|(least, _)| distance < *least) {
            nearest = Some((distance, text));
        }
    };
    for snapshot in &view.snapshots {
        let kimg = snapshot.nimg as f64 / 1000.0;
        painter.add(pin(pos2(at(kimg), rail.top() - 1.0), palette.text, Stroke::NONE));
        near(at(kimg), format!("Snapshot at {kimg:.1} kimg"));
    }
    if view.phase.is_active() {
        for kimg in view.coming_snapshots(COMING) {
            let line = Stroke::new(1.0, palette.weak);
            painter.add(pin(pos2(at(kimg), rail.top() - 1.0), palette.panel, line));
            near(at(kimg), format!("The next snapshots: {kimg:.1} kimg"));
        }
    }
    if let Some((_, text)) = nearest {
        response.on_hover_text_at_pointer(text);
    }
}

/// A small triangle that points down at `tip`.
fn pin(tip: Pos2, fill: egui::Color32, line: Stroke) -> Shape {
    let corners = vec![tip, tip + vec2(-PIN, -1.6 * PIN), tip + vec2(PIN, -1.6 * PIN)];
    Shape::convex_polygon(corners, fill, line)
}

/// `12.3 of 100 kimg`, and how fast it goes.
pub fn progress_text(view: &TrainingView) -> String {
    let kimg = |images: u64| {
        let kimg = images as f64 / 1000.0;
        if view.total >= 10_000 { format!("{kimg:.1}") } else { format!("{kimg:.3}") }
    };
    format!("{} of {} kimg", kimg(view.progress.nimg), kimg(view.total))
}

/// Iterations a second, seconds for a thousand images, time left: what is known of it.
pub fn speed_text(view: &TrainingView) -> String {
    let mut parts = Vec::new();
    if let Some(pace) = view.iterations_per_second() {
        parts.push(format!("{pace:.2} it/s"));
    }
    if let Some(seconds) = view.sec_per_kimg {
        parts.push(format!("{seconds:.1} s/kimg"));
    }
    if let Some(remaining) = view.remaining().filter(|_| view.phase.is_active()) {
        parts.push(format!("{} left", duration(remaining)));
    }
    parts.join(" \u{b7} ")
}

/// What the training does, in a word or two.
pub fn phase_text(view: &TrainingView) -> (&'static str, fn(Palette) -> egui::Color32) {
    match &view.phase {
        Phase::Starting => ("Starting", |p| p.accent),
        Phase::Running => ("Training", |p| p.accent),
        Phase::Paused(None) => ("Paused", |p| p.warning),
        Phase::Paused(Some(_)) => ("Paused: a file could not be written", |p| p.error),
        Phase::Stopping(_) => ("Saving", |p| p.accent),
        Phase::Ended { complete: true } => ("Done", |p| p.success),
        Phase::Ended { complete: false } => ("Stopped", |p| p.weak),
        Phase::Failed { .. } => ("Failed", |p| p.error),
    }
}

/// Draws what is going on beside the buttons: what it does, how far it is, how fast it goes.
pub fn summary_ui(ui: &mut Ui, view: &TrainingView) {
    let palette = Palette::of(ui.visuals());
    let (text, colour) = phase_text(view);
    ui.label(egui::RichText::new(text).color(colour(palette)));
    let figures = |text: String| egui::RichText::new(text).font(theme::figures());
    if view.total > 0 {
        ui.add(egui::Label::new(figures(progress_text(view))).selectable(false));
        ui.add(egui::Label::new(figures(speed_text(view)).weak()).truncate().selectable(false));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_trainings_show_single_images() {
        let mut view = TrainingView::new("/run".into());
        view.total = 64;
        view.progress.nimg = 8;
        assert_eq!(progress_text(&view), "0.008 of 0.064 kimg");
        view.total = 100_000;
        assert_eq!(progress_text(&view), "0.0 of 100.0 kimg");
    }
}
