//! *Noise*: the inputs that decide what is random in an image, such as the place of single hairs.

use egui::{Ui, vec2};

use super::rows::{field_row, section, without_model};
use crate::{
    session::{PoseEdit, PoseField, pose::NoiseMode, ranges},
    ui::{
        animation::Animation,
        command::{Command, CommandSender},
        state::AppState,
        theme::ROW_HEIGHT,
        widgets::{
            Number, Row, ValueBar,
            segmented::{Segment, segmented_ui},
            toggle::toggle_ui,
        },
    },
};

const MODE: &str = "noise_mode: where the noise inputs of the synthesis network come from.";
const SEED: &str = "The seed of the random noise maps: another one moves what is random (hairs, pores, leaves) and keeps \
                    the rest.";
const STRENGTH: &str = "A factor on the learned noise_strength of every layer. 1 as trained, 0 is painterly and smooth, more \
                        is grainy. Single layers have their own factor in the layers table.";
const TURN: &str = "Turns the noise field smoothly: the maps become cos(2\u{3c0}t) maps + sin(2\u{3c0}t) other maps, which keeps \
                    their variance. A full turn comes back to the start.";
const ANIMATE: &str = "Lets the field turn by itself. The speed is in turns a second; negative turns backwards.";

/// Draws the section.
pub fn noise_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    section(ui, state, commands, "Noise", Some(PoseField::Noise), |ui| {
        let noise = state.pose().noise;
        let no_noise = (!state.has_noise()).then_some("This model's layers have no noise inputs.");
        let lacking = without_model(state).or(no_noise);
        let off = lacking.or((noise.mode == NoiseMode::Off).then_some("The noise is off."));
        field_row(
            ui,
            state,
            commands,
            PoseField::NoiseMode,
            Row::new("Source", "Noise source", MODE).lacking(lacking),
            |ui| {
                let modes = [
                    Segment::new(NoiseMode::Off, "Off", "No noise"),
                    Segment::new(
                        NoiseMode::Const,
                        "Const",
                        "The noise maps stored in the model: the same at every seed",
                    ),
                    Segment::new(NoiseMode::Random, "Random", "Noise maps drawn from a seed"),
                ];
                segmented_ui(ui, "Noise source", &modes, noise.mode)
            },
            PoseEdit::NoiseMode,
        );
        let not_random = lacking.or((noise.mode != NoiseMode::Random).then_some("The noise is not random."));
        field_row(
            ui,
            state,
            commands,
            PoseField::NoiseSeed,
            Row::new("Seed", "Noise seed", SEED).lacking(not_random),
            |ui| Number::new("Noise seed", noise.seed.into(), 0.0..=u32::MAX.into()).integer().show(ui),
            |seed| PoseEdit::NoiseSeed(seed as u32),
        );
        field_row(
            ui,
            state,
            commands,
            PoseField::NoiseStrength,
            Row::new("Strength", "Noise strength", STRENGTH).lacking(off),
            |ui| ValueBar::new("Noise strength", noise.strength, ranges::NOISE_STRENGTH).show(ui),
            PoseEdit::NoiseStrength,
        );
        field_row(
            ui,
            state,
            commands,
            PoseField::NoiseTurn,
            Row::new("Turn", "Noise turn", TURN).lacking(off),
            |ui| ValueBar::new("Noise turn", noise.turn, ranges::NOISE_TURN).decimals(3).show(ui),
            PoseEdit::NoiseTurn,
        );
        animate_row(ui, state, commands, off);
    });
}

fn animate_row(ui: &mut Ui, state: &AppState, commands: &CommandSender, lacking: Option<&str>) {
    let animation = state.animation;
    let default = Animation::default().noise_speed;
    let row = Row::new("Animate", "Noise speed", ANIMATE).changed(animation.noise_speed != default).lacking(lacking);
    let output = row.show(ui, |ui| {
        let (toggle, on) = toggle_ui(ui, "", "Animate noise", animation.noise);
        let speed = -Animation::MAX_SPEED..=Animation::MAX_SPEED;
        let size = vec2(ui.available_width(), ROW_HEIGHT);
        let (bar, speed) = ValueBar::new("Noise speed", animation.noise_speed, speed).size(size).show(ui);
        let command =
            on.map(|on| Command::AnimateNoise(on.value)).or(speed.map(|speed| Command::NoiseSpeed(speed.value)));
        (toggle.union(bar), command)
    });
    if let Some(command) = output.change {
        commands.send(command);
    }
    if output.reset {
        commands.send(Command::NoiseSpeed(default));
    }
}
