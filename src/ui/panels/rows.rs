//! What the panels share: rows that edit one field of the pose, sections that remember whether they are open, and
//! buttons that stand for a command.

use egui::{Button, Label, Response, RichText, Ui, Vec2};

use crate::{
    session::{PoseEdit, PoseField},
    ui::{
        command::{Command, CommandSender, tooltip_text},
        state::AppState,
        widgets::{Change, Row, section::section_ui},
    },
};

/// Why a row is greyed while no model is open.
const NO_MODEL: &str = "Open a model first.";

/// Why a row that every model has is greyed.
pub(in crate::ui) fn without_model(state: &AppState) -> Option<&'static str> {
    state.model.is_none().then_some(NO_MODEL)
}

/// A row for one field of the pose: what the control asks for becomes `edit`, the reset mark the field's own reset.
pub(in crate::ui) fn field_row<T>(
    ui: &mut Ui,
    state: &AppState,
    commands: &CommandSender,
    field: PoseField,
    row: Row<'_>,
    control: impl FnOnce(&mut Ui) -> (Response, Option<Change<T>>),
    edit: impl FnOnce(T) -> PoseEdit,
) {
    let output = row.changed(!state.pose().is_default(field)).show(ui, control);
    if let Some(Change { value, gesture }) = output.change {
        commands.edit_in(edit(value), gesture);
    }
    if output.reset {
        commands.edit(field.reset());
    }
}

/// A section that remembers whether it is open. `resets` is what its reset mark acts on.
pub(in crate::ui) fn section(
    ui: &mut Ui,
    state: &AppState,
    commands: &CommandSender,
    title: &str,
    resets: Option<PoseField>,
    contents: impl FnOnce(&mut Ui),
) {
    let changed = resets.map(|field| !state.pose().is_default(field));
    let output = section_ui(ui, title, state.section_is_open(title), changed, contents);
    if let Some(open) = output.toggled {
        commands.send(Command::Section(title.to_owned(), open));
    }
    if let (true, Some(field)) = (output.reset, resets) {
        commands.edit(field.reset());
    }
}

/// A button for `command` with a shorter `text`; greyed while the command can do nothing.
pub(in crate::ui) fn command_button(
    ui: &mut Ui,
    state: &AppState,
    commands: &CommandSender,
    command: Command,
    text: &str,
    size: Vec2,
) -> Response {
    let label = command.label();
    let response = ui
        .push_id(&label, |ui| ui.add_enabled(command.enabled(state), Button::new(text).truncate().min_size(size)))
        .inner
        .accessible_name(&label);
    let tooltip = tooltip_text(ui.ctx(), &command);
    let response = response.on_hover_text(&tooltip).on_disabled_hover_text(&tooltip);
    if response.clicked() {
        commands.send(command);
    }
    response
}

/// A quiet line, e.g. what to do where there is nothing to show yet.
pub(in crate::ui) fn hint(ui: &mut Ui, text: impl Into<String>) {
    ui.add(Label::new(RichText::new(text).weak()).wrap().selectable(false));
}
