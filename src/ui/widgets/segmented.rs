//! One of a few, all of them in sight.

use egui::{Align2, CursorIcon, Id, Response, Role, Sense, Ui, WidgetInfo, vec2};

use super::change::Change;

/// One choice.
#[derive(Debug, Clone, Copy)]
pub struct Segment<'a, T> {
    /// What is chosen.
    pub value: T,
    /// The word on the segment.
    pub text: &'a str,
    /// What it does.
    pub tooltip: &'a str,
    /// `Some(why)` greys the segment.
    pub lacking: Option<&'a str>,
}

impl<'a, T> Segment<'a, T> {
    /// A choice that can be made.
    pub fn new(value: T, text: &'a str, tooltip: &'a str) -> Self {
        Self { value, text, tooltip, lacking: None }
    }
}

/// Segments that share the width there is. A segment is called `{name}: {text}`.
pub fn segmented_ui<T: Copy + PartialEq>(
    ui: &mut Ui,
    name: &str,
    segments: &[Segment<'_, T>],
    current: T,
) -> (Response, Option<Change<T>>) {
    let mut change = None;
    let height = ui.spacing().interact_size.y;
    let (frame, response) = ui.allocate_exact_size(vec2(ui.available_width(), height), Sense::hover());
    ui.painter().rect_filled(frame, ui.visuals().widgets.inactive.corner_radius, ui.visuals().extreme_bg_color);
    let width = frame.width() / segments.len().max(1) as f32;
    for (i, segment) in segments.iter().enumerate() {
        let left = frame.left() + width * i as f32;
        let rect = egui::Rect::from_x_y_ranges(left..=(left + width), frame.y_range());
        let label = format!("{name}: {}", segment.text);
        let enabled = ui.is_enabled() && segment.lacking.is_none();
        let chosen = segment.value == current;
        let sense = if enabled { Sense::click() } else { Sense::hover() };
        let one = ui.interact(rect, ui.make_persistent_id(&label), sense);
        one.widget_info(|| WidgetInfo::selected(Role::RadioButton, enabled, chosen, &label));

        let visuals = if chosen { ui.visuals().widgets.active } else { *ui.style().interact(&one) };
        let inner = rect.shrink(1.0);
        if chosen {
            ui.painter().rect_filled(inner, visuals.corner_radius, ui.visuals().selection.bg_fill);
        } else if enabled && (one.hovered() || one.has_focus()) {
            ui.painter().rect_filled(inner, visuals.corner_radius, visuals.weak_bg_fill);
        }
        let color = match (enabled, chosen) {
            (false, _) => ui.visuals().weak_text_color(),
            (true, true) => ui.visuals().selection.stroke.color,
            (true, false) => visuals.text_color(),
        };
        let font = egui::TextStyle::Button.resolve(ui.style());
        let clip = ui.painter().with_clip_rect(inner.intersect(ui.clip_rect()));
        clip.text(rect.center(), Align2::CENTER_CENTER, segment.text, font, color);

        if chosen {
            ui.data_mut(|data| data.insert_temp(chosen_id(&response), one.id));
        }
        if enabled && one.clicked() && !chosen {
            change = Some(Change::single(segment.value));
        }
        let tooltip = segment.lacking.unwrap_or(segment.tooltip);
        if !tooltip.is_empty() {
            one.on_hover_cursor(CursorIcon::PointingHand).on_hover_text(tooltip);
        }
    }
    (response, change)
}

/// Gives a control the focus; of segments the one that is chosen has it.
pub fn focus(ui: &Ui, response: &Response) {
    let id = ui.data(|data| data.get_temp(chosen_id(response))).unwrap_or(response.id);
    ui.memory_mut(|memory| memory.request_focus(id));
}

fn chosen_id(response: &Response) -> Id {
    response.id.with("chosen segment")
}

#[cfg(test)]
mod tests {
    use egui_kittest::{
        Harness,
        kittest::{NodeT as _, Queryable as _},
    };

    use super::*;

    #[test]
    fn a_click_chooses_and_what_lacks_cannot_be_chosen() {
        let mut harness = Harness::builder().with_size(vec2(300.0, 60.0)).build_ui_state(
            |ui, chosen: &mut u8| {
                let mut last = Segment::new(2, "Random", "maps from a seed");
                last.lacking = Some("no noise inputs");
                let segments = [Segment::new(0, "Off", ""), Segment::new(1, "Const", "the model's own"), last];
                if let (_, Some(change)) = segmented_ui(ui, "Noise", &segments, *chosen) {
                    *chosen = change.value;
                }
            },
            0,
        );
        harness.get_by_label("Noise: Const").click();
        harness.run();
        assert_eq!(*harness.state(), 1);
        assert!(harness.get_by_label("Noise: Random").accesskit_node().is_disabled());
        harness.get_by_label("Noise: Random").click();
        harness.run();
        assert_eq!(*harness.state(), 1);
    }
}
