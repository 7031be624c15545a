//! The plane of seeds seen from above, with the position in the middle: what lies next to it, and by how much each
//! neighbour is in the picture.

use egui::{
    Align2, Color32, CursorIcon, EventFilter, Key, Modifiers, Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind,
    Ui, Vec2, WidgetInfo, pos2, vec2,
};

use super::change::{Change, new_gesture};
use crate::{
    session::{GestureId, pose::SeedPosition},
    ui::theme::{Palette, small_figures},
};

/// Distance of neighbouring seeds, in points.
const CELL: f32 = 56.0;
/// What an arrow key moves, in seeds; with Shift a whole one.
const NUDGE: f32 = 0.1;

/// Draws the plane, `height` points high; dragging walks through it. `seed_at` names the seed of a whole position.
pub fn seed_pad_ui(
    ui: &mut Ui,
    name: &str,
    position: SeedPosition,
    height: f32,
    seed_at: impl Fn(i64, i64) -> u32,
) -> (Response, Option<Change<SeedPosition>>) {
    let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    let mut response = ui.interact(rect, ui.make_persistent_id(name), Sense::click_and_drag());
    if response.clicked() {
        response.request_focus();
    }
    let change = dragged(ui, &response, position).or_else(|| nudged(ui, &response, position));
    if change.is_some() {
        response.mark_changed();
    }
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::Pane, ui.is_enabled(), name);
        info.current_text_value = Some(format!("{:.2}, {:.2}", position.x, position.y));
        info
    });
    if ui.is_rect_visible(rect) {
        paint(ui, &response, position, seed_at);
    }
    (response.on_hover_and_drag_cursor(CursorIcon::Move), change)
}

fn dragged(ui: &Ui, response: &Response, position: SeedPosition) -> Option<Change<SeedPosition>> {
    if !response.dragged_by(egui::PointerButton::Primary) {
        return None;
    }
    let total = response.total_drag_delta()?;
    // Where the drag began, so that no rounding adds up on the way.
    let (start, gesture) = match ui.data(|data| data.get_temp::<(SeedPosition, GestureId)>(response.id)) {
        Some(begun) if !response.drag_started() => begun,
        _ => (position, new_gesture(ui, response.id)),
    };
    ui.data_mut(|data| data.insert_temp(response.id, (start, gesture)));
    let value = moved(start, total / CELL);
    (value != position).then_some(Change { value, gesture: Some(gesture) })
}

fn nudged(ui: &Ui, response: &Response, position: SeedPosition) -> Option<Change<SeedPosition>> {
    if !response.has_focus() || !ui.is_enabled() {
        return None;
    }
    let filter = EventFilter { horizontal_arrows: true, vertical_arrows: true, ..EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let mut by = Vec2::ZERO;
    ui.input_mut(|input| {
        for (modifiers, size) in [(Modifiers::SHIFT, 1.0), (Modifiers::NONE, NUDGE)] {
            let mut count = |key| input.count_and_consume_key(modifiers, key) as f32;
            by.x += size * (count(Key::ArrowRight) - count(Key::ArrowLeft));
            by.y += size * (count(Key::ArrowDown) - count(Key::ArrowUp));
        }
    });
    (by != Vec2::ZERO).then(|| Change::single(moved(position, by)))
}

/// To a hundredth of a seed, which is finer than a point on the pad.
fn moved(from: SeedPosition, by: Vec2) -> SeedPosition {
    let round = |value: f64| (value * 100.0).round() / 100.0;
    SeedPosition { x: round(from.x + f64::from(by.x)), y: round(from.y + f64::from(by.y)) }
}

fn paint(ui: &Ui, response: &Response, position: SeedPosition, seed_at: impl Fn(i64, i64) -> u32) {
    let rect = response.rect;
    let palette = Palette::of(ui.visuals());
    let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
    painter.rect_filled(rect, 3, palette.well);
    let (left, top) = (position.x.floor(), position.y.floor());
    let at = |x: f64, y: f64| -> Pos2 { rect.center() + CELL * vec2((x - position.x) as f32, (y - position.y) as f32) };

    let across = (rect.width() / CELL / 2.0).ceil() as i64 + 1;
    let down = (rect.height() / CELL / 2.0).ceil() as i64 + 1;
    let line = Stroke::new(1.0, palette.line);
    for i in -across..=across {
        painter.vline(at(left + i as f64, 0.0).x, rect.y_range(), line);
    }
    for j in -down..=down {
        painter.hline(rect.x_range(), at(0.0, top + j as f64).y, line);
    }
    for j in -down..=down {
        for i in -across..=across {
            let (x, y) = (left + i as f64, top + j as f64);
            let share = weight(position, x, y);
            let center = at(x, y);
            if share > 0.0 {
                painter.circle_filled(
                    center,
                    3.0 + 5.0 * share.sqrt(),
                    palette.accent.gamma_multiply(0.35 + 0.65 * share),
                );
            } else {
                painter.circle_filled(center, 2.0, palette.weak.gamma_multiply(0.6));
            }
            let color = if share > 0.0 { palette.strong } else { palette.weak };
            let text = short_seed(seed_at(x as i64, y as i64));
            painter.text(center + vec2(7.0, -5.0), Align2::LEFT_CENTER, text, small_figures(), color);
        }
    }
    crosshair(&painter, rect, palette.strong);
    let outline = if response.has_focus() { palette.accent } else { palette.line };
    ui.painter().rect_stroke(rect, 3, Stroke::new(1.0, outline), StrokeKind::Inside);
}

/// How much of the seed at a whole position is in the picture: the neighbours are blended bilinearly.
fn weight(position: SeedPosition, x: f64, y: f64) -> f32 {
    let along = |a: f64, b: f64| (1.0 - (a - b).abs()).max(0.0);
    (along(position.x, x) * along(position.y, y)) as f32
}

/// A seed in at most as many figures as a cell has room for. Below 0 the seeds are those at the end of 32 bits, which
/// nobody can tell apart but by their distance from it.
fn short_seed(seed: u32) -> String {
    let signed = seed as i32;
    if (-9999..0).contains(&signed) {
        return signed.to_string();
    }
    let text = seed.to_string();
    match text.len() {
        0..=6 => text,
        length => format!("\u{2026}{}", text.get(length - 5..).unwrap_or(&text)),
    }
}

fn crosshair(painter: &egui::Painter, rect: Rect, color: Color32) {
    let center = rect.center();
    let stroke = Stroke::new(1.0, color);
    painter.circle_stroke(center, 4.0, stroke);
    for (dx, dy) in [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)] {
        let direction = vec2(dx, dy);
        painter.line_segment([center + 4.0 * direction, center + 9.0 * direction], stroke);
    }
    painter.circle_filled(pos2(center.x, center.y), 1.0, color);
}

#[cfg(test)]
mod tests {
    use egui_kittest::{Harness, kittest::Queryable as _};

    use super::*;

    fn harness() -> Harness<'static, (SeedPosition, Vec<Change<SeedPosition>>)> {
        Harness::builder().with_size(vec2(300.0, 100.0)).build_ui_state(
            |ui, (position, changes)| {
                let seed = |x: i64, y: i64| (x + 100 * y).rem_euclid(1 << 32) as u32;
                if let (_, Some(change)) = seed_pad_ui(ui, "Seed plane", *position, 70.0, seed) {
                    *position = change.value;
                    changes.push(change);
                }
            },
            (SeedPosition { x: 3.0, y: 0.0 }, Vec::new()),
        )
    }

    #[test]
    fn a_drag_by_one_cell_is_one_seed_and_one_gesture() {
        let mut harness = harness();
        let center = harness.get_by_label("Seed plane").rect().center();
        harness.drag_at(center);
        harness.step();
        for part in 1..=8 {
            harness.hover_at(center + vec2(CELL, CELL / 2.0) * (part as f32 / 8.0));
            harness.step();
        }
        harness.drop_at(center + vec2(CELL, CELL / 2.0));
        harness.run();
        let (position, changes) = harness.state();
        assert_eq!(*position, SeedPosition { x: 4.0, y: 0.5 });
        assert!(changes.len() > 2 && changes[0].gesture.is_some());
        assert!(changes.iter().all(|c| c.gesture == changes[0].gesture));
    }

    #[test]
    fn seeds_fit_their_cell() {
        for (seed, text) in
            [(0, "0"), (999_999, "999999"), (4_000_123, "\u{2026}00123"), (u32::MAX, "-1"), (u32::MAX - 99, "-100")]
        {
            assert_eq!(short_seed(seed), text);
        }
    }

    #[test]
    fn arrow_keys_walk() {
        let mut harness = harness();
        harness.get_by_label("Seed plane").focus();
        harness.run();
        harness.key_press(Key::ArrowRight);
        harness.key_press_modifiers(Modifiers::SHIFT, Key::ArrowUp);
        harness.run();
        assert_eq!(harness.state().0, SeedPosition { x: 3.1, y: -1.0 });
    }

    #[test]
    fn the_four_neighbours_share_the_picture() {
        let position = SeedPosition { x: 2.25, y: -0.5 };
        let shares: Vec<f32> =
            [(2.0, -1.0), (3.0, -1.0), (2.0, 0.0), (3.0, 0.0)].map(|(x, y)| weight(position, x, y)).into();
        assert_eq!(shares, [0.375, 0.125, 0.375, 0.125]);
        assert_eq!(weight(position, 4.0, 0.0), 0.0);
    }
}
