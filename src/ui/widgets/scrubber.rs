//! A rail with marks at uneven distances, one of which is shown: the snapshots of a training over its images.

use egui::{
    CursorIcon, EventFilter, Key, Modifiers, PointerButton, Rect, Response, Sense, Ui, WidgetInfo, accesskit, pos2,
    vec2,
};

use crate::ui::theme::Palette;

/// Height in points.
const HEIGHT: f32 = 26.0;
/// Free on both sides, so that the handle does not leave the rail.
const MARGIN: f32 = 8.0;

/// A rail that shows and chooses one of its marks.
#[must_use = "call `show`"]
pub struct Scrubber<'a> {
    name: &'a str,
    marks: &'a [u64],
    current: Option<u64>,
    pinned: Option<u64>,
    unit: f64,
}

impl<'a> Scrubber<'a> {
    /// A rail from the first to the last of `marks`, which are sorted. `name` is what assistive technology and tests call
    /// it; `unit` marks are 1 for them.
    pub fn new(name: &'a str, marks: &'a [u64], unit: f64) -> Self {
        Self { name, marks, current: None, pinned: None, unit }
    }

    /// Where the handle is; it may lie between marks, or past them.
    pub fn current(mut self, at: Option<u64>) -> Self {
        self.current = at;
        self
    }

    /// A mark that is held on to.
    pub fn pinned(mut self, at: Option<u64>) -> Self {
        self.pinned = at;
        self
    }

    /// Draws the rail over the width there is; `Some` when the user asks for another mark.
    pub fn show(self, ui: &mut Ui) -> (Response, Option<u64>) {
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
        let id = ui.make_persistent_id(("scrubber", self.name));
        let response = ui.interact(rect, id, Sense::click_and_drag());
        if response.clicked() {
            response.request_focus();
        }
        let asked = self.pointed(&response).or_else(|| self.stepped(ui, &response));
        let asked = asked.filter(|mark| Some(*mark) != self.current && ui.is_enabled());
        let value = asked.or(self.current).unwrap_or(0) as f64 / self.unit;
        response.widget_info(|| WidgetInfo::slider(ui.is_enabled(), value, self.name));
        ui.ctx().accesskit_node_builder(id, |node| {
            node.set_min_numeric_value(self.first() as f64 / self.unit);
            node.set_max_numeric_value(self.last() as f64 / self.unit);
            node.add_action(accesskit::Action::SetValue);
            node.add_action(accesskit::Action::Increment);
            node.add_action(accesskit::Action::Decrement);
        });
        if ui.is_rect_visible(rect) {
            self.paint(ui, rect, &response);
        }
        (response.on_hover_and_drag_cursor(CursorIcon::ResizeHorizontal), asked)
    }

    fn first(&self) -> u64 {
        self.marks.first().copied().unwrap_or(0)
    }

    /// The right end; the handle may be past the last mark.
    fn last(&self) -> u64 {
        self.marks.last().copied().unwrap_or(0).max(self.current.unwrap_or(0))
    }

    fn x(&self, rect: Rect, at: u64) -> f32 {
        let rail = rect.shrink2(vec2(MARGIN, 0.0));
        let span = self.last().saturating_sub(self.first()).max(1) as f64;
        rail.left() + rail.width() * (at.saturating_sub(self.first()) as f64 / span) as f32
    }

    fn nearest(&self, distance: impl Fn(u64) -> f64) -> Option<u64> {
        self.marks.iter().copied().min_by(|a, b| distance(*a).total_cmp(&distance(*b)))
    }

    /// The mark under the pointer while it is held down.
    fn pointed(&self, response: &Response) -> Option<u64> {
        let held = response.dragged_by(PointerButton::Primary) || response.is_pointer_button_down_on();
        let at = response.interact_pointer_pos().filter(|_| held || response.clicked())?;
        self.nearest(|mark| f64::from((self.x(response.rect, mark) - at.x).abs()))
    }

    /// What keys and assistive technology ask for.
    fn stepped(&self, ui: &Ui, response: &Response) -> Option<u64> {
        let id = response.id;
        let mut steps = 0;
        if response.has_focus() {
            let filter = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
            ui.input_mut(|input| {
                steps += input.count_and_consume_key(Modifiers::NONE, Key::ArrowRight) as i64;
                steps -= input.count_and_consume_key(Modifiers::NONE, Key::ArrowLeft) as i64;
            });
        }
        let asked = ui.input(|input| {
            steps += input.num_accesskit_action_requests(id, accesskit::Action::Increment) as i64;
            steps -= input.num_accesskit_action_requests(id, accesskit::Action::Decrement) as i64;
            input.accesskit_action_requests(id, accesskit::Action::SetValue).find_map(|request| match &request.data {
                Some(accesskit::ActionData::NumericValue(value)) => Some(*value),
                Some(accesskit::ActionData::Value(text)) => text.parse().ok(),
                _ => None,
            })
        });
        if let Some(value) = asked.filter(|value| value.is_finite()) {
            return self.nearest(|mark| (mark as f64 - value * self.unit).abs());
        }
        step(self.marks, self.current, steps)
    }

    fn paint(&self, ui: &Ui, rect: Rect, response: &Response) {
        let palette = Palette::of(ui.visuals());
        let painter = ui.painter().with_clip_rect(rect.intersect(ui.clip_rect()));
        let rail = Rect::from_center_size(rect.center(), vec2(rect.width(), 4.0));
        painter.rect_filled(rail, 2.0, palette.well);
        let line = |at: u64, half: f32| {
            let x = self.x(rect, at);
            [pos2(x, rect.center().y - half), pos2(x, rect.center().y + half)]
        };
        for &mark in self.marks {
            painter.line_segment(line(mark, 5.0), (1.0, palette.weak));
        }
        if let Some(pinned) = self.pinned {
            painter.line_segment(line(pinned, 10.0), (2.0, palette.warning));
        }
        if let Some(current) = self.current {
            let visuals = ui.style().interact(response);
            let centre = pos2(self.x(rect, current), rect.center().y);
            painter.circle(centre, 6.0, palette.accent, (1.0, visuals.fg_stroke.color));
        }
        if response.has_focus() {
            let stroke = ui.visuals().selection.stroke;
            painter.rect_stroke(rect.shrink(1.0), 4.0, stroke, egui::StrokeKind::Inside);
        }
    }
}

/// The mark so many steps after (or before) where `current` is; `None` if that is the same.
pub fn step(marks: &[u64], current: Option<u64>, steps: i64) -> Option<u64> {
    let current = current.unwrap_or(0);
    let (before, after) =
        (marks.partition_point(|mark| *mark < current), marks.partition_point(|mark| *mark <= current));
    let index = match steps {
        0 => return None,
        1.. => (after as i64 + steps - 1).min(marks.len() as i64 - 1),
        _ => (before as i64 + steps).max(0),
    };
    marks.get(usize::try_from(index).ok()?).copied().filter(|mark| *mark != current)
}

#[cfg(test)]
mod tests {
    use egui_kittest::{Harness, kittest::Queryable as _};

    use super::*;

    const MARKS: [u64; 4] = [0, 1000, 2000, 10_000];

    #[test]
    fn steps_go_from_mark_to_mark() {
        assert_eq!(step(&MARKS, Some(1000), 1), Some(2000));
        assert_eq!(step(&MARKS, Some(1000), -1), Some(0));
        assert_eq!(step(&MARKS, Some(1500), 1), Some(2000), "from between");
        assert_eq!(step(&MARKS, Some(1500), -1), Some(1000));
        assert_eq!(step(&MARKS, Some(10_000), 1), None, "the end");
        assert_eq!(step(&MARKS, Some(1000), 99), Some(10_000));
        assert_eq!(step(&MARKS, Some(20_000), -1), Some(10_000));
        assert_eq!((step(&[], None, 1), step(&[], Some(3), -1)), (None, None));
    }

    #[test]
    fn pointer_keys_and_assistive_technology_choose_marks() {
        let mut harness = Harness::builder().with_size(vec2(300.0, 60.0)).with_step_dt(0.02).build_ui_state(
            |ui, at: &mut u64| {
                let scrubber = Scrubber::new("Snapshot", &MARKS, 1000.0).current(Some(*at)).pinned(Some(1000));
                if let (_, Some(mark)) = scrubber.show(ui) {
                    *at = mark;
                }
            },
            10_000,
        );
        let rect = harness.get_by_label("Snapshot").rect();
        harness.drag_at(rect.right_center() - vec2(MARGIN, 0.0));
        harness.step();
        harness.hover_at(rect.left_center() + vec2(MARGIN + 0.2 * (rect.width() - 2.0 * MARGIN), 0.0));
        harness.step();
        assert_eq!(*harness.state(), 2000);
        harness.drop_at(rect.left_center() + vec2(MARGIN, 0.0));
        harness.run();
        harness.get_by_label("Snapshot").set_value_accesskit(1.4);
        harness.run();
        assert_eq!(*harness.state(), 1000);
        harness.get_by_label("Snapshot").focus();
        harness.run();
        harness.key_press(Key::ArrowRight);
        harness.run();
        assert_eq!(*harness.state(), 2000);
    }
}
