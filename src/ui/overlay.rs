//! What lies over the image: the tools in the corner, what is going on, failures, and the words of an empty canvas.

use egui::{
    Align, Align2, Area, Button, Frame, Id, Label, Layout, Margin, Order, Pos2, ProgressBar, Rect, RichText,
    ScrollArea, Stroke, Ui, vec2,
};

use super::{
    command::{Command, CommandSender, tooltip_text},
    state::{AppState, ErrorOverImage, Opening},
    theme::{self, Palette},
    timeline::kimg_text,
    zoom::{Measured, Zoom},
};
use crate::engine::{Against, PairView};

/// Draws everything that lies over the canvas.
pub fn overlays_ui(ui: &mut Ui, canvas: Rect, state: &AppState, measured: Measured, commands: &CommandSender) {
    let inner = canvas.shrink(theme::SECTION_GAP);
    match &state.error {
        Some(error) => error_ui(ui, inner, error, commands),
        None if state.picture.get().is_some() || state.opening.is_some() => {}
        None if state.model.is_some() => floating(ui, "first image", inner.center(), Align2::CENTER_CENTER, first_ui),
        None => empty_ui(ui, canvas, state, commands),
    }
    if state.picture.get().is_some() {
        let roomy = inner.width() > theme::TOOLS_WIDTH;
        let at = inner.right_bottom();
        floating(ui, "canvas tools", at, Align2::RIGHT_BOTTOM, |ui| tools_ui(ui, state, measured, roomy, commands));
    }
    if let Some(opening) = &state.opening {
        let empty = state.picture.get().is_none();
        let at = if empty { inner.center() } else { inner.center_bottom() - vec2(0.0, 48.0) };
        floating(ui, "opening", at, Align2::CENTER_CENTER, |ui| opening_ui(ui, opening, commands));
    }
    if let Some(exporting) = &state.exporting {
        let at = inner.center_bottom() - vec2(0.0, 96.0);
        floating(ui, "exporting", at, Align2::CENTER_CENTER, |ui| exporting_ui(ui, exporting, commands));
    }
    if state.choosing && state.opening.is_none() {
        floating(ui, "networks", inner.center_top(), Align2::CENTER_TOP, |ui| networks_ui(ui, state, commands));
    }
    if let Some(text) = compared_text(state) {
        floating(ui, "compared snapshots", inner.center_top(), Align2::CENTER_TOP, |ui| {
            let text = RichText::new(text).small().color(Palette::of(ui.visuals()).accent);
            ui.add(Label::new(text).extend());
        });
    }
    if state.comparing {
        floating(ui, "comparing", inner.left_top(), Align2::LEFT_TOP, comparing_ui);
    } else if let Some(notice) = state.model.as_ref().and_then(|model| model.notice.as_ref())
        && !state.left_panel
    {
        // With the panel on the left, it stands there.
        floating(ui, "notice", inner.left_top(), Align2::LEFT_TOP, |ui| {
            ui.set_max_width(inner.width() - 40.0);
            ui.add(Label::new(RichText::new(notice).small().color(Palette::of(ui.visuals()).warning)).wrap());
        });
    }
}

/// A small box over the canvas that sits at `at` by its `pivot`.
fn floating(ui: &Ui, name: &str, at: Pos2, pivot: Align2, contents: impl FnOnce(&mut Ui)) {
    let palette = Palette::of(ui.visuals());
    let frame =
        Frame::new().fill(palette.veil).corner_radius(theme::WINDOW_RADIUS).inner_margin(Margin::symmetric(8, 5));
    Area::new(Id::unique(name))
        .order(Order::Middle)
        .movable(false)
        .pivot(pivot)
        .fixed_pos(at)
        .show(ui.ctx(), |ui| frame.show(ui, contents));
}

fn tools_ui(ui: &mut Ui, state: &AppState, measured: Measured, roomy: bool, commands: &CommandSender) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = theme::UNIT;
        compare_button(ui, state, commands);
        if roomy {
            ui.separator();
            zoom_button(ui, "Fit", state.canvas.zoom == Zoom::Fit, Command::Zoom(Zoom::Fit), commands);
            zoom_button(ui, "Whole", state.canvas.zoom == Zoom::FitWhole, Command::Zoom(Zoom::FitWhole), commands);
            zoom_button(ui, "1:1", state.canvas.zoom == Zoom::ACTUAL, Command::Zoom(Zoom::ACTUAL), commands);
            let scale = RichText::new(scale_text(measured.scale)).font(theme::small_figures());
            ui.allocate_ui_with_layout(vec2(48.0, theme::ROW_HEIGHT), Layout::right_to_left(Align::Center), |ui| {
                ui.label(scale).on_hover_text("Screen pixels per image pixel");
            });
        }
    });
}

/// Compares while it is held; letting go anywhere ends it.
fn compare_button(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let response = ui.add(Button::selectable(state.comparing, "Compare"));
    let pressed = response.is_pointer_button_down_on();
    response.on_hover_text(tooltip_text(ui.ctx(), &Command::Compare(true)));
    let held = Id::unique("compare is held");
    let was_held = ui.data(|data| data.get_temp::<bool>(held)).unwrap_or(false);
    let is_held = (pressed || was_held) && ui.input(|input| input.pointer.primary_down());
    if is_held != was_held {
        ui.data_mut(|data| data.insert_temp(held, is_held));
        commands.send(Command::Compare(is_held));
    }
}

fn zoom_button(ui: &mut Ui, text: &str, on: bool, command: Command, commands: &CommandSender) {
    if ui.add(Button::selectable(on, text)).on_hover_text(tooltip_text(ui.ctx(), &command)).clicked() {
        commands.send(command);
    }
}

fn scale_text(scale: f32) -> String {
    if (scale - scale.round()).abs() < 0.005 && scale >= 1.0 {
        format!("\u{d7}{scale:.0}")
    } else if scale >= 10.0 {
        format!("\u{d7}{scale:.1}")
    } else {
        format!("\u{d7}{scale:.2}")
    }
}

/// What is on the left and on the right, or what differs.
fn compared_text(state: &AppState) -> Option<String> {
    let Against { view, .. } = state.timeline.compared()?;
    let model = |nimg: Option<u64>| nimg.map(kimg_text);
    let other = model(state.timeline.other.as_ref()?.nimg)?;
    let shown = model(state.model.as_ref()?.nimg)?;
    Some(match view {
        PairView::SideBySide => format!("{other}  |  {shown}"),
        PairView::Difference { gain } => format!("{gain} \u{d7} |{shown} \u{2212} {other}|"),
    })
}

fn comparing_ui(ui: &mut Ui) {
    let palette = Palette::of(ui.visuals());
    ui.label(RichText::new("Unedited pose").small().color(palette.accent));
}

fn opening_ui(ui: &mut Ui, opening: &Opening, commands: &CommandSender) {
    ui.horizontal(|ui| {
        ui.spinner();
        let tuning = opening.tuned.map(|_| "Finding the fastest kernels".to_owned());
        let text = tuning.unwrap_or_else(|| format!("Opening {}", opening.name));
        ui.add(Label::new(text).truncate());
        bar_ui(ui, opening);
        if ui.button("Cancel").on_hover_text(Command::CancelOpen.label()).clicked() {
            commands.send(Command::CancelOpen);
        }
    });
}

fn bar_ui(ui: &mut Ui, Opening { done, total, .. }: &Opening) {
    if *total > 0 {
        let part = *done as f32 / *total as f32;
        ui.add(ProgressBar::new(part).desired_width(140.0).text(format!("{:>3.0} %", 100.0 * part)));
    }
}

fn exporting_ui(ui: &mut Ui, exporting: &Opening, commands: &CommandSender) {
    ui.horizontal(|ui| {
        ui.spinner();
        ui.add(Label::new(format!("Exporting {}", exporting.name)).truncate());
        bar_ui(ui, exporting);
        if ui.button("Cancel").on_hover_text(Command::CancelExport.label()).clicked() {
            commands.send(Command::CancelExport);
        }
    });
}

/// Asks which network of the file to show, while the preferred one is on the screen already.
fn networks_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let Some(model) = &state.model else { return };
    ui.horizontal_wrapped(|ui| {
        ui.label("Networks in this file:");
        for network in &model.networks {
            let text = format!("{} ({})", network.name, network.what);
            if ui.add(Button::selectable(network.name == model.network, text)).clicked() {
                commands.send(Command::SelectNetwork(network.name.clone()));
            }
        }
        if ui.button("\u{d7}").on_hover_text(Command::DismissChoice.label()).clicked() {
            commands.send(Command::DismissChoice);
        }
    });
}

/// A model is open and its first image is on the way. Nothing moves here: drawing would take the device's time.
fn first_ui(ui: &mut Ui) {
    let hint = "A graphics device measures first which kernels are fastest";
    ui.label("Preparing the first image\u{2026}").on_hover_text(hint);
}

fn error_ui(ui: &Ui, inner: Rect, error: &ErrorOverImage, commands: &CommandSender) {
    let palette = Palette::of(ui.visuals());
    let width = (inner.width() - 40.0).clamp(120.0, theme::DIALOG_WIDTH);
    let frame = Frame::new()
        .fill(palette.raised)
        .stroke(Stroke::new(1.0, palette.error))
        .corner_radius(theme::WINDOW_RADIUS)
        .shadow(ui.visuals().popup_shadow)
        .inner_margin(Margin::same(16));
    Area::new(Id::unique("error over the image"))
        .order(Order::Middle)
        .movable(false)
        .pivot(Align2::CENTER_CENTER)
        .fixed_pos(inner.center())
        .show(ui.ctx(), |ui| {
            frame.show(ui, |ui| {
                ui.set_width(width);
                ui.label(RichText::new(&error.title).heading().color(palette.error));
                ui.add_space(theme::UNIT);
                ScrollArea::vertical().max_height(0.5 * inner.height()).show(ui, |ui| {
                    ui.add(Label::new(&error.text).wrap().selectable(true));
                });
                ui.add_space(theme::SECTION_GAP);
                ui.horizontal(|ui| {
                    if ui.button("Open another\u{2026}").clicked() {
                        commands.send(Command::Open);
                    }
                    if ui.button("Dismiss").clicked() {
                        commands.send(Command::DismissError);
                    }
                });
            });
        });
}

/// Nothing is open: says what to do.
fn empty_ui(ui: &mut Ui, canvas: Rect, state: &AppState, commands: &CommandSender) {
    let palette = Palette::of(ui.visuals());
    let width = (canvas.width() - 2.0 * theme::SECTION_GAP).min(theme::DIALOG_WIDTH);
    let middle = Rect::from_center_size(canvas.center(), vec2(width, 220.0_f32.min(canvas.height())));
    let builder = egui::UiBuilder::new().max_rect(middle).layout(Layout::top_down(Align::Center));
    ui.scope_builder(builder, |ui| {
        ui.label(
            RichText::new("Drop a model here, or try the bundled one").size(theme::TITLE_SIZE).color(palette.strong),
        );
        ui.label(RichText::new("StyleGAN2 or StyleGAN, as .pkl, .pt or .safetensors").color(palette.weak));
        ui.label(RichText::new("A PNG that was saved here brings its pose back").color(palette.weak));
        ui.add_space(theme::SECTION_GAP);
        let buttons = [("Open\u{2026}", Command::Open), ("Try the bundled model", Command::OpenBundled)];
        ui.horizontal(|ui| {
            ui.add_space(0.5 * (width - 250.0).max(0.0));
            for (text, command) in buttons {
                let button = Button::new(text).min_size(vec2(0.0, 30.0));
                if ui.add(button).on_hover_text(tooltip_text(ui.ctx(), &command)).clicked() {
                    commands.send(command);
                }
            }
        });
        ui.add_space(theme::SECTION_GAP);
        for path in state.recent.iter().take(4) {
            let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
            if ui.link(name).on_hover_text(path.display().to_string()).clicked() {
                commands.send(Command::OpenPath(path.clone()));
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::scale_text;

    #[test]
    fn scales_are_short() {
        assert_eq!(scale_text(1.0), "\u{d7}1");
        assert_eq!(scale_text(10.0), "\u{d7}10");
        assert_eq!(scale_text(0.652_34), "\u{d7}0.65");
        assert_eq!(scale_text(10.4375), "\u{d7}10.4");
    }
}
