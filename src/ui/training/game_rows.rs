//! The choices of the game that the networks play: the loss, what the discriminator sees of the images, and whether it knows their
//! classes.

use egui::Ui;

use super::{
    TrainingForm, TrainingState,
    form::{AdaChoice, Begin, Control, LOSSES},
    setup::{arrive, value},
};
use crate::{
    training::config::Loss,
    ui::widgets::{
        Number, Row,
        segmented::{Segment, segmented_ui},
        toggle::toggle_ui,
    },
};

const LOSS: &str = "What G and D play for. It decides which gradient penalty gamma weighs.";
const ADA: &str = "Augmentation of what D sees (ADA): it is shown changed images, so that it cannot learn few of them by heart. \
                   For some thousand images or less.";
const ADA_P: &str = "Probability of each transformation. Above 0.8 they begin to show in what G draws.";
const CLASSES: &str = "Train by class: G draws the class that it is asked for. The classes are those of dataset.json, or the \
                       portraits' hair styles.";
const MIRROR: &str = "Show each image mirrored as well: twice as many, where left and right do not matter.";

/// Draws the rows. `fixed` says why a run keeps what it has, if it does.
pub fn game_rows(ui: &mut Ui, training: &TrainingState, form: &mut TrainingForm, fixed: Option<&str>) {
    loss_row(ui, training, form, fixed);
    ada_rows(ui, training, form);
    classes_row(ui, training, form, fixed);
    let row = Row::new("Mirror", "Mirrored images", MIRROR).changed(form.mirror).lacking(fixed);
    let output = row.show(ui, |ui| toggle_ui(ui, "mirrored as well", "Mirrored images", form.mirror));
    if let Some(on) = output.change.map(|change| change.value).or(output.reset.then_some(false)) {
        form.mirror = on;
    }
}

fn loss_row(ui: &mut Ui, training: &TrainingState, form: &mut TrainingForm, fixed: Option<&str>) {
    let texts = [
        ("Logistic", "Non-saturating logistic loss with R1: from StyleGAN on"),
        ("Relativistic", "Real and drawn images in pairs, with R1 and R2 (R3GAN)"),
        ("WGAN-GP", "Wasserstein distance with a gradient penalty: the progressive GAN"),
    ];
    let losses: Vec<_> =
        LOSSES.iter().zip(texts).map(|((loss, _), (text, tooltip))| Segment::new(*loss, text, tooltip)).collect();
    let row = Row::new("Loss", "Training loss", LOSS).changed(form.loss.is_some()).lacking(fixed);
    let output = row.show(ui, |ui| segmented_ui(ui, "Loss", &losses, form.effective_loss()));
    if let Some(change) = output.change {
        let chosen: Loss = change.value;
        form.loss = Some(chosen).filter(|loss| *loss != form.preset.loss());
    }
    if output.reset {
        form.loss = None;
    }
    arrive(ui, training, Control::Loss, &output.response);
}

fn ada_rows(ui: &mut Ui, training: &TrainingState, form: &mut TrainingForm) {
    let choices = [
        Segment::new(AdaChoice::Off, "Off", "D sees the images as they are"),
        Segment::new(AdaChoice::Adaptive, "Adaptive", "The more the surer D is of the real images"),
        Segment::new(AdaChoice::Fixed, "Fixed", "With the same probability from beginning to end"),
    ];
    let row = Row::new("ADA", "Augmentation", ADA).changed(form.ada != AdaChoice::Off);
    let output = row.show(ui, |ui| segmented_ui(ui, "ADA", &choices, form.ada));
    if let Some(ada) = output.change.map(|change| change.value).or(output.reset.then_some(AdaChoice::Off)) {
        form.ada = ada;
    }
    arrive(ui, training, Control::Ada, &output.response);
    if form.ada != AdaChoice::Fixed {
        return;
    }
    let usual = TrainingForm::default().ada_p;
    let row = Row::new("p", "Augmentation probability", ADA_P).changed(form.ada_p != usual);
    let output = row.show(ui, |ui| {
        value(Number::new("Augmentation probability", form.ada_p, 0.0..=1.0).decimals(3).speed(0.005).show(ui))
    });
    if let Some(p) = output.change.or(output.reset.then_some(usual)) {
        form.ada_p = p;
    }
}

fn classes_row(ui: &mut Ui, training: &TrainingState, form: &mut TrainingForm, fixed: Option<&str>) {
    let known = training.classes();
    let open = (form.begin == Begin::OpenModel).then_some("The open model decides it.");
    // What is on and cannot be has to be switched off.
    let none = known.as_ref().err().map(String::as_str).filter(|_| !form.classes);
    let row = Row::new("Classes", "Training by class", CLASSES).changed(form.classes);
    let text = known.as_ref().map_or("by class".to_owned(), |count| format!("by class ({count})"));
    let row = row.lacking(fixed.or(open).or(none));
    let output = row.show(ui, |ui| toggle_ui(ui, &text, "Training by class", form.classes));
    if let Some(on) = output.change.map(|change| change.value).or(output.reset.then_some(false)) {
        form.classes = on;
    }
    arrive(ui, training, Control::Classes, &output.response);
}
