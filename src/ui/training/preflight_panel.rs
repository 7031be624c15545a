//! What the training will take, before it is started.

use egui::{Grid, Label, RichText, Ui, vec2};

use super::{TrainingState, form::Begin, plan::Takes};
use crate::{
    base::numbers::duration,
    training::preflight::quantity,
    ui::theme::{self, Palette},
};

/// Draws parameters, operations, memory and time, or why the training cannot be.
pub fn preflight_ui(ui: &mut Ui, training: &TrainingState) {
    ui.add_space(theme::UNIT);
    ui.separator();
    if training.form.begin == Begin::Resume {
        return;
    }
    match training.plan.as_ref().map(|plan| &plan.outcome) {
        None => {}
        Some(Err(refusal)) => {
            let text = RichText::new(&refusal.text).color(Palette::of(ui.visuals()).error);
            ui.add(Label::new(text).wrap().selectable(false));
        }
        Some(Ok(takes)) => takes_ui(ui, takes, training.flops_per_second),
    }
}

fn takes_ui(ui: &mut Ui, takes: &Takes, flops_per_second: Option<f64>) {
    let preflight = &takes.preflight;
    let [g, d] = preflight.parameters.map(|count| quantity(count as f64, ""));
    let time = match flops_per_second {
        Some(rate) if rate > 0.0 => format!("about {}", duration(takes.flops / rate)),
        _ => "being measured".to_owned(),
    };
    let rows = [
        ("Parameters", format!("G {g}, D {d}"), "Values that learn: generator and discriminator"),
        (
            "Work",
            format!("{} an image", quantity(preflight.training_flops, "FLOP")),
            "Operations of training for each real image shown, regularisers by their share",
        ),
        (
            "Memory",
            format!("about {}", quantity(preflight.memory_bytes as f64, "B")),
            "Weights, Adam's memories, the moving average, and what the largest phase keeps for its gradients",
        ),
        ("Time", time, "At the speed of this machine as it was measured last"),
    ];
    Grid::new("preflight").num_columns(2).min_col_width(theme::LABEL_WIDTH).spacing(vec2(theme::GAP, 2.0)).show(
        ui,
        |ui| {
            for (name, value, tooltip) in rows {
                ui.add(Label::new(RichText::new(name).weak()).selectable(false)).on_hover_text(tooltip);
                let value = RichText::new(value).font(theme::figures());
                ui.add(Label::new(value).wrap().selectable(false)).on_hover_text(tooltip);
                ui.end_row();
            }
        },
    );
}
