//! A small curve of the recent past.

use egui::{Align2, Color32, Pos2, Rect, Role, Sense, Shape, Stroke, StrokeKind, Ui, WidgetInfo, pos2, vec2};

use crate::ui::theme::Palette;

/// The recent values of one quantity, oldest first.
pub struct History<'a> {
    /// What assistive technology and tests call the curve.
    pub name: &'a str,
    /// The values.
    pub values: &'a [f32],
    /// How many values the width has room for: fewer leave room at the left.
    pub capacity: usize,
    /// The unit, e.g. `ms`.
    pub unit: &'a str,
}

/// Draws the curve, its top at a round number that does not change with every frame.
pub fn history_ui(ui: &mut Ui, history: &History<'_>, height: f32) {
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let latest = history.values.last().copied();
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Image, true, history.name);
        info.value = latest.map(f64::from);
        info
    });
    if !ui.is_rect_visible(rect) {
        return;
    }
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    painter.rect_filled(rect, 2, ui.visuals().extreme_bg_color);
    let highest = history.values.iter().copied().filter(|v| v.is_finite()).fold(0.0_f32, f32::max);
    let top = round_up(highest);
    let inner = rect.shrink2(vec2(1.0, 3.0));
    let color = Palette::of(ui.visuals()).accent;
    if let Some(points) = curve(history, inner, top) {
        fill(&painter, &points, inner.bottom(), color.gamma_multiply(0.35));
        painter.add(Shape::line(points, Stroke::new(1.2, color)));
    }
    let font = egui::TextStyle::Small.resolve(ui.style());
    let weak = ui.visuals().weak_text_color();
    let scale = format!("{} {}", compact(top), history.unit);
    painter.text(rect.left_top() + vec2(4.0, 2.0), Align2::LEFT_TOP, scale, font, weak);
    painter.rect_stroke(rect, 2, ui.visuals().widgets.noninteractive.bg_stroke, StrokeKind::Inside);
}

fn curve(history: &History<'_>, inner: Rect, top: f32) -> Option<Vec<Pos2>> {
    if history.values.len() < 2 {
        return None;
    }
    let step = inner.width() / history.capacity.saturating_sub(1).max(1) as f32;
    let last = history.values.len() - 1;
    let at = |(i, value): (usize, &f32)| {
        let value = if value.is_finite() { value.clamp(0.0, top) } else { top };
        pos2(inner.right() - (last - i) as f32 * step, inner.bottom() - value / top * inner.height())
    };
    Some(history.values.iter().enumerate().map(at).collect())
}

/// The area under the curve, one quad a step: egui fills convex shapes only.
fn fill(painter: &egui::Painter, points: &[Pos2], bottom: f32, color: Color32) {
    let mut mesh = egui::Mesh::default();
    for point in points {
        mesh.colored_vertex(*point, color);
        mesh.colored_vertex(pos2(point.x, bottom), color);
    }
    for i in 0..points.len().saturating_sub(1) as u32 {
        mesh.add_triangle(2 * i, 2 * i + 1, 2 * i + 2);
        mesh.add_triangle(2 * i + 1, 2 * i + 2, 2 * i + 3);
    }
    painter.add(Shape::mesh(mesh));
}

/// The next of 1, 2, 5, 10, 20, 50, ... at or above `value`.
fn round_up(value: f32) -> f32 {
    if !(value.is_finite() && value > 0.0) {
        return 1.0;
    }
    let decade = 10_f32.powf(value.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|m| m * decade).find(|top| *top >= value).unwrap_or(10.0 * decade)
}

fn compact(value: f32) -> String {
    if value >= 1.0 { format!("{value:.0}") } else { format!("{value}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_is_a_round_number_at_or_above_the_highest_value() {
        for (value, top) in
            [(0.0, 1.0), (0.3, 0.5), (1.0, 1.0), (1.2, 2.0), (16.0, 20.0), (51.0, 100.0), (f32::NAN, 1.0)]
        {
            assert!((round_up(value) - top).abs() < 1e-6 * top, "{value}: {}", round_up(value));
        }
    }

    #[test]
    fn the_newest_value_is_at_the_right_edge() {
        let inner = Rect::from_min_size(Pos2::ZERO, vec2(99.0, 10.0));
        let history = History { name: "h", values: &[1.0, f32::INFINITY, 2.0], capacity: 100, unit: "ms" };
        let points = curve(&history, inner, 2.0).expect("three values make a curve");
        assert_eq!(points[2], pos2(99.0, 0.0));
        assert_eq!(points[1], pos2(98.0, 0.0));
        assert_eq!(points[0], pos2(97.0, 5.0));
    }
}
