//! The program behind the window: one `logic` drains events and applies commands, then `ui` draws.

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use eframe::egui_wgpu::{RenderState, SurfaceConfig};
use egui::{CentralPanel, Context, Frame, Margin, Panel, Ui, ViewportCommand};

use super::{
    background::Background,
    canvas,
    command::{Command, CommandSender},
    dialog, dock, keyboard, menu, panels,
    state::{AppState, DeviceLine},
    status, theme, timeline,
    toast::{self, ToastKind},
    training::{self, TrainingHost},
};
use crate::{
    base::error_chain::error_chain,
    engine::{DisplayDevice, Engine, OpenTicket, RenderRequest, Stamp, handle::EngineError},
    gpu::device::{Compute, ComputeKind},
    session::{
        settings::{SessionModel, WindowSize},
        settings_store::{Loaded, SettingsSaver, SettingsStore},
    },
};

/// A little longer than the time between two looks at the settings.
const SAVE_SOON: Duration = Duration::from_millis(1100);

/// What the window starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// No model.
    Empty,
    /// The model that the program brings along.
    Bundled,
    /// What was open the last time, with its pose; else the bundled model.
    Last,
    /// A file: a model, or a saved picture.
    Path(PathBuf),
}

/// What an [`App`] is made from.
#[derive(Debug)]
pub struct AppOptions {
    /// What computes.
    pub compute: Compute,
    /// What the window starts with.
    pub start: Start,
    /// The settings; `None` starts with the defaults and keeps nothing.
    pub remembered: Option<Remembered>,
}

/// The settings of the last time, and where they are kept.
#[derive(Debug)]
pub struct Remembered {
    /// What was read from there.
    pub loaded: Loaded,
    /// Where they are kept.
    pub store: SettingsStore,
}

/// The whole program behind the window. It needs no window: tests drive [`App::logic`] and [`App::ui`] by themselves.
pub struct App {
    pub(super) state: AppState,
    pub(super) commands: CommandSender,
    pub(super) engine: Option<Engine>,
    pub(super) background: Background,
    pub(super) training: TrainingHost,
    pub(super) travel: timeline::Travel,
    pub(super) render_state: RenderState,
    /// The opening that is under way.
    pub(super) ticket: Option<OpenTicket>,
    context: Arc<OnceLock<Context>>,
    sent: Option<RenderRequest>,
    sent_at: Option<Instant>,
    last_stamp: Stamp,
    pub(super) shown_stamp: Stamp,
    /// The time of the last frame, in egui's seconds.
    last_time: f64,
    compare_key: bool,
    shown: Shown,
    saver: Option<SettingsSaver>,
    /// Whether the opening that is under way is that of the last session.
    pub(super) resuming: bool,
}

/// What was told to the window last.
#[derive(Debug, Default, PartialEq)]
struct Shown {
    title: String,
    theme: Option<egui::ThemePreference>,
    ui_scale: Option<f32>,
}

impl App {
    /// Starts the engine. `render_state` draws the window; where the network runs on a GPU, it has to be that device.
    ///
    /// # Errors
    /// [`EngineError`] if a thread cannot be started or the devices differ.
    pub fn new(options: AppOptions, render_state: RenderState) -> Result<Self, EngineError> {
        let context: Arc<OnceLock<Context>> = Arc::default();
        let wake: Arc<dyn Fn() + Send + Sync> = {
            let context = Arc::clone(&context);
            Arc::new(move || {
                if let Some(context) = context.get() {
                    context.request_repaint();
                }
            })
        };
        let device = device_line(&options.compute);
        let display = DisplayDevice {
            device: render_state.device.clone(),
            queue: render_state.queue.clone(),
            info: render_state.adapter.get_info(),
        };
        let training = TrainingHost::new(options.compute.clone(), Arc::clone(&wake));
        let engine = Engine::start(options.compute, display, Arc::clone(&wake))?;
        let mut app = Self {
            state: AppState::new(device),
            commands: CommandSender::default(),
            engine: Some(engine),
            background: Background::new(wake),
            training,
            travel: timeline::Travel::default(),
            render_state,
            ticket: None,
            context,
            sent: None,
            sent_at: None,
            last_stamp: Stamp::default(),
            shown_stamp: Stamp::default(),
            last_time: 0.0,
            compare_key: false,
            shown: Shown::default(),
            saver: None,
            resuming: false,
        };
        if let Some(remembered) = options.remembered {
            app.remember(remembered);
        }
        app.begin(options.start);
        Ok(app)
    }

    fn remember(&mut self, Remembered { loaded, store }: Remembered) {
        self.state.restore(&loaded.settings);
        if let Some(notice) = loaded.notice {
            self.state.toasts.push(ToastKind::Error, error_chain(&notice));
        }
        match SettingsSaver::start(store, loaded.settings) {
            Ok(saver) => self.saver = Some(saver),
            Err(error) => log::warn!("settings are not kept: {error}"),
        }
    }

    fn begin(&mut self, start: Start) {
        let last = self.state.last_session.clone();
        match (start, last) {
            (Start::Empty, _) => {}
            (Start::Path(path), _) => self.commands.send(Command::OpenPath(path)),
            (Start::Last, Some(last)) => {
                self.state.resume(&last);
                self.resuming = true;
                self.commands.send(match last.model {
                    SessionModel::Bundled => Command::OpenBundled,
                    SessionModel::File(path) => Command::OpenPath(path),
                });
            }
            (Start::Bundled | Start::Last, _) => self.commands.send(Command::OpenBundled),
        }
    }

    /// What the window shows.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// The handle that panels push commands into.
    pub fn commands(&self) -> &CommandSender {
        &self.commands
    }

    /// Whether nothing is under way: no opening, no export, no saving, and the newest request has its frame.
    pub fn is_settled(&self) -> bool {
        self.commands.is_empty()
            && self.state.opening.is_none()
            && self.state.exporting.is_none()
            && self.state.saving.is_empty()
            && self.travel.is_settled()
            && !self.state.pending
    }

    /// Drains what happened in the background, applies what was asked for, and asks the render thread for what is to
    /// be seen now. Nothing here waits.
    pub fn logic(&mut self, ctx: &Context) {
        if self.context.set(ctx.clone()).is_ok() {
            theme::install(ctx);
        }
        let toasts = self.state.toasts.shown().len();
        self.take_input(ctx);
        self.drain(ctx);
        self.update_training(ctx);
        for command in self.commands.take() {
            self.apply(command, ctx);
            // The settings are looked at once a second; what changed last must not wait for the next movement.
            ctx.request_repaint_after(SAVE_SOON);
        }
        self.animate(ctx);
        self.travel(ctx);
        self.request(ctx);
        if let Some(wait) = self.state.toasts.expire(Instant::now()) {
            ctx.request_repaint_after(wait);
        }
        if self.state.toasts.shown().len() != toasts {
            // A box that floats is measured in its first frame and shown in the next.
            ctx.request_repaint();
        }
        self.tell_window(ctx);
        self.save_settings();
    }

    /// Draws the window.
    pub fn ui(&mut self, ui: &mut Ui) {
        let (state, commands) = (&self.state, &self.commands);
        let palette = theme::Palette::of(ui.visuals());
        let bar = Frame::new().fill(palette.panel).inner_margin(Margin::symmetric(8, 3));
        Panel::top("menu bar").frame(bar).show(ui, |ui| menu::menu_ui(ui, state, commands));
        Panel::bottom("status line")
            .frame(bar)
            .exact_size(theme::ROW_HEIGHT + 6.0)
            .show(ui, |ui| status::status_ui(ui, state));

        dock::dock_ui(ui, state, commands);
        let side = Frame::new().fill(palette.panel).inner_margin(Margin::same(theme::PANEL_MARGIN as i8));
        // However narrow the window, the image keeps the larger part.
        let widest = (0.36 * ui.available_width()).min(theme::PANEL_MAX_WIDTH);
        if state.left_panel {
            side_panel(Panel::left("left panel"), side, theme::LEFT_MIN_WIDTH, widest)
                .show(ui, |ui| panels::left_ui(ui, state, commands));
        }
        if state.right_panel {
            side_panel(Panel::right("right panel"), side, theme::RIGHT_MIN_WIDTH, widest)
                .show(ui, |ui| panels::right_ui(ui, state, commands));
        }
        if state.timeline.run.is_some() {
            Panel::bottom("timeline").frame(bar).show(ui, |ui| timeline::strip_ui(ui, state, commands));
        }
        let canvas = CentralPanel::no_frame().show(ui, |ui| canvas::canvas_ui(ui, state, commands));
        dialog::dialog_ui(ui.ctx(), state, commands);
        training::closing::closing_ui(ui.ctx(), state, commands);
        toast::toasts_ui(ui.ctx(), state, commands);
        if !self.commands.is_empty() {
            ui.ctx().request_repaint();
        }
        self.state.measured = canvas.inner;
    }

    fn take_input(&mut self, ctx: &Context) {
        for command in keyboard::commands(ctx, &self.state) {
            self.commands.send(command);
        }
        let held = keyboard::compare_is_held(ctx, &self.state);
        if held != self.compare_key {
            self.compare_key = held;
            self.commands.send(Command::Compare(held));
        }
        let dropped = ctx.input(|input| input.raw.dropped_files.clone());
        // One window shows one model: of several files the last one counts.
        if let Some(path) = dropped.last().map(|file| file.path()) {
            self.commands.send(Command::OpenPath(path.to_path_buf()));
        }
        self.state.window = window_size(ctx).or(self.state.window);
        // egui changes the scale by itself with Ctrl and + or -.
        if self.shown.ui_scale.is_some_and(|told| told != ctx.zoom_factor()) {
            self.shown.ui_scale = Some(ctx.zoom_factor());
            self.state.ui_scale = ctx.zoom_factor();
        }
    }

    fn animate(&mut self, ctx: &Context) {
        let time = ctx.input(|input| input.time);
        let dt = (time - self.last_time) as f32;
        self.last_time = time;
        if !self.state.animation.runs() || self.state.model.is_none() {
            return;
        }
        for edit in self.state.animation.edits(self.state.document.pose(), dt) {
            self.state.document.drift(&edit);
        }
        ctx.request_repaint_after(self.shortest_wait());
    }

    /// Asks for the image of the state as it is, if that was not asked for before; not more often than the limit.
    fn request(&mut self, ctx: &Context) {
        let Some((engine, model)) = self.engine.as_ref().zip(self.state.model.as_ref()) else { return };
        let inspect = Some(self.state.selected_layer).filter(|layer| *layer < model.layers.len());
        let against = self.state.timeline.compared();
        let request = RenderRequest { model: model.id, pose: self.state.shown_pose(), inspect, against };
        if self.sent.as_ref() != Some(&request) {
            let since = self.sent_at.map_or(Duration::MAX, |at| at.elapsed());
            let wait = self.shortest_wait().saturating_sub(since);
            self.state.pending = true;
            if !wait.is_zero() {
                ctx.request_repaint_after(wait);
                return;
            }
            engine.limit_threads(self.state.performance.threads as usize);
            // What moves by itself has no hand to keep up with: there every image is shown whole.
            let by_hand = !self.state.animation.runs();
            self.last_stamp = match by_hand {
                true => engine.request_with_previews(request.clone()),
                false => engine.request(request.clone()),
            };
            self.sent = Some(request);
            self.sent_at = Some(Instant::now());
        }
        self.state.pending = self.shown_stamp < self.last_stamp;
    }

    fn shortest_wait(&self) -> Duration {
        Duration::from_secs_f64(1.0 / f64::from(self.state.performance.fps_limit.max(1)))
    }

    fn tell_window(&mut self, ctx: &Context) {
        let title = match &self.state.model {
            Some(model) => format!("{} \u{2013} Stylescope", model.name),
            None => "Stylescope".to_owned(),
        };
        if self.shown.title != title {
            ctx.send_viewport_cmd(ViewportCommand::Title(title.clone()));
            self.shown.title = title;
        }
        if self.shown.theme != Some(self.state.theme) {
            ctx.set_theme(self.state.theme);
            // This frame took its style before.
            ctx.request_repaint();
            self.shown.theme = Some(self.state.theme);
        }
        if self.shown.ui_scale != Some(self.state.ui_scale) {
            ctx.set_zoom_factor(self.state.ui_scale);
            self.shown.ui_scale = Some(self.state.ui_scale);
        }
    }
}

impl App {
    fn save_settings(&mut self) {
        let (state, saver) = (&mut self.state, &mut self.saver);
        let failure = saver.as_mut().and_then(|saver| saver.tick(Instant::now(), || state.settings()));
        if let Some(error) = failure {
            state.toasts.push(ToastKind::Error, error_chain(&error));
        }
    }
}

impl eframe::App for App {
    fn logic(&mut self, ctx: &Context, frame: &mut eframe::Frame) {
        self.logic(ctx);
        let mut surface = SurfaceConfig::LOW_LATENCY;
        if !self.state.performance.vsync {
            surface.present_mode = wgpu::PresentMode::AutoNoVsync;
        }
        if frame.wgpu_surface_config() != Some(surface) {
            frame.set_wgpu_surface_config(surface);
        }
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        self.ui(ui);
    }

    fn on_exit(&mut self) {
        let settings = self.state.settings();
        if let Some(Err(error)) = self.saver.take().map(|saver| saver.finish(&settings)) {
            log::error!("{}", error_chain(&error));
        }
        if let Some(engine) = self.engine.take() {
            engine.shutdown();
        }
    }
}

/// The window's size as it is asked for at the start, where text and controls are not scaled yet.
fn window_size(ctx: &Context) -> Option<WindowSize> {
    let (rect, maximized) = ctx.input(|input| (input.viewport().inner_rect, input.viewport().maximized));
    let size = rect?.size() * ctx.zoom_factor();
    Some(WindowSize { width: size.x.round(), height: size.y.round(), maximized: maximized.unwrap_or(false) })
}

fn side_panel(panel: Panel, frame: Frame, narrowest: f32, widest: f32) -> Panel {
    let widest = widest.max(narrowest);
    panel.frame(frame).resizable(true).default_size(theme::PANEL_WIDTH.min(widest)).size_range(narrowest..=widest)
}

fn device_line(compute: &Compute) -> DeviceLine {
    let kind = match compute.kind {
        ComputeKind::Gpu => "GPU",
        ComputeKind::Cpu => "CPU",
        ComputeKind::Software => "software",
    };
    DeviceLine { name: compute.name.clone(), kind, half: compute.has_half() }
}
