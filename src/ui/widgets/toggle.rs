//! On or off.

use egui::{Response, Ui};

use super::change::Change;

/// A check box with a visible `text`; `name` is its full name, unique in the window.
pub fn toggle_ui(ui: &mut Ui, text: &str, name: &str, on: bool) -> (Response, Option<Change<bool>>) {
    let mut now = on;
    let response = ui.push_id(name, |ui| ui.checkbox(&mut now, text)).inner.accessible_name(name);
    (response, (now != on).then_some(Change::single(now)))
}
