//! Messages that come and go in the corner of the window.

use std::time::{Duration, Instant};

use egui::{Align2, Area, Frame, Id, Margin, Order, RichText, Role, Stroke, WidgetInfo, vec2};

use super::{
    command::{Command, CommandSender},
    state::AppState,
    theme,
};

/// More than this many at a time say nothing any more: the oldest make room.
const MOST: usize = 5;

/// A message's name, for taking it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ToastId(u64);

/// How a message is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToastKind {
    /// Good to know.
    Info,
    /// It worked.
    Success,
    /// It did not.
    Error,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    /// Its name.
    pub id: ToastId,
    /// How it is meant.
    pub kind: ToastKind,
    /// What it says.
    pub text: String,
    /// When it goes away by itself.
    pub until: Instant,
}

/// The messages that are shown, oldest first.
#[derive(Debug, Default)]
pub struct Toasts {
    shown: Vec<Toast>,
    next: u64,
}

impl Toasts {
    /// Shows a message: errors for twelve seconds, others for four. The same text is not shown twice.
    pub fn push(&mut self, kind: ToastKind, text: impl Into<String>) {
        let text = text.into();
        let stay = Duration::from_secs(if kind == ToastKind::Error { 12 } else { 4 });
        let until = Instant::now() + stay;
        if let Some(toast) = self.shown.iter_mut().find(|toast| toast.kind == kind && toast.text == text) {
            toast.until = until;
            return;
        }
        if self.shown.len() >= MOST {
            self.shown.remove(0);
        }
        self.shown.push(Toast { id: ToastId(self.next), kind, text, until });
        self.next += 1;
    }

    /// Takes a message away.
    pub fn dismiss(&mut self, id: ToastId) {
        self.shown.retain(|toast| toast.id != id);
    }

    /// Takes away what has been there long enough; the time until the next one goes.
    pub fn expire(&mut self, now: Instant) -> Option<Duration> {
        self.shown.retain(|toast| toast.until > now);
        self.shown.iter().map(|toast| toast.until - now).min()
    }

    /// The messages that are shown, oldest first.
    pub fn shown(&self) -> &[Toast] {
        &self.shown
    }
}

/// Draws the messages above the status line, newest at the bottom.
pub fn toasts_ui(ctx: &egui::Context, state: &AppState, commands: &CommandSender) {
    let mut offset = vec2(-theme::SECTION_GAP, -(theme::ROW_HEIGHT + theme::SECTION_GAP));
    for toast in state.toasts.shown().iter().rev() {
        let area = Area::new(Id::unique(("toast", toast.id)))
            .order(Order::Foreground)
            .anchor(Align2::RIGHT_BOTTOM, offset)
            .show(ctx, |ui| toast_ui(ui, toast, commands));
        offset.y -= area.response.rect.height() + 2.0 * theme::UNIT;
    }
}

fn toast_ui(ui: &mut egui::Ui, toast: &Toast, commands: &CommandSender) {
    let palette = theme::Palette::of(ui.visuals());
    let colour = match toast.kind {
        ToastKind::Info => palette.accent,
        ToastKind::Success => palette.success,
        ToastKind::Error => palette.error,
    };
    let frame = Frame::new()
        .fill(palette.raised)
        .stroke(Stroke::new(1.0, palette.line))
        .corner_radius(theme::WINDOW_RADIUS)
        .shadow(ui.visuals().popup_shadow)
        .inner_margin(Margin::symmetric(12, 8));
    frame.show(ui, |ui| {
        ui.horizontal_top(|ui| {
            ui.set_max_width(theme::DIALOG_WIDTH);
            let (dot, _) = ui.allocate_exact_size(vec2(8.0, theme::ROW_HEIGHT), egui::Sense::hover());
            ui.painter().circle_filled(dot.center(), 4.0, colour);
            ui.vertical(|ui| {
                ui.set_max_width(theme::DIALOG_WIDTH - 60.0);
                ui.add_space(2.0);
                ui.add(egui::Label::new(RichText::new(&toast.text).color(palette.text)).wrap());
            });
            let close = ui.small_button("\u{d7}").on_hover_text("Dismiss");
            close.widget_info(|| WidgetInfo::labeled(Role::Button, true, "Dismiss message"));
            if close.clicked() {
                commands.send(Command::DismissToast(toast.id));
            }
        });
    });
}
