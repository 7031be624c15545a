//! A number without ends to draw a bar between: a seed, a coordinate, a speed.

use std::ops::RangeInclusive;

use egui::{DragValue, Response, Ui, UiBuilder, vec2};

use super::change::{Change, new_gesture};
use crate::session::GestureId;

/// A field with a number that is typed or dragged sideways.
#[must_use = "call `show`"]
pub struct Number<'a> {
    name: &'a str,
    value: f64,
    range: RangeInclusive<f64>,
    speed: f64,
    decimals: usize,
    suffix: &'a str,
    width: Option<f32>,
}

impl<'a> Number<'a> {
    /// A field over `range`. `name` is what assistive technology and tests call it; it is unique in the window.
    pub fn new(name: &'a str, value: f64, range: RangeInclusive<f64>) -> Self {
        Self { name, value, range, speed: 0.02, decimals: 2, suffix: "", width: None }
    }

    /// Value per point of a drag; 0.02 unless told. Also what an arrow key adds.
    pub fn speed(mut self, speed: f64) -> Self {
        self.speed = speed;
        self
    }

    /// Digits after the point; 2 unless told.
    pub fn decimals(mut self, decimals: usize) -> Self {
        self.decimals = decimals;
        self
    }

    /// Whole numbers only.
    pub fn integer(self) -> Self {
        self.decimals(0).speed(0.1)
    }

    /// A unit behind the number.
    pub fn suffix(mut self, suffix: &'a str) -> Self {
        self.suffix = suffix;
        self
    }

    /// Width in points; as wide as there is room unless told.
    pub fn width(mut self, width: f32) -> Self {
        self.width = Some(width);
        self
    }

    /// Draws the field; `Some` when the user asks for another value.
    pub fn show(self, ui: &mut Ui) -> (Response, Option<Change<f64>>) {
        let mut value = self.value;
        let size = vec2(self.width.unwrap_or_else(|| ui.available_width()), ui.spacing().interact_size.y);
        // The speed is also what an arrow key adds, and a fraction of a whole number adds nothing.
        let by_key = self.decimals == 0 && !ui.input(|i| i.pointer.any_down());
        let speed = if by_key { 1.0 } else { self.speed };
        let scope = ui.scope_builder(UiBuilder::new().scope_id(ui.scope_id().with(self.name)), |ui| {
            let field = DragValue::new(&mut value)
                .range(self.range.clone())
                .clamp_existing_to_range(false)
                .speed(speed)
                .fixed_decimals(self.decimals)
                .suffix(self.suffix)
                .clip_text(true)
                .min_size(size)
                .update_while_editing(false);
            ui.add_sized(size, field)
        });
        let response = scope.inner.accessible_name(self.name);

        let gesture = response.dragged().then(|| {
            let begun = ui.data(|data| data.get_temp::<GestureId>(response.id));
            let gesture = begun.filter(|_| !response.drag_started()).unwrap_or_else(|| new_gesture(ui, response.id));
            ui.data_mut(|data| data.insert_temp(response.id, gesture));
            gesture
        });
        let change = (value != self.value && value.is_finite()).then_some(Change { value, gesture });
        (response, change)
    }
}

#[cfg(test)]
mod tests {
    use egui::Key;
    use egui_kittest::{Harness, kittest::Queryable as _};

    use super::*;

    fn harness(integer: bool) -> Harness<'static, (f64, Vec<Change<f64>>)> {
        Harness::builder().with_size(vec2(200.0, 60.0)).build_ui_state(
            move |ui, (value, changes)| {
                let mut number = Number::new("Seed", *value, 0.0..=4294967295.0);
                if integer {
                    number = number.integer();
                }
                if let (_, Some(change)) = number.show(ui) {
                    *value = change.value;
                    changes.push(change);
                }
            },
            (7.0, Vec::new()),
        )
    }

    #[test]
    fn a_typed_number_counts_on_enter() {
        let mut harness = harness(true);
        harness.get_by_label("Seed").click();
        harness.run();
        harness.get_by_label("Seed").type_text("4242");
        harness.run();
        assert_eq!(harness.state().0, 7.0);
        harness.key_press(Key::Enter);
        harness.run();
        assert_eq!(harness.state().0, 4242.0);
        assert_eq!(harness.state().1, [Change::single(4242.0)]);
    }

    #[test]
    fn a_drag_is_one_gesture_and_arrows_step_whole_numbers() {
        let mut harness = harness(true);
        let center = harness.get_by_label("Seed").rect().center();
        harness.drag_at(center);
        harness.step();
        for x in [10.0, 40.0, 90.0, 150.0] {
            harness.hover_at(center + vec2(x, 0.0));
            harness.step();
        }
        harness.drop_at(center + vec2(150.0, 0.0));
        harness.run();
        let (value, changes) = harness.state();
        assert!(*value > 10.0 && value.fract() == 0.0, "{value}");
        assert!(changes.len() > 1 && changes.iter().all(|c| c.gesture.is_some() && c.gesture == changes[0].gesture));

        let before = *value;
        harness.get_by_label("Seed").focus();
        harness.run();
        harness.key_press(Key::ArrowDown);
        harness.run();
        assert_eq!(harness.state().0, before - 1.0);
    }
}
