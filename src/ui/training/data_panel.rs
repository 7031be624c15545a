//! The chosen images: some of them, and what the check says.

use egui::{Label, RichText, Ui, vec2};

use super::look::{DataLook, LookReport};
use crate::ui::theme::{self, Palette};

/// Sentences of the report that are shown before the rest is asked for.
const SHOWN: usize = 4;

/// Draws the images side by side, and the report below.
pub fn data_ui(ui: &mut Ui, look: &DataLook) {
    thumbnails_ui(ui, look);
    match &look.report {
        None => {}
        Some(LookReport::Reading(progress)) => {
            let (done, total) = progress.get();
            let text =
                if total > 0 { format!("Looking at image {done} of {total}") } else { "Looking at the images".into() };
            ui.horizontal(|ui| {
                ui.spinner();
                ui.label(RichText::new(text).small().weak());
            });
        }
        Some(LookReport::Failed(error)) => {
            let text = RichText::new(error).small().color(Palette::of(ui.visuals()).error);
            ui.add(Label::new(text).wrap().selectable(true));
        }
        Some(LookReport::Done(report)) => {
            let palette = Palette::of(ui.visuals());
            let colour = if report.usable { palette.weak } else { palette.error };
            // What matters most stands at the end.
            let hidden = report.sentences.len().saturating_sub(SHOWN);
            let shown = report.sentences.get(hidden..).unwrap_or_default();
            for sentence in shown {
                ui.add(Label::new(RichText::new(sentence).small().color(colour)).wrap().selectable(false))
                    .on_hover_ui(|ui| whole_ui(ui, &report.sentences));
            }
        }
    }
}

fn whole_ui(ui: &mut Ui, sentences: &[String]) {
    ui.set_max_width(theme::DIALOG_WIDTH);
    for sentence in sentences {
        ui.add(Label::new(RichText::new(sentence).small()).wrap());
    }
}

fn thumbnails_ui(ui: &mut Ui, look: &DataLook) {
    if look.thumbnails.is_empty() {
        return;
    }
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = theme::UNIT;
        let count = super::errand::THUMBNAILS as f32;
        let side = ((ui.available_width() - theme::UNIT * (count - 1.0)) / count).clamp(16.0, 48.0).floor();
        for (i, texture) in look.thumbnails.iter().enumerate() {
            let image = egui::Image::new((texture.id(), vec2(side, side))).corner_radius(3);
            let response = ui.add(image.alt_text(format!("Training image {i}")));
            response.on_hover_ui(|ui| {
                ui.image((texture.id(), texture.size_vec2()));
            });
        }
    });
}
