//! A part of a side panel that folds away under its title.

use egui::{CursorIcon, Role, Sense, Ui, WidgetInfo, accesskit, pos2, vec2};

use crate::ui::theme::{Palette, RESET_WIDTH};

/// What became of a section.
pub struct SectionOutput {
    /// The title was clicked: the section shall be open (or not) from now on.
    pub toggled: Option<bool>,
    /// Everything in the section shall go back to its default.
    pub reset: bool,
}

/// The title and, while `open`, what is in it. `changed` says whether anything in it differs from its default; `None`
/// is for sections with nothing to reset.
pub fn section_ui(
    ui: &mut Ui,
    title: &str,
    open: bool,
    changed: Option<bool>,
    contents: impl FnOnce(&mut Ui),
) -> SectionOutput {
    let mut output = SectionOutput { toggled: None, reset: false };
    ui.push_id(("section", title), |ui| {
        let height = ui.spacing().interact_size.y + 4.0;
        ui.horizontal(|ui| {
            let mark = if changed.is_some() { RESET_WIDTH + ui.spacing().item_spacing.x } else { 0.0 };
            let size = vec2((ui.available_width() - mark).max(24.0), height);
            let (rect, _) = ui.allocate_exact_size(size, Sense::hover());
            let mut header = ui.interact(rect, ui.make_persistent_id("header"), Sense::click());
            if header.clicked() {
                output.toggled = Some(!open);
                header.mark_changed();
            }
            header.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), title));
            ui.ctx().accesskit_node_builder(header.id, |node: &mut accesskit::Node| node.set_expanded(open));

            let visuals = ui.style().interact(&header);
            if header.hovered() || header.has_focus() {
                ui.painter().rect_filled(rect, visuals.corner_radius, visuals.weak_bg_fill);
            }
            let icon = egui::Rect::from_center_size(pos2(rect.left() + 8.0, rect.center().y), vec2(9.0, 9.0));
            let openness = if open { 1.0 } else { 0.0 };
            egui::collapsing_header::paint_default_icon(ui, openness, &header.clone().with_new_rect(icon));
            let font = egui::TextStyle::Button.resolve(ui.style());
            let text = ui.painter().text(
                pos2(rect.left() + 20.0, rect.center().y),
                egui::Align2::LEFT_CENTER,
                title,
                font,
                ui.visuals().strong_text_color(),
            );
            if changed == Some(true) && !open {
                let dot = pos2(text.right() + 8.0, rect.center().y);
                ui.painter().circle_filled(dot, 2.5, Palette::of(ui.visuals()).accent);
            }
            header.on_hover_cursor(CursorIcon::PointingHand);
            if let Some(changed) = changed {
                output.reset = super::row::reset_mark_ui(ui, &format!("section {title}"), changed);
            }
        });
        if open {
            contents(ui);
            ui.add_space(6.0);
        }
    });
    output
}

#[cfg(test)]
mod tests {
    use egui_kittest::{Harness, kittest::Queryable as _};

    use super::*;

    #[test]
    fn a_click_on_the_title_folds_and_the_mark_resets() {
        let mut harness = Harness::builder().with_size(vec2(300.0, 100.0)).build_ui_state(
            |ui, (open, changed): &mut (bool, bool)| {
                let output = section_ui(ui, "Truncation", *open, Some(*changed), |ui| {
                    ui.label("inside");
                });
                if let Some(now) = output.toggled {
                    *open = now;
                }
                *changed &= !output.reset;
            },
            (true, true),
        );
        assert!(harness.query_by_label("inside").is_some());
        harness.get_by_label("Truncation").click();
        harness.run();
        assert!(harness.query_by_label("inside").is_none());
        harness.get_by_label("Reset section Truncation").click();
        harness.run();
        assert_eq!(*harness.state(), (false, false));
    }
}
