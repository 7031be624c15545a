//! A slider and its number in one: a bar that is filled from a neutral value to the current one.
//!
//! Dragging moves the value by as much as the pointer moves (with Shift a tenth of it), so that taking hold of the bar
//! never makes the picture jump. A double click or Enter types a number, the arrow keys nudge.

use std::ops::RangeInclusive;

use egui::{
    Align2, CursorIcon, Event, EventFilter, Id, Key, Modifiers, Rect, Response, Sense, Stroke, StrokeKind, TextEdit,
    Ui, UiBuilder, Vec2, WidgetInfo, accesskit, pos2, text_selection::CCursorRange, vec2,
};

use super::change::{Change, new_gesture};
use crate::{
    session::GestureId,
    ui::theme::{NUMBER_WIDTH, Palette},
};

/// Fraction of the pointer's travel that counts while Shift is held.
const FINE: f32 = 0.1;
/// Nudges while Shift is held are this many steps.
const COARSE_STEPS: f32 = 10.0;
/// Height of the rail under the number of a compact bar.
const COMPACT_RAIL: f32 = 4.0;
/// Width of the field in which the number of a vertical bar is typed.
const TYPING_WIDTH: f32 = 52.0;

/// A bar that shows and changes a number.
#[must_use = "call `show`"]
pub struct ValueBar<'a> {
    name: &'a str,
    value: f32,
    range: RangeInclusive<f32>,
    origin: f32,
    step: f32,
    decimals: usize,
    suffix: &'a str,
    text: Option<String>,
    vertical: bool,
    compact: bool,
    muted: bool,
    size: Option<Vec2>,
}

/// A drag under way.
#[derive(Clone, Copy)]
struct Drag {
    /// The value before rounding and clamping, so that slow drags add up and a pointer that comes back from beyond
    /// the end meets the value where it left it.
    precise: f32,
    /// How far the pointer had travelled at the last frame, in points.
    travelled: f32,
    gesture: GestureId,
}

impl<'a> ValueBar<'a> {
    /// A bar over `range`. `name` is what assistive technology and tests call it; it is unique in the window.
    pub fn new(name: &'a str, value: f32, range: RangeInclusive<f32>) -> Self {
        let origin = 0.0_f32.clamp(*range.start(), *range.end());
        Self {
            name,
            value,
            range,
            origin,
            step: 0.01,
            decimals: 2,
            suffix: "",
            text: None,
            vertical: false,
            compact: false,
            muted: false,
            size: None,
        }
    }

    /// The neutral value that the bar is filled from; 0 unless told.
    pub fn origin(mut self, origin: f32) -> Self {
        self.origin = origin;
        self
    }

    /// How far an arrow key nudges; 0.01 unless told.
    pub fn step(mut self, step: f32) -> Self {
        self.step = step;
        self
    }

    /// Digits after the point, in the number shown and in the values that a drag stops at; 2 unless told.
    pub fn decimals(mut self, decimals: usize) -> Self {
        self.decimals = decimals;
        self
    }

    /// Whole numbers only.
    pub fn integer(self) -> Self {
        self.decimals(0).step(1.0)
    }

    /// A unit behind the number.
    pub fn suffix(mut self, suffix: &'a str) -> Self {
        self.suffix = suffix;
        self
    }

    /// Words in place of the number, such as `all`.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Stand upright and show no number.
    pub fn vertical(mut self) -> Self {
        self.vertical = true;
        self
    }

    /// Put the bar under the number instead of beside it, for narrow columns.
    pub fn compact(mut self) -> Self {
        self.compact = true;
        self
    }

    /// Draw the value as one that is kept but does not act at the moment.
    pub fn muted(mut self, muted: bool) -> Self {
        self.muted = muted;
        self
    }

    /// Size in points; as wide as there is room and as high as a button unless told.
    pub fn size(mut self, size: Vec2) -> Self {
        self.size = Some(size);
        self
    }

    /// Draws the bar; `Some` when the user asks for another value.
    pub fn show(self, ui: &mut Ui) -> (Response, Option<Change<f32>>) {
        let size = self.size.unwrap_or_else(|| vec2(ui.available_width(), ui.spacing().interact_size.y));
        let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
        let id = ui.make_persistent_id(("value bar", self.name));
        let mut response = ui.interact(rect, id, Sense::click_and_drag());

        let typing = Typing { id };
        let mut change = None;
        if typing.active(ui) {
            change = typing.show(ui, rect, &self);
        } else {
            if response.double_clicked() || (response.has_focus() && ui.input(|i| i.key_pressed(Key::Enter))) {
                typing.begin(ui, self.number_text());
            } else if response.clicked() {
                response.request_focus();
            }
            change = self.dragged(ui, &response).or_else(|| self.nudged(ui, &response)).or(change);
        }
        let change = change.filter(|c| c.value != self.value);
        if change.is_some() {
            response.mark_changed();
        }

        let shown = change.map_or(self.value, |c| c.value);
        response.widget_info(|| WidgetInfo::slider(ui.is_enabled(), shown.into(), self.name));
        self.describe(ui, id, shown);
        if ui.is_rect_visible(rect) && !typing.active(ui) {
            self.paint(ui, rect, &response);
        }
        let cursor = if self.vertical { CursorIcon::ResizeVertical } else { CursorIcon::ResizeHorizontal };
        (response.on_hover_and_drag_cursor(cursor), change)
    }

    /// Where the value lies between its ends; the number stands beside it, so that neither hides the other.
    fn rail(&self, rect: Rect) -> Rect {
        let number = if self.vertical || self.compact { 0.0 } else { NUMBER_WIDTH.min(0.5 * rect.width()) };
        let rail = rect.shrink(1.0);
        let top = if self.compact { rail.bottom() - COMPACT_RAIL } else { rail.top() };
        rail.with_max_x(rail.right() - number).with_min_y(top)
    }

    fn clamped(&self, value: f32) -> f32 {
        value.max(*self.range.start()).min(*self.range.end())
    }

    fn rounded(&self, value: f32) -> f32 {
        let scale = 10_f64.powi(self.decimals as i32);
        self.clamped(((f64::from(value) * scale).round() / scale) as f32)
    }

    fn number_text(&self) -> String {
        // "-0.00" says nothing that "0.00" does not.
        let value = if self.rounded(self.value) == 0.0 { 0.0 } else { self.value };
        format!("{value:.*}", self.decimals)
    }

    fn dragged(&self, ui: &Ui, response: &Response) -> Option<Change<f32>> {
        if !response.dragged_by(egui::PointerButton::Primary) {
            return None;
        }
        let total = response.total_drag_delta()?;
        let rail = self.rail(response.rect);
        let (length, total) = if self.vertical { (rail.height(), -total.y) } else { (rail.width(), total.x) };
        let mut drag = if response.drag_started() {
            Drag { precise: self.value, travelled: 0.0, gesture: new_gesture(ui, response.id) }
        } else {
            ui.data(|data| data.get_temp::<Drag>(response.id))?
        };
        let fine = if ui.input(|i| i.modifiers.shift) { FINE } else { 1.0 };
        let span = self.range.end() - self.range.start();
        drag.precise += (total - drag.travelled) / length.max(1.0) * span * fine;
        drag.travelled = total;
        ui.data_mut(|data| data.insert_temp(response.id, drag));
        Some(Change { value: self.rounded(drag.precise), gesture: Some(drag.gesture) })
    }

    fn nudged(&self, ui: &Ui, response: &Response) -> Option<Change<f32>> {
        // Assistive technology can ask of a greyed control too.
        if !ui.is_enabled() {
            return None;
        }
        let id = response.id;
        let mut steps = 0.0;
        let mut repeated = false;
        if response.has_focus() {
            let (more, less) =
                if self.vertical { (Key::ArrowUp, Key::ArrowDown) } else { (Key::ArrowRight, Key::ArrowLeft) };
            let filter = EventFilter {
                horizontal_arrows: !self.vertical,
                vertical_arrows: self.vertical,
                ..EventFilter::default()
            };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
            ui.input_mut(|input| {
                repeated = input.events.iter().any(|event| {
                    matches!(event, Event::Key { key, pressed: true, repeat: true, .. } if *key == more || *key == less)
                });
                for (modifiers, size) in [(Modifiers::SHIFT, COARSE_STEPS), (Modifiers::NONE, 1.0)] {
                    let up = input.count_and_consume_key(modifiers, more) as f32;
                    let down = input.count_and_consume_key(modifiers, less) as f32;
                    steps += (up - down) * size;
                }
            });
        }
        let asked = ui.input(|input| {
            steps += input.num_accesskit_action_requests(id, accesskit::Action::Increment) as f32;
            steps -= input.num_accesskit_action_requests(id, accesskit::Action::Decrement) as f32;
            input.accesskit_action_requests(id, accesskit::Action::SetValue).find_map(|request| match &request.data {
                Some(accesskit::ActionData::NumericValue(value)) => Some(*value as f32),
                Some(accesskit::ActionData::Value(text)) => parse(text, self.suffix),
                _ => None,
            })
        });
        if let Some(value) = asked.filter(|v| v.is_finite()) {
            return Some(Change::single(self.clamped(value)));
        }
        if steps == 0.0 {
            return None;
        }
        // A key held down is one gesture, as a drag is.
        let key = id.with("nudge");
        let kept = ui.data(|data| data.get_temp::<GestureId>(key)).filter(|_| repeated);
        let gesture = kept.unwrap_or_else(|| new_gesture(ui, id));
        ui.data_mut(|data| data.insert_temp(key, gesture));
        Some(Change { value: self.rounded(self.value + steps * self.step), gesture: Some(gesture) })
    }

    fn describe(&self, ui: &Ui, id: Id, value: f32) {
        ui.ctx().accesskit_node_builder(id, |node| {
            node.set_min_numeric_value((*self.range.start()).into());
            node.set_max_numeric_value((*self.range.end()).into());
            node.set_numeric_value_step(self.step.into());
            node.add_action(accesskit::Action::SetValue);
            if value < *self.range.end() {
                node.add_action(accesskit::Action::Increment);
            }
            if value > *self.range.start() {
                node.add_action(accesskit::Action::Decrement);
            }
        });
    }

    fn paint(&self, ui: &Ui, rect: Rect, response: &Response) {
        let visuals = ui.style().interact(response);
        let painter = ui.painter().with_clip_rect(rect.expand(1.0).intersect(ui.clip_rect()));
        let radius = visuals.corner_radius;
        painter.rect_filled(rect, radius, ui.visuals().extreme_bg_color);

        let inner = self.rail(rect);
        let span = (self.range.end() - self.range.start()).max(f32::MIN_POSITIVE);
        let at = |value: f32| ((self.clamped(value) - self.range.start()) / span).clamp(0.0, 1.0);
        let (from, to) = (at(self.origin).min(at(self.value)), at(self.origin).max(at(self.value)));
        let (fill, handle, tick) = if self.vertical {
            let y = |t: f32| inner.bottom() - t * inner.height();
            let line = |t: f32| Rect::from_x_y_ranges(inner.x_range(), (y(t) - 1.0)..=(y(t) + 1.0));
            (Rect::from_x_y_ranges(inner.x_range(), y(to)..=y(from)), line(at(self.value)), line(at(self.origin)))
        } else {
            let x = |t: f32| inner.left() + t * inner.width();
            let line = |t: f32| Rect::from_x_y_ranges((x(t) - 1.0)..=(x(t) + 1.0), inner.y_range());
            (Rect::from_x_y_ranges(x(from)..=x(to), inner.y_range()), line(at(self.value)), line(at(self.origin)))
        };
        let palette = Palette::of(ui.visuals());
        // A thin line of the fill's colour would hardly be seen.
        let accent = if self.compact { palette.accent } else { palette.accent_fill };
        let strength = if self.muted { 0.35 } else { 1.0 };
        painter.rect_filled(fill, radius, accent.gamma_multiply(strength));
        if at(self.origin) > 0.0 && at(self.origin) < 1.0 {
            let thin = if self.vertical { vec2(0.0, 0.5) } else { vec2(0.5, 0.0) };
            painter.rect_filled(tick.shrink2(thin), 0, palette.weak.gamma_multiply(0.5));
        }
        painter.rect_filled(handle.intersect(inner), 0, visuals.fg_stroke.color.gamma_multiply(strength));

        if !self.vertical {
            let text = match &self.text {
                Some(text) => text.clone(),
                None => format!("{}{}", self.number_text(), self.suffix),
            };
            let color = if self.muted { palette.weak } else { visuals.text_color() };
            let font = ui.style().drag_value_text_style.resolve(ui.style());
            let right = if self.compact { 3.0 } else { 5.0 };
            let lifted = if self.compact { 1.5 } else { 0.0 };
            painter.text(pos2(rect.right() - right, rect.center().y - lifted), Align2::RIGHT_CENTER, text, font, color);
        }
        let outline = if response.has_focus() { ui.visuals().selection.stroke } else { visuals.bg_stroke };
        painter.rect_stroke(rect, radius, Stroke { width: outline.width.max(1.0), ..outline }, StrokeKind::Inside);
    }
}

/// The text field that takes a bar's place while a number is typed.
#[derive(Clone, Copy)]
struct Typing {
    id: Id,
}

impl Typing {
    fn text_id(self) -> Id {
        self.id.with("text")
    }

    fn active(self, ui: &Ui) -> bool {
        ui.data(|data| data.get_temp::<String>(self.text_id()).is_some())
    }

    fn begin(self, ui: &Ui, text: String) {
        let mut state = TextEdit::load_state(ui.ctx(), self.text_id()).unwrap_or_default();
        let all = CCursorRange::select_all_str(&text);
        state.cursor.set_char_range(Some(all));
        state.store(ui.ctx(), self.text_id());
        ui.data_mut(|data| data.insert_temp(self.text_id(), text));
        ui.memory_mut(|memory| memory.request_focus(self.text_id()));
    }

    fn show(self, ui: &mut Ui, rect: Rect, bar: &ValueBar<'_>) -> Option<Change<f32>> {
        let mut text = ui.data(|data| data.get_temp::<String>(self.text_id()))?;
        let rect = Rect::from_center_size(rect.center(), vec2(rect.width().max(TYPING_WIDTH), rect.height().min(22.0)));
        let mut child = ui.new_child(UiBuilder::new().max_rect(rect));
        let edit = TextEdit::singleline(&mut text)
            .id(self.text_id())
            .font(ui.style().drag_value_text_style.clone())
            .desired_width(rect.width())
            .margin(vec2(4.0, 1.0))
            .min_size(rect.size());
        let response = child.add_sized(rect.size(), edit).accessible_name(format!("{}, typed", bar.name));
        if response.has_focus() {
            ui.data_mut(|data| data.insert_temp(self.text_id(), text));
            return None;
        }
        ui.data_mut(|data| data.remove::<String>(self.text_id()));
        let cancelled = ui.input(|i| i.key_pressed(Key::Escape));
        if cancelled || ui.input(|i| i.key_pressed(Key::Enter)) {
            // The arrow keys go on from here.
            ui.memory_mut(|memory| memory.request_focus(self.id));
        }
        if cancelled || !response.lost_focus() {
            return None;
        }
        parse(&text, bar.suffix).map(|value| Change::single(bar.clamped(value)))
    }
}

/// A number as people type it: with the unit or without, with a comma, with a typographic minus.
fn parse(text: &str, suffix: &str) -> Option<f32> {
    let text = text.trim();
    let text = text.strip_suffix(suffix.trim()).unwrap_or(text);
    let text: String = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| match c {
            '\u{2212}' => '-',
            ',' => '.',
            c => c,
        })
        .collect();
    text.parse::<f32>().ok().filter(|value| value.is_finite())
}

#[cfg(test)]
mod tests {
    use egui::Role;
    use egui_kittest::{Harness, kittest::Queryable as _};

    use super::*;

    #[derive(Default)]
    struct State {
        value: f32,
        changes: Vec<Change<f32>>,
    }

    fn harness() -> Harness<'static, State> {
        Harness::builder().with_size(vec2(300.0, 60.0)).with_step_dt(0.02).build_ui_state(
            |ui, state: &mut State| {
                let bar = ValueBar::new("Truncation psi", state.value, -1.0..=2.0).origin(1.0);
                if let (_, Some(change)) = bar.show(ui) {
                    state.value = change.value;
                    state.changes.push(change);
                }
            },
            State { value: 1.0, changes: Vec::new() },
        )
    }

    #[test]
    fn a_drag_follows_the_pointer_and_is_one_gesture() {
        let mut harness = harness();
        let rect = harness.get_by_label("Truncation psi").rect();
        let rail = rect.width() - NUMBER_WIDTH - 2.0;
        harness.drag_at(rect.center());
        harness.step();
        for step in 1..=10 {
            harness.hover_at(rect.center() - vec2(rail / 30.0 * step as f32, 0.0));
            harness.step();
        }
        harness.drop_at(rect.center() - vec2(rail / 3.0, 0.0));
        harness.run();
        assert!((harness.state().value - 0.0).abs() < 0.011, "a third of the width is 1: {}", harness.state().value);
        let gestures: Vec<_> = harness.state().changes.iter().map(|c| c.gesture).collect();
        assert!(gestures.len() > 3 && gestures[0].is_some());
        assert!(gestures.windows(2).all(|pair| pair[0] == pair[1]), "{gestures:?}");

        let first = gestures[0];
        harness.drag_at(rect.center());
        harness.step();
        harness.hover_at(rect.center() + vec2(40.0, 0.0));
        harness.step();
        harness.drop_at(rect.center() + vec2(40.0, 0.0));
        harness.run();
        assert_ne!(harness.state().changes.last().map(|c| c.gesture), Some(first), "another drag is another gesture");
    }

    #[test]
    fn a_click_alone_changes_nothing() {
        let mut harness = harness();
        harness.get_by_label("Truncation psi").click();
        harness.run();
        assert!(harness.state().changes.is_empty());
    }

    #[test]
    fn arrow_keys_nudge_and_stop_at_the_end() {
        let mut harness = harness();
        harness.get_by_label("Truncation psi").focus();
        harness.run();
        harness.key_press(Key::ArrowRight);
        harness.run();
        assert_eq!(harness.state().value, 1.01);
        harness.key_press_modifiers(Modifiers::SHIFT, Key::ArrowLeft);
        harness.run();
        assert_eq!(harness.state().value, 0.91);
        harness.state_mut().value = 2.0;
        harness.key_press(Key::ArrowRight);
        harness.run();
        assert_eq!(harness.state().value, 2.0);
    }

    #[test]
    fn a_double_click_types_a_number() {
        let mut harness = harness();
        let bar = harness.get_by_label("Truncation psi");
        bar.click();
        bar.click();
        harness.run();
        harness.get_by_label("Truncation psi, typed").type_text("0,7");
        harness.run();
        assert_eq!(harness.state().value, 1.0, "nothing happens before Enter");
        harness.key_press(Key::Enter);
        harness.run();
        assert_eq!(harness.state().value, 0.7);
        assert!(harness.query_by_label("Truncation psi, typed").is_none());
    }

    #[test]
    fn escape_leaves_the_number_as_it_was_and_typing_is_clamped() {
        let mut harness = harness();
        for (text, key, expected) in [("0.2", Key::Escape, 1.0), ("17", Key::Enter, 2.0), ("NaN", Key::Enter, 2.0)] {
            harness.get_by_label("Truncation psi").focus();
            harness.run();
            harness.key_press(Key::Enter);
            harness.run();
            harness.get_by_label("Truncation psi, typed").type_text(text);
            harness.run();
            harness.key_press(key);
            harness.run();
            assert_eq!(harness.state().value, expected, "{text}");
        }
    }

    #[test]
    fn assistive_technology_sets_and_steps_it() {
        let mut harness = harness();
        harness.get_by_role_and_label(Role::Slider, "Truncation psi").set_value_accesskit(0.25);
        harness.run();
        assert_eq!(harness.state().value, 0.25);
        harness.get_by_label("Truncation psi").increment_accesskit();
        harness.run();
        assert_eq!(harness.state().value, 0.26);
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, expected) in [
            ("1.5", Some(1.5)),
            (" \u{2212}2,5 ", Some(-2.5)),
            ("3 sd", Some(3.0)),
            ("inf", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(parse(text, " sd"), expected, "{text}");
        }
    }
}
