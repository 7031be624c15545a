//! The strip under the image: the snapshots of a run on a rail, what they are compared with, and the animation.

use egui::{Button, ComboBox, Label, RichText, Ui, Vec2, vec2};

use super::{TimelineCommand, command::GAIN, kimg_text};
use crate::{
    engine::PairView,
    ui::{
        command::{Command, CommandSender},
        panels::rows::command_button,
        state::AppState,
        theme,
        widgets::{
            Scrubber,
            segmented::{Segment, segmented_ui},
            toggle::toggle_ui,
        },
    },
};

/// Width of the choice of how to compare.
const VIEWS_WIDTH: f32 = 220.0;
/// Width of the choice of the gain.
const GAINS_WIDTH: f32 = 108.0;
/// Width of the choice of the other snapshot, with what stands beside it.
const OTHER_WIDTH: f32 = 190.0;
/// Width of the switch for smooth animations.
const SMOOTH_WIDTH: f32 = 76.0;
/// Width of the button for the animation.
const EXPORT_WIDTH: f32 = 130.0;
/// A strip that is narrower has the rail in a row of its own.
const NARROW: f32 = 330.0;
/// Width that the figure of the snapshot keeps.
const FIGURE_WIDTH: f32 = 84.0;

/// Draws the strip.
pub fn strip_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let timeline = &state.timeline;
    let send = |command: TimelineCommand| commands.send(Command::Timeline(command));
    let narrow = ui.available_width() < NARROW;
    ui.horizontal(|ui| {
        let button = |ui: &mut Ui, command: TimelineCommand, text: &str| {
            command_button(ui, state, commands, Command::Timeline(command), text, vec2(theme::ROW_HEIGHT, 0.0))
        };
        button(ui, TimelineCommand::Previous, "\u{2039}");
        button(ui, TimelineCommand::Next, "\u{203a}");
        let figure = timeline.at().map_or_else(|| "no snapshots yet".to_owned(), kimg_text);
        let size = vec2(FIGURE_WIDTH, theme::ROW_HEIGHT);
        let figure = Label::new(RichText::new(figure).font(theme::figures())).truncate();
        ui.add_sized(size, figure).on_hover_text("Thousands of images that were shown to the networks until then");
        let gap = ui.spacing().item_spacing.x;
        let rest = (ui.available_width() - theme::ROW_HEIGHT - gap).max(0.0);
        if narrow {
            ui.add_space((rest - gap).max(0.0));
        } else {
            rail_ui(ui, rest, state, commands);
        }
        button(ui, TimelineCommand::Close, "\u{d7}");
    });
    if narrow {
        rail_ui(ui, ui.available_width(), state, commands);
    }
    ui.horizontal_wrapped(|ui| {
        let (response, change) = toggle_ui(ui, "Follow", "Follow the training", timeline.follow);
        response.on_hover_text(TimelineCommand::ToggleFollow.tooltip());
        if let Some(change) = change {
            send(TimelineCommand::Follow(change.value));
        }
        compare_ui(ui, state, commands);
        make_room(ui, SMOOTH_WIDTH + EXPORT_WIDTH);
        let (response, change) = toggle_ui(ui, "Smooth", "Smooth animation", timeline.smooth);
        response.on_hover_text(TimelineCommand::Smooth(true).tooltip());
        if let Some(change) = change {
            send(TimelineCommand::Smooth(change.value));
        }
        command_button(
            ui,
            state,
            commands,
            Command::Timeline(TimelineCommand::Export),
            "Export animation\u{2026}",
            vec2(EXPORT_WIDTH, 0.0),
        );
    });
}

fn rail_ui(ui: &mut Ui, width: f32, state: &AppState, commands: &CommandSender) {
    let (timeline, marks) = (&state.timeline, state.timeline.marks());
    ui.allocate_ui(vec2(width, ui.spacing().interact_size.y), |ui| {
        let pinned = timeline.view.and(timeline.against.as_ref()).map(|against| against.nimg);
        let scrubber = Scrubber::new("Snapshot", &marks, 1000.0).current(timeline.at()).pinned(pinned);
        if let (_, Some(nimg)) = scrubber.show(ui) {
            commands.send(Command::Timeline(TimelineCommand::Show(nimg)));
        }
    });
}

/// Goes on in the next row where this one has not so much room.
fn make_room(ui: &mut Ui, width: f32) {
    if ui.available_size_before_wrap().x < width + ui.spacing().item_spacing.x {
        ui.end_row();
    }
}

fn compare_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    let timeline = &state.timeline;
    let send = |command: TimelineCommand| commands.send(Command::Timeline(command));
    let gain = match timeline.view {
        Some(PairView::Difference { gain }) => Some(gain),
        _ => None,
    };
    let difference = Some(PairView::Difference { gain: gain.unwrap_or(GAIN) });
    let views = [
        Segment::new(None, "One", "The snapshot alone"),
        Segment::new(Some(PairView::SideBySide), "Side by side", TimelineCommand::ToggleBeside.tooltip()),
        Segment::new(difference, "Difference", TimelineCommand::ToggleDifference.tooltip()),
    ];
    let width = VIEWS_WIDTH.min(ui.max_rect().width());
    make_room(ui, width);
    ui.allocate_ui(vec2(width, theme::ROW_HEIGHT), |ui| {
        if let (_, Some(change)) = segmented_ui(ui, "Snapshots", &views, timeline.view) {
            send(TimelineCommand::View(change.value));
        }
    });
    if timeline.view.is_none() {
        return;
    }
    make_room(ui, OTHER_WIDTH);
    ui.label("with");
    let chosen = timeline.against.as_ref().map_or_else(String::new, |against| kimg_text(against.nimg));
    let list = ComboBox::from_id_salt("compared snapshot").selected_text(chosen).width(FIGURE_WIDTH);
    let list = list.show_ui(ui, |ui| {
        for snapshot in &timeline.snapshots {
            let on = timeline.against.as_ref() == Some(snapshot);
            if ui.add(Button::selectable(on, kimg_text(snapshot.nimg))).clicked() {
                send(TimelineCommand::Against(snapshot.nimg));
            }
        }
    });
    list.response.accessible_name("Compared snapshot");
    command_button(ui, state, commands, Command::Timeline(TimelineCommand::Pin), "Pin", Vec2::ZERO);
    if let Some(gain) = gain {
        make_room(ui, GAINS_WIDTH);
        let gains = [1, 4, 16].map(|gain| (gain, format!("\u{d7}{gain}")));
        let gains = gains.each_ref().map(|(gain, text)| Segment::new(*gain, text, "Factor on the difference"));
        ui.allocate_ui(vec2(GAINS_WIDTH, theme::ROW_HEIGHT), |ui| {
            if let (_, Some(change)) = segmented_ui(ui, "Gain", &gains, gain) {
                send(TimelineCommand::View(Some(PairView::Difference { gain: change.value })));
            }
        });
    }
}
