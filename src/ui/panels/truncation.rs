//! *Truncation*: how far from the average image the latent may be.

use egui::Ui;

use super::rows::{field_row, section, without_model};
use crate::{
    session::{PoseEdit, PoseField, ranges},
    ui::{
        command::CommandSender,
        state::AppState,
        widgets::{Row, ValueBar},
    },
};

const PSI: &str = "The truncation trick's \u{3c8}: w becomes w_avg + \u{3c8} (w - w_avg). 1 leaves the image as it is, 0 is the \
                   model's average image, less than 1 is more typical and less varied, negative is the opposite.";
const CUTOFF: &str = "truncation_cutoff: only the first so many of the layers' w are truncated. A low number keeps the \
                      coarse layers typical and leaves colours and texture free.";

/// Draws the section.
pub fn truncation_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let lacking = without_model(state);
    section(ui, state, commands, "Truncation", Some(PoseField::Truncation), |ui| {
        let truncation = state.pose().truncation;
        field_row(
            ui,
            state,
            commands,
            PoseField::Psi,
            Row::new("Psi", "Truncation psi", PSI).lacking(lacking),
            |ui| ValueBar::new("Truncation psi", truncation.psi, ranges::PSI).show(ui),
            PoseEdit::Psi,
        );
        let num_ws = state.num_ws();
        let cutoff = truncation.cutoff.map_or(num_ws, |cutoff| cutoff.min(num_ws));
        field_row(
            ui,
            state,
            commands,
            PoseField::Cutoff,
            Row::new("Cutoff", "Truncation cutoff", CUTOFF).lacking(lacking),
            |ui| {
                let bar = ValueBar::new("Truncation cutoff", cutoff as f32, 0.0..=num_ws.max(1) as f32).integer();
                let bar = if cutoff == num_ws { bar.text("all") } else { bar };
                bar.show(ui)
            },
            |value| PoseEdit::Cutoff(Some(value as usize).filter(|cutoff| *cutoff < num_ws)),
        );
    });
}
