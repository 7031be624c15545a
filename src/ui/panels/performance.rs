//! *Performance & capture*: what an image costs, how many are asked for, and saving the one in sight.

use std::time::{Duration, Instant};

use egui::{Grid, Label, RichText, Ui, vec2};

use super::rows::{command_button, section};
use crate::{
    engine::message::Timings,
    ui::{
        command::{Command, CommandSender},
        performance::Performance,
        state::AppState,
        theme::figures,
        widgets::{
            Number, Row,
            plot::{History, history_ui},
            row::share,
            toggle::toggle_ui,
        },
    },
};

/// Height of the curve, in points.
const PLOT_HEIGHT: f32 = 46.0;
/// How many frames the curve has room for.
const PLOT_FRAMES: usize = 240;

const LIMIT: &str = "Highest number of images that are asked for in a second.";
const THREADS: &str =
    "Highest number of processors that compute an image. Fewer leave room for other programs. A GPU needs none.";
const VSYNC: &str =
    "Wait for the screen's refresh before a new picture is shown: no torn pictures, a little more delay.";
const HALF: &str = "Store feature maps and weights in 16 bits, sums stay in 32: less memory and less to read. Colours are off by a level here \
                    and there. Opens the model again.";
const READ_BACK: &str = "Bytes of images that came back from the GPU to be shown. It stays 0: the texture is made where the image \
                         was computed. Saving a file is not counted.";

/// Draws the section.
pub fn performance_ui(ui: &mut Ui, state: &AppState, commands: &CommandSender) {
    section(ui, state, commands, "Performance & capture", None, |ui| {
        let performance = &state.performance;
        ui.horizontal(|ui| {
            let size = share(ui, 2);
            command_button(ui, state, commands, Command::Capture, "Capture", size);
            command_button(ui, state, commands, Command::SaveImage, "Save\u{2026}", vec2(ui.available_width(), size.y));
        });
        let totals: Vec<f32> = performance.timings().map(|timings| milliseconds(timings.total)).collect();
        let history = History { name: "Time of each image", values: &totals, capacity: PLOT_FRAMES, unit: "ms" };
        history_ui(ui, &history, PLOT_HEIGHT);
        times_ui(ui, state);
        limits_ui(ui, performance, state.device.half, commands);
    });
}

fn times_ui(ui: &mut Ui, state: &AppState) {
    let performance = &state.performance;
    let last = performance.last();
    let time = |of: fn(&Timings) -> Duration| match &last {
        Some(timings) => format!("{:8.2} ms", milliseconds(of(timings))),
        None => format!("{:>8}   ", "\u{2013}"),
    };
    let fps = match &last {
        Some(_) => format!("{:8.1}   ", performance.fps(Instant::now())),
        None => format!("{:>8}   ", "\u{2013}"),
    };
    Grid::new("times").num_columns(4).spacing(vec2(10.0, 2.0)).show(ui, |ui| {
        let entry = |ui: &mut Ui, name: &str, value: String, tooltip: &str| {
            ui.add(Label::new(RichText::new(name).weak()).selectable(false)).on_hover_text(tooltip);
            ui.add(Label::new(RichText::new(value).font(figures())).selectable(false)).on_hover_text(tooltip);
        };
        entry(ui, "map", time(|t| t.map), "Seeds to w, on the CPU");
        entry(ui, "affine", time(|t| t.affine), "w to the styles of all layers, on the CPU");
        ui.end_row();
        let synthesis = "Styles to the image. On a GPU the time to record and submit: nothing waits for it to end.";
        entry(ui, "synthesis", time(|t| t.synthesis), synthesis);
        entry(ui, "present", time(|t| t.present), "Image to texture");
        ui.end_row();
        entry(ui, "total", time(|t| t.total), "From the request to the finished texture");
        entry(ui, "FPS", fps, "Images a second over the last second");
        ui.end_row();
    });
    let device = &state.device;
    ui.horizontal(|ui| {
        ui.add(Label::new(RichText::new("device").weak()).selectable(false));
        let same = device.name == device.kind;
        let text = if same { device.name.clone() } else { format!("{} ({})", device.name, device.kind) };
        ui.add(Label::new(&text).truncate().selectable(false)).on_hover_text(text);
    });
    ui.horizontal(|ui| {
        ui.add(Label::new(RichText::new("read back").weak()).selectable(false)).on_hover_text(READ_BACK);
        let bytes = format!("{} bytes", performance.bytes_read_back);
        ui.add(Label::new(RichText::new(bytes).font(figures())).selectable(false)).on_hover_text(READ_BACK);
    });
}

fn limits_ui(ui: &mut Ui, performance: &Performance, can_half: bool, commands: &CommandSender) {
    let default = Performance::default();
    let limits = f64::from(*Performance::FPS_LIMITS.start())..=f64::from(*Performance::FPS_LIMITS.end());
    let row = Row::new("FPS limit", "Image rate limit", LIMIT).changed(performance.fps_limit != default.fps_limit);
    let output =
        row.show(ui, |ui| Number::new("Image rate limit", performance.fps_limit.into(), limits).integer().show(ui));
    let limit = output.change.map(|change| change.value as u32).or(output.reset.then_some(default.fps_limit));
    if let Some(limit) = limit {
        commands.send(Command::FpsLimit(limit));
    }
    if default.threads > 1 {
        let row =
            Row::new("Processors", "Processors that compute", THREADS).changed(performance.threads != default.threads);
        let (threads, limits) = (f64::from(performance.threads), 1.0..=f64::from(default.threads));
        let output = row.show(ui, |ui| Number::new("Processors that compute", threads, limits).integer().show(ui));
        let limit = output.change.map(|change| change.value as u32).or(output.reset.then_some(default.threads));
        if let Some(limit) = limit {
            commands.send(Command::ThreadLimit(limit));
        }
    }
    let row = Row::new("Vsync", "Vertical sync", VSYNC).changed(performance.vsync != default.vsync);
    let output = row.show(ui, |ui| toggle_ui(ui, "", "Vertical sync", performance.vsync));
    if let Some(on) = output.change.map(|change| change.value).or(output.reset.then_some(default.vsync)) {
        commands.send(Command::Vsync(on));
    }
    if can_half {
        let row = Row::new("16-bit maps", "16-bit feature maps", HALF).changed(performance.half != default.half);
        let output = row.show(ui, |ui| toggle_ui(ui, "", "16-bit feature maps", performance.half));
        if let Some(on) = output.change.map(|change| change.value).or(output.reset.then_some(default.half)) {
            commands.send(Command::Half(on));
        }
    }
}

fn milliseconds(duration: Duration) -> f32 {
    1000.0 * duration.as_secs_f32()
}
