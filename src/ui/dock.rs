//! The dock at the bottom of the window: tabs that are closed until they are used.

use egui::{Button, Frame, Margin, Panel, Role, Ui, WidgetInfo};

use super::{
    command::{Command, CommandSender, tooltip_text},
    state::AppState,
    theme,
    training::panel,
};

/// Height of the dock at first, in points.
const HEIGHT: f32 = 300.0;
/// Lowest dock that is of use.
const MIN_HEIGHT: f32 = 180.0;

/// What the dock can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DockTab {
    /// Training.
    #[default]
    Training,
}

impl DockTab {
    /// All tabs, in their order.
    pub const ALL: [Self; 1] = [Self::Training];

    /// The word on the tab.
    pub fn label(self) -> &'static str {
        match self {
            Self::Training => "Training",
        }
    }

    /// What it is for.
    pub fn tooltip(self) -> &'static str {
        match self {
            Self::Training => "Train a generator, and watch it learn",
        }
    }
}

/// What the dock shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dock {
    /// Whether it is open.
    pub open: bool,
    /// The tab that is shown, or that will be when it opens.
    pub tab: DockTab,
}

impl Dock {
    /// Whether this tab is in sight.
    pub fn shows(&self, tab: DockTab) -> bool {
        self.open && self.tab == tab
    }

    /// Shows the tab, or closes the dock if it is in sight already.
    pub fn toggle(&mut self, tab: DockTab) {
        *self = Self { open: !self.shows(tab), tab };
    }
}

/// Draws the dock, if it is open.
pub fn dock_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    if !state.dock.open {
        return;
    }
    let palette = theme::Palette::of(ui.visuals());
    let frame = Frame::new().fill(palette.panel).inner_margin(Margin::symmetric(theme::PANEL_MARGIN as i8, 6));
    // The image keeps the larger part of a low window.
    let highest = (0.62 * ui.available_height()).max(MIN_HEIGHT);
    let panel = Panel::bottom("dock").frame(frame).resizable(true);
    panel.default_size(HEIGHT.min(highest)).size_range(MIN_HEIGHT..=highest).show(ui, |ui| {
        ui.horizontal(|ui| {
            for tab in DockTab::ALL {
                tab_ui(ui, state, commands, tab);
            }
            ui.separator();
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                let close = ui.add(Button::new("\u{d7}").frame(false).min_size(theme::mark_size()));
                close.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Close the dock"));
                if close.on_hover_text("Close the dock").clicked() {
                    commands.send(Command::Dock(state.dock.tab));
                }
                ui.with_layout(egui::Layout::left_to_right(egui::Align::Center), |ui| match state.dock.tab {
                    DockTab::Training => panel::header_ui(ui, state, commands),
                });
            });
        });
        ui.add_space(theme::UNIT);
        match state.dock.tab {
            DockTab::Training => panel::panel_ui(ui, state, commands),
        }
    });
}

fn tab_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender, tab: DockTab) {
    let shown = state.dock.shows(tab);
    let response = ui.add(Button::selectable(shown, tab.label()));
    let name = format!("{} tab", tab.label());
    response.widget_info(|| WidgetInfo::selected(Role::Tab, true, shown, &name));
    if response.on_hover_text(tooltip_text(ui.ctx(), &Command::Dock(tab))).clicked() && !shown {
        commands.send(Command::Dock(tab));
    }
}
