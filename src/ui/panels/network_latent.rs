//! *Network & latent*: which model, and where in its latent space.

use std::path::Path;

use egui::{Button, ComboBox, Label, ProgressBar, RichText, ScrollArea, Ui, vec2};

use super::rows::{command_button, field_row, hint, section, without_model};
use crate::{
    latent::seed::{nearest_seed, position_of, seed_at},
    session::{PoseEdit, PoseField, pose::SeedPosition, ranges},
    ui::{
        animation::Animation,
        command::{Command, CommandSender},
        state::AppState,
        theme::{Palette, ROW_HEIGHT},
        widgets::{Change, Number, Row, ValueBar, row::share, seed_pad::seed_pad_ui, toggle::toggle_ui},
    },
};

/// Height of the plane of seeds, in points.
const PAD_HEIGHT: f32 = 76.0;
/// Height of the open list of classes, in points.
const CLASSES_HEIGHT: f32 = 240.0;

const SEED: &str = "The latent z is numpy.random.RandomState(seed).randn: the same number gives the same image as in the \
                    official scripts.";
const POSITION: &str = "The place in the plane of seeds: seed = round(x) + 100 round(y). Between seeds the four neighbours are \
                        blended bilinearly in W around w_avg, so the image changes smoothly. Drag here or on the image.";
const ANIMATE: &str = "Walks along x by itself. The speed is in seeds a second; negative walks backwards.";
const CLASS: &str = "The class label that the model is conditioned on: what kind of thing the image shows.";

/// Draws the section.
pub fn network_latent_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    section(ui, state, commands, "Network & latent", None, |ui| {
        model_ui(ui, state, commands);
        ui.add_space(4.0);
        seed_ui(ui, state, commands);
        class_row(ui, state, commands);
    });
}

fn model_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    if let Some(model) = &state.model {
        let name = ui.add(Label::new(RichText::new(&model.name).strong()).truncate().selectable(false));
        name.on_hover_text(model.details.join("\n"));
        let config = &model.config;
        let colours = match config.img_channels() {
            1 => "grey",
            4 => "RGBA",
            _ => "RGB",
        };
        let resolution = config.resolution();
        hint(ui, format!("{}, {resolution}x{resolution} {colours}", config.family_name()));
        let origin =
            model.path.as_deref().map_or_else(|| "comes with the program".into(), |path| path.display().to_string());
        ui.add(Label::new(RichText::new(&origin).small().weak()).truncate().selectable(false)).on_hover_text(&origin);
        if let Some(notice) = &model.notice {
            let color = Palette::of(ui.visuals()).warning;
            // One sentence is enough to be honest; the tooltip has the rest.
            let short = notice.split_inclusive(". ").next().unwrap_or(notice);
            let text = RichText::new(short.trim_end()).small().color(color);
            ui.add(Label::new(text).wrap().selectable(false)).on_hover_text(notice);
        }
    } else if state.opening.is_none() {
        hint(
            ui,
            "No model yet. Drop a .pkl, .pt or .safetensors file on the window, open one, or try the bundled one.",
        );
    }
    if let Some(opening) = &state.opening {
        opening_ui(
            ui,
            state,
            commands,
            &opening.name,
            (opening.total > 0).then(|| opening.done as f32 / opening.total as f32),
        );
    }
    ui.horizontal(|ui| {
        let size = share(ui, 3);
        command_button(ui, state, commands, Command::Open, "Open\u{2026}", size);
        recent_menu(ui, state, commands);
        command_button(ui, state, commands, Command::OpenBundled, "Bundled", vec2(ui.available_width(), size.y));
    });
}

fn opening_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender, name: &str, done: Option<f32>) {
    ui.horizontal(|ui| {
        let cancel = 64.0;
        let width = (ui.available_width() - cancel - ui.spacing().item_spacing.x).max(48.0);
        // Before the size is known, an empty bar is more honest than one that pretends.
        let bar = ProgressBar::new(done.unwrap_or(0.0)).desired_width(width).desired_height(ROW_HEIGHT);
        let text =
            done.map_or_else(|| format!("Opening {name}"), |done| format!("Opening {name}, {:.0} %", 100.0 * done));
        ui.add(bar.text(text));
        command_button(ui, state, commands, Command::CancelOpen, "Cancel", vec2(cancel, ROW_HEIGHT));
    });
}

fn recent_menu(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    ui.add_enabled_ui(!state.recent.is_empty(), |ui| {
        let width = share(ui, 2).x;
        let button = Button::new("Recent").min_size(vec2(width, ROW_HEIGHT));
        let (response, _) = egui::containers::menu::MenuButton::from_button(button).ui(ui, |ui| {
            for path in &state.recent {
                let item = ui.button(file_name(path)).on_hover_text(path.display().to_string());
                if item.clicked() {
                    commands.send(Command::OpenPath(path.clone()));
                    ui.close();
                }
            }
            ui.separator();
            if ui.button(Command::ClearRecent.label()).clicked() {
                commands.send(Command::ClearRecent);
                ui.close();
            }
        });
        response
            .accessible_name("Recent files")
            .on_hover_text("Files that were opened before")
            .on_disabled_hover_text("No file was opened yet.");
    });
}

fn file_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

fn seed_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let lacking = without_model(state);
    let position = state.pose().seed;
    field_row(
        ui,
        state,
        commands,
        PoseField::Seed,
        Row::new("Seed", "Seed number", SEED).lacking(lacking),
        |ui| {
            let seed = nearest_seed(position.x, position.y);
            Number::new("Seed number", seed.into(), 0.0..=u32::MAX.into()).integer().show(ui)
        },
        |seed| {
            let (x, y) = position_of(seed as u32);
            PoseEdit::Seed(SeedPosition { x, y })
        },
    );
    field_row(
        ui,
        state,
        commands,
        PoseField::Seed,
        Row::new("x, y", "Seed position", POSITION).lacking(lacking),
        |ui| {
            let width = share(ui, 2).x;
            let (x, moved_x) = Number::new("Seed x", position.x, ranges::SEED).width(width).show(ui);
            let width = ui.available_width();
            let (y, moved_y) = Number::new("Seed y", position.y, ranges::SEED).width(width).show(ui);
            let change = moved_x
                .map(|change| change.map(|x| SeedPosition { x, ..position }))
                .or(moved_y.map(|change| change.map(|y| SeedPosition { y, ..position })));
            (x.union(y), change)
        },
        PoseEdit::Seed,
    );
    ui.add_enabled_ui(lacking.is_none(), |ui| {
        let (pad, change) = seed_pad_ui(ui, "Seed plane", position, PAD_HEIGHT, seed_at);
        if let Some(Change { value, gesture }) = change {
            commands.edit_in(PoseEdit::Seed(value), gesture);
        }
        pad.on_hover_text(POSITION);
    });
    ui.horizontal(|ui| {
        let size = share(ui, 2);
        command_button(ui, state, commands, Command::Random, "Random", size);
        command_button(ui, state, commands, Command::Snap, "Snap", vec2(ui.available_width(), size.y));
    });
    animate_row(ui, state, commands);
}

fn animate_row(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let animation = state.animation;
    let default = Animation::default().seed_speed;
    let row = Row::new("Animate", "Seed speed", ANIMATE).changed(animation.seed_speed != default);
    let output = row.lacking(without_model(state)).show(ui, |ui| {
        let (toggle, on) = toggle_ui(ui, "", "Animate seed", animation.seed);
        let speed = -Animation::MAX_SPEED..=Animation::MAX_SPEED;
        let size = vec2(ui.available_width(), ROW_HEIGHT);
        let (bar, speed) = ValueBar::new("Seed speed", animation.seed_speed, speed).size(size).show(ui);
        let command =
            on.map(|on| Command::AnimateSeed(on.value)).or(speed.map(|speed| Command::SeedSpeed(speed.value)));
        (toggle.union(bar), command)
    });
    if let Some(command) = output.change {
        commands.send(command);
    }
    if output.reset {
        commands.send(Command::SeedSpeed(default));
    }
}

fn class_row(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let classes = state.label_dim();
    let unconditional = (classes == 0).then_some("This model was trained without class labels.");
    let class = state.pose().class;
    field_row(
        ui,
        state,
        commands,
        PoseField::Class,
        Row::new("Class", "Class label", CLASS).lacking(without_model(state).or(unconditional)),
        |ui| {
            let selected = if classes == 0 { "none".to_owned() } else { class.min(classes - 1).to_string() };
            let mut change = None;
            let combo = ComboBox::from_id_salt("class").width(ui.available_width()).selected_text(selected);
            let response = combo.show_ui(ui, |ui| {
                // A model may have thousands of classes.
                let list = ScrollArea::vertical().max_height(CLASSES_HEIGHT);
                list.show_rows(ui, ROW_HEIGHT, classes, |ui, rows| {
                    for row in rows {
                        let item = ui.selectable_label(row == class, format!("Class {row}"));
                        if item.clicked() && row != class {
                            change = Some(Change::single(row));
                        }
                    }
                });
            });
            (response.response.accessible_name("Class label"), change)
        },
        PoseEdit::Class,
    );
}
