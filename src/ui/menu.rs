//! The menu bar: every entry is a command, with its shortcut.

use egui::{AtomExt as _, Button, MenuBar, RichText, Role, Ui, WidgetInfo, vec2};

use super::{
    command::{Command, CommandSender, Group, keys_text},
    export::ExportKind,
    state::AppState,
    theme,
};

/// Draws the menu bar.
pub fn menu_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    MenuBar::new().ui(ui, |ui| {
        for group in Group::ALL {
            ui.menu_button(group.label(), |ui| {
                ui.set_min_width(theme::MENU_WIDTH);
                group_ui(ui, group, state, commands);
            });
        }
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| right_ui(ui, state, commands));
    });
}

fn group_ui(ui: &mut Ui, group: Group, state: &AppState, commands: &CommandSender) {
    for entry in group.commands() {
        match entry {
            None => {
                ui.separator();
            }
            Some(Command::ClearRecent) => recent_ui(ui, state, commands),
            // One submenu stands for them all.
            Some(Command::Export(ExportKind::Exact)) => export_ui(ui, state, commands),
            Some(Command::Export(_)) => {}
            Some(command) => entry_ui(ui, command, state, commands),
        }
    }
}

fn entry_ui(ui: &mut Ui, command: Command, state: &AppState, commands: &CommandSender) {
    let enabled = command.enabled(state);
    let label = menu_label(&command, state);
    let on = is_on(&command, state);
    let accent = theme::Palette::of(ui.visuals()).accent;
    let mark = RichText::new(if on == Some(true) { "\u{2714}" } else { "" }).small().color(accent);
    let mut button = Button::new((mark.atom_size(vec2(theme::CHECK_WIDTH, 0.0)), label.as_str()));
    if let Some(shortcut) = command.shortcuts().first() {
        button = button.shortcut_text(RichText::new(keys_text(ui.ctx(), shortcut)).font(theme::small_figures()));
    }
    let tooltip = command.tooltip();
    let response = ui.add_enabled(enabled, button);
    response.widget_info(|| match on {
        Some(on) => WidgetInfo::selected(Role::MenuItemCheckBox, enabled, on, &label),
        None => WidgetInfo::labeled(Role::MenuItem, enabled, &label),
    });
    let response = if tooltip.is_empty() { response } else { response.on_hover_text(tooltip) };
    if response.clicked() {
        commands.send(opposite_if_on(command, state));
        ui.close();
    }
}

fn export_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    ui.add_enabled_ui(Command::Export(ExportKind::Exact).enabled(state), |ui| {
        let indent = "".atom_size(vec2(theme::CHECK_WIDTH, 0.0));
        ui.menu_button((indent, "Export"), |ui| {
            for kind in ExportKind::ALL {
                entry_ui(ui, Command::Export(kind), state, commands);
            }
        });
    });
}

fn recent_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    ui.add_enabled_ui(!state.recent.is_empty(), |ui| {
        let indent = "".atom_size(vec2(theme::CHECK_WIDTH, 0.0));
        ui.menu_button((indent, "Recent"), |ui| {
            ui.set_max_width(2.0 * theme::MENU_WIDTH);
            for path in &state.recent {
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                if ui.button(name).on_hover_text(path.display().to_string()).clicked() {
                    commands.send(Command::OpenPath(path.clone()));
                    ui.close();
                }
            }
            ui.separator();
            entry_ui(ui, Command::ClearRecent, state, commands);
        });
    });
}

fn right_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let command = Command::Palette;
    let keys = command.shortcuts().last().map(|shortcut| keys_text(ui.ctx(), shortcut)).unwrap_or_default();
    let button = Button::new(RichText::new("Search commands").weak()).shortcut_text(keys);
    if ui.add(button).on_hover_text(command.tooltip()).clicked() {
        commands.send(command);
    }
    if let Some(model) = &state.model {
        ui.add_space(theme::SECTION_GAP);
        let title = format!("{} \u{b7} {}", model.name, state.device.name);
        ui.add(egui::Label::new(RichText::new(title).weak()).truncate());
    }
}

/// Undo and redo say what they would undo.
fn menu_label(command: &Command, state: &AppState) -> String {
    let what = match command {
        Command::Undo => state.document.undo_label(),
        Command::Redo => state.document.redo_label(),
        _ => None,
    };
    match what {
        Some(what) => format!("{}: {}", command.label(), what.to_lowercase()),
        None => command.label(),
    }
}

/// Whether what the entry stands for is on now; `None` where there is nothing to be on or off.
fn is_on(command: &Command, state: &AppState) -> Option<bool> {
    match command {
        Command::Zoom(zoom) => Some(state.canvas.zoom == *zoom),
        Command::Theme(theme) => Some(state.theme == *theme),
        Command::Compare(_) => Some(state.comparing),
        Command::ToggleAnimateSeed => Some(state.animation.seed),
        Command::ToggleAnimateNoise => Some(state.animation.noise),
        Command::ToggleLeftPanel => Some(state.left_panel),
        Command::ToggleRightPanel => Some(state.right_panel),
        Command::Dock(tab) => Some(state.dock.shows(*tab)),
        Command::Timeline(command) => command.is_on(&state.timeline),
        _ => None,
    }
}

/// A menu cannot be held down, so the entry for comparing stays on until it is chosen again.
fn opposite_if_on(command: Command, state: &AppState) -> Command {
    match command {
        Command::Compare(_) => Command::Compare(!state.comparing),
        other => other,
    }
}
