//! `label | control | reset`: how every adjustable thing in the panels is laid out.

use egui::{
    Align, CursorIcon, Label, Layout, Response, Role, Sense, Shape, Stroke, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};

use crate::ui::theme::{LABEL_WIDTH, Palette, RESET_WIDTH};

/// What became of a row.
pub struct RowOutput<T> {
    /// What the control asked for.
    pub change: Option<T>,
    /// The value shall go back to its default.
    pub reset: bool,
    /// The control's.
    pub response: Response,
}

/// One line of a section.
#[must_use = "call `show`"]
pub struct Row<'a> {
    label: &'a str,
    name: &'a str,
    tooltip: &'a str,
    changed: bool,
    lacking: Option<&'a str>,
}

impl<'a> Row<'a> {
    /// A row with a visible `label`; `name` is the control's full name (the reset mark becomes `Reset {name}`), and
    /// `tooltip` says what the papers call the thing and what it does to the picture.
    pub fn new(label: &'a str, name: &'a str, tooltip: &'a str) -> Self {
        Self { label, name, tooltip, changed: false, lacking: None }
    }

    /// Whether the value differs from its default: enables the reset mark.
    pub fn changed(mut self, changed: bool) -> Self {
        self.changed = changed;
        self
    }

    /// Greys the row and says why, when the model lacks what it acts on.
    pub fn lacking(mut self, why: Option<&'a str>) -> Self {
        self.lacking = why;
        self
    }

    /// Draws the row around `control`, which returns its response and what it asks for.
    pub fn show<T>(self, ui: &mut Ui, control: impl FnOnce(&mut Ui) -> (Response, Option<T>)) -> RowOutput<T> {
        let enabled = self.lacking.is_none();
        let height = ui.spacing().interact_size.y;
        // Of its name alone: what comes and goes above must not take a drag, the focus or a request away from it.
        let builder = UiBuilder::new().scope_id(ui.scope_id().with(self.name));
        let row = ui.scope_builder(builder, |ui| {
            if !enabled {
                ui.disable();
            }
            let row = ui.horizontal(|ui| {
                let width = LABEL_WIDTH.min(ui.available_width() * 0.4);
                ui.allocate_ui_with_layout(vec2(width, height), Layout::left_to_right(Align::Center), |ui| {
                    ui.set_min_width(width);
                    ui.add(Label::new(self.label).truncate().selectable(false)).on_hover_text(self.tooltip);
                });
                let width = (ui.available_width() - RESET_WIDTH - ui.spacing().item_spacing.x).max(24.0);
                let scope =
                    ui.allocate_ui_with_layout(vec2(width, height), Layout::left_to_right(Align::Center), |ui| {
                        ui.set_min_width(width);
                        control(ui)
                    });
                let (response, change) = scope.inner;
                let response = response.on_hover_text(self.tooltip);
                let mut reset = right_clicked(ui, response.rect) && self.changed && enabled;
                reset |= reset_mark_ui(ui, self.name, self.changed);
                RowOutput { change, reset, response }
            });
            row.inner
        });
        if let Some(why) = self.lacking {
            row.response.on_disabled_hover_text(why);
        }
        row.inner
    }
}

/// Whether the secondary button was clicked within `rect`, whatever control is there.
pub fn right_clicked(ui: &Ui, rect: egui::Rect) -> bool {
    ui.rect_contains_pointer(rect) && ui.input(|i| i.pointer.secondary_clicked())
}

/// The reset mark of the control called `name`; true when it was clicked with either button.
pub fn reset_mark_ui(ui: &mut Ui, name: &str, changed: bool) -> bool {
    let size = vec2(RESET_WIDTH, ui.spacing().interact_size.y);
    let label = format!("Reset {name}");
    ui.add_enabled_ui(changed, |ui| {
        let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
        let response = ui.interact(rect, ui.make_persistent_id(&label), Sense::click());
        response.widget_info(|| WidgetInfo::labeled(Role::Button, changed, &label));
        // A mark that cannot be pressed would be one more thing to look at in every row.
        if changed {
            let visuals = ui.style().interact(&response);
            let color = if response.hovered() || response.has_focus() {
                visuals.text_color()
            } else {
                Palette::of(ui.visuals()).accent
            };
            paint_reset(ui, rect.center(), Stroke::new(1.4, color));
        } else {
            ui.painter().circle_filled(rect.center(), 1.0, ui.visuals().weak_text_color());
        }
        let clicked = response.clicked() || response.secondary_clicked();
        response
            .on_hover_cursor(CursorIcon::PointingHand)
            .on_hover_text("Back to the default (or right click the control)");
        clicked
    })
    .inner
}

/// An arrow that goes back round: drawn, so that it looks the same whatever fonts are installed.
fn paint_reset(ui: &Ui, center: egui::Pos2, stroke: Stroke) {
    const RADIUS: f32 = 4.5;
    let at = |turn: f32| {
        let (sin, cos) = (turn * std::f32::consts::TAU).sin_cos();
        center + RADIUS * vec2(cos, sin)
    };
    let arc = (0..=18).map(|i| at(-0.5 + 0.78 * i as f32 / 18.0)).collect();
    ui.painter().add(Shape::line(arc, stroke));
    let tip = at(-0.5);
    let wing = 3.2;
    let head = vec![tip + vec2(-wing, -0.8), tip + vec2(wing, -0.8), pos2(tip.x, tip.y + wing)];
    ui.painter().add(Shape::convex_polygon(head, stroke.color, Stroke::NONE));
}

/// The size that a row takes, for lists that must know it before they draw.
pub fn row_height(ui: &Ui) -> f32 {
    ui.spacing().interact_size.y
}

/// A button that fills its share of a row of `count`.
pub fn share(ui: &Ui, count: usize) -> Vec2 {
    let gaps = ui.spacing().item_spacing.x * count.saturating_sub(1) as f32;
    vec2(((ui.available_width() - gaps) / count.max(1) as f32).max(16.0), ui.spacing().interact_size.y)
}

#[cfg(test)]
mod tests {
    use egui_kittest::{
        Harness,
        kittest::{NodeT as _, Queryable as _},
    };

    use super::{
        super::{Number, ValueBar},
        *,
    };

    struct State {
        value: f32,
        lacking: bool,
    }

    fn harness(state: State) -> Harness<'static, State> {
        Harness::builder().with_size(vec2(300.0, 60.0)).build_ui_state(
            |ui, state: &mut State| {
                let why = state.lacking.then_some("this model has no noise inputs");
                let row = Row::new("Strength", "Noise strength", "B: scales the noise").changed(state.value != 1.0);
                let output =
                    row.lacking(why).show(ui, |ui| ValueBar::new("Noise strength", state.value, 0.0..=2.0).show(ui));
                if let Some(change) = output.change {
                    state.value = change.value;
                }
                if output.reset {
                    state.value = 1.0;
                }
            },
            state,
        )
    }

    #[test]
    fn reset_is_enabled_only_when_the_value_differs() {
        let mut harness = harness(State { value: 1.0, lacking: false });
        assert!(harness.get_by_label("Reset Noise strength").accesskit_node().is_disabled());
        harness.get_by_label("Noise strength").set_value_accesskit(1.5);
        harness.run();
        assert!(!harness.get_by_label("Reset Noise strength").accesskit_node().is_disabled());
        harness.get_by_label("Reset Noise strength").click();
        harness.run();
        assert_eq!(harness.state().value, 1.0);
    }

    #[test]
    fn a_right_click_on_the_control_or_the_mark_resets() {
        let mut harness = harness(State { value: 0.3, lacking: false });
        harness.get_by_label("Noise strength").click_secondary();
        harness.run();
        assert_eq!(harness.state().value, 1.0);
        harness.state_mut().value = 0.3;
        harness.run();
        harness.get_by_label("Reset Noise strength").click_secondary();
        harness.run();
        assert_eq!(harness.state().value, 1.0);
    }

    #[test]
    fn a_lacking_row_is_greyed_and_does_nothing() {
        let mut harness = harness(State { value: 0.3, lacking: true });
        assert!(harness.get_by_label("Noise strength").accesskit_node().is_disabled());
        harness.get_by_label("Noise strength").click_secondary();
        harness.get_by_label("Noise strength").set_value_accesskit(1.5);
        harness.run();
        assert_eq!(harness.state().value, 0.3);
    }

    #[test]
    fn what_appears_above_takes_nothing_away() {
        let mut harness = Harness::builder().with_size(vec2(300.0, 80.0)).build_ui_state(
            |ui, (busy, value): &mut (bool, f64)| {
                if *busy {
                    ui.label("Reading");
                }
                let row = Row::new("Gamma", "R1 gamma", "Weight of R1")
                    .show(ui, |ui| Number::new("R1 gamma", *value, 0.0..=10.0).show(ui));
                if let Some(change) = row.change {
                    *value = change.value;
                }
            },
            (false, 1.0),
        );
        harness.get_by_label("R1 gamma").set_value_accesskit(0.5);
        harness.state_mut().0 = true;
        harness.run();
        assert_eq!(harness.state().1, 0.5);
    }
}
