//! How the window answers while a training runs beside it: the real program in a real window, in which a hand drags a slider without
//! letting go, first alone, then during a training of portraits at 64 pixels on the CPU whose charts are in sight.
//!
//!     xvfb-run -s "-screen 0 1280x1000x24" cargo bench --profile dev --bench window -- --seconds 60
//!
//! The hand is xdotool, so that its moves come through the window system as any others. Measured are, for every frame, the time of
//! `App::logic` and `App::ui`; the time from one frame to the next, which holds painting too; and for every move of the hand the time
//! until the frame that answers it was put together.

use std::{
    collections::HashMap,
    io::Write,
    process::{Child, Command as Process, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use eframe::{Frame, NativeOptions, Renderer};
use egui::{Context, Event, FullOutput, Plugin, RawInput, Rect, Ui, ViewportBuilder, ViewportCommand, pos2};
use stylescope::{
    gpu::device::Compute,
    training::preset::Width,
    ui::{
        app::{App, AppOptions, Start},
        command::Command,
        dock::DockTab,
        training::{TrainingCommand, TrainingForm},
    },
};

/// The slider that is dragged: every block of the network runs again for it.
const SLIDER: &str = "Truncation psi";
/// Between two moves of the hand: about as often as a screen shows something.
const STEP: Duration = Duration::from_millis(16);
/// How often it is looked whether something has begun or ended: seldom, because painting takes the processor away from it.
const LOOK: Duration = Duration::from_millis(500);
/// Iterations of the training before the hand begins: kernels are prepared in the first ones.
const WARM_UP: u64 = 4;

fn main() -> eframe::Result {
    let has_xdotool = Process::new("xdotool").arg("version").output().is_ok();
    if std::env::var_os("DISPLAY").is_none() || !has_xdotool {
        println!("passed over: there is no X display or no xdotool");
        return Ok(());
    }
    let seconds = std::env::args().skip_while(|word| word != "--seconds").nth(1);
    let seconds = seconds.and_then(|text| text.parse().ok()).unwrap_or(60);
    let viewport = ViewportBuilder::default().with_title("Stylescope").with_inner_size([1280.0, 1000.0]);
    let native = NativeOptions { viewport, renderer: Renderer::Wgpu, ..NativeOptions::default() };
    let creator = move |context: &eframe::CreationContext<'_>| {
        let render_state = context.wgpu_render_state.clone().ok_or("the window has no graphics device")?;
        println!("painted by {}", render_state.adapter.get_info().name);
        let options = AppOptions { compute: Compute::cpu(), start: Start::Bundled, remembered: None };
        let app = App::new(options, render_state)?;
        app.commands().send(Command::Dock(DockTab::Training));
        Ok(Box::new(Probe::new(app, Duration::from_secs(seconds), &context.egui_ctx)?) as Box<dyn eframe::App>)
    };
    eframe::run_native("Stylescope", native, Box::new(creator))
}

/// What is going on.
enum Stage {
    /// The model is being opened.
    Opening,
    /// The slider is dragged, alone or during a training.
    Dragging { hand: Hand, until: Instant, training: bool },
    /// The training begins.
    Starting,
    /// The training ends, and then the window.
    Ending,
}

/// The program, watched.
struct Probe {
    app: App,
    stage: Stage,
    seconds: Duration,
    record: Record,
    /// Where the slider was found.
    slider: Arc<Mutex<Option<Rect>>>,
    /// When this frame's input was taken, and when its moves had been sent.
    frame: Option<Instant>,
    moves: Vec<Instant>,
    runs: tempfile::TempDir,
}

impl Probe {
    fn new(app: App, seconds: Duration, ctx: &Context) -> std::io::Result<Self> {
        let slider: Arc<Mutex<Option<Rect>>> = Arc::default();
        ctx.enable_accesskit();
        ctx.add_plugin(Finder(Arc::clone(&slider)));
        let runs = tempfile::tempdir()?;
        let (record, moves) = (Record::default(), Vec::new());
        Ok(Self { app, stage: Stage::Opening, seconds, record, slider, frame: None, moves, runs })
    }

    fn drag(&mut self, ctx: &Context, training: bool) {
        let Some(slider) = *lock(&self.slider) else { return };
        // Nobody reads the names of the controls from here on.
        ctx.disable_accesskit();
        self.record = Record::default();
        self.frame = None;
        let window = ctx.input(|input| input.viewport().inner_rect).map_or(pos2(0.0, 0.0), |rect| rect.min);
        let hand = Hand::start(slider.translate(window.to_vec2()), window, ctx.clone());
        self.stage = Stage::Dragging { hand, until: Instant::now() + self.seconds, training };
    }

    fn go_on(&mut self, ctx: &Context) {
        let state = self.app.state();
        let view = state.training.view.as_ref();
        match &self.stage {
            Stage::Opening => {
                ctx.request_repaint_after(LOOK);
                if self.app.is_settled() && state.picture.get().is_some() {
                    self.drag(ctx, false);
                }
            }
            Stage::Dragging { until, training, .. } if Instant::now() >= *until => {
                let title = if *training { "during a training" } else { "alone" };
                self.record.print(title, self.seconds);
                if *training {
                    let view = view.expect("a training");
                    println!("the training did {} iterations, {:?}", view.progress.iteration, view.phase);
                    self.app.commands().send(Command::Training(TrainingCommand::Stop));
                    self.stage = Stage::Ending;
                } else {
                    let runs = Some(self.runs.path().to_path_buf());
                    let form = TrainingForm { resolution: 64, width: Width::Small, runs, ..TrainingForm::default() };
                    for command in [TrainingCommand::Form(Box::new(form)), TrainingCommand::Start] {
                        self.app.commands().send(Command::Training(command));
                    }
                    self.stage = Stage::Starting;
                }
            }
            Stage::Dragging { .. } => {}
            Stage::Starting => {
                ctx.request_repaint_after(LOOK);
                if view.is_some_and(|view| view.progress.iteration >= WARM_UP) {
                    self.drag(ctx, true);
                }
            }
            Stage::Ending => {
                ctx.request_repaint_after(LOOK);
                if view.is_none_or(|view| !view.phase.is_active()) {
                    ctx.send_viewport_cmd(ViewportCommand::Close);
                }
            }
        }
    }
}

impl eframe::App for Probe {
    fn raw_input_hook(&mut self, _: &Context, input: &mut RawInput) {
        let now = Instant::now();
        let Stage::Dragging { hand, .. } = &self.stage else { return };
        if let Some(last) = self.frame.replace(now) {
            self.record.intervals.push(now - last);
        }
        let positions = input.events.iter().filter_map(|event| match event {
            Event::PointerMoved(at) => Some([at.x.round() as i32, at.y.round() as i32]),
            _ => None,
        });
        let sent = lock(&hand.sent);
        self.moves = positions.filter_map(|at| sent.get(&at).copied()).collect();
    }

    fn logic(&mut self, ctx: &Context, frame: &mut Frame) {
        self.go_on(ctx);
        let begin = Instant::now();
        eframe::App::logic(&mut self.app, ctx, frame);
        self.record.frames.push(begin.elapsed());
    }

    fn ui(&mut self, ui: &mut Ui, frame: &mut Frame) {
        let begin = Instant::now();
        eframe::App::ui(&mut self.app, ui, frame);
        let now = Instant::now();
        if let Some(logic) = self.record.frames.last_mut() {
            *logic += now - begin;
        }
        self.record.answers.extend(self.moves.drain(..).map(|sent| now.saturating_duration_since(sent)));
    }

    fn on_exit(&mut self) {
        eframe::App::on_exit(&mut self.app);
    }
}

/// Finds the slider by its name, as assistive technology would.
struct Finder(Arc<Mutex<Option<Rect>>>);

impl Plugin for Finder {
    fn debug_name(&self) -> &'static str {
        "finder"
    }

    fn output_hook(&mut self, _: &Context, output: &mut FullOutput) {
        let Some(update) = &output.platform_output.accesskit_update else { return };
        let slider = update.nodes.iter().find(|(_, node)| node.label() == Some(SLIDER));
        if let Some(bounds) = slider.and_then(|(_, node)| node.bounds()) {
            let [x0, y0, x1, y1] = [bounds.x0, bounds.y0, bounds.x1, bounds.y1].map(|value| value as f32);
            *lock(&self.0) = Some(Rect::from_min_max(pos2(x0, y0), pos2(x1, y1)));
        }
    }
}

/// When the hand was told to be at a place of the window, in pixels.
type Sent = HashMap<[i32; 2], Instant>;

/// A hand that holds the slider and moves it to and fro until it is dropped.
struct Hand {
    sent: Arc<Mutex<Sent>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Hand {
    fn start(slider: Rect, window: egui::Pos2, ctx: Context) -> Self {
        let (sent, stop): (Arc<Mutex<Sent>>, Arc<AtomicBool>) = Default::default();
        let shared = (Arc::clone(&sent), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let (sent, stop) = shared;
            let mut xdotool = Xdotool::start();
            let inner = slider.shrink(4.0);
            xdotool.say(&format!("mousemove {} {}", inner.left() as i32, inner.center().y as i32));
            xdotool.say("mousedown 1");
            let width = inner.width() as i32;
            for step in 0i32.. {
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                // To and fro; the row changes so that no two moves of some seconds are to the same place.
                let along = step % (2 * width);
                let x = inner.left() as i32 + if along < width { along } else { 2 * width - along };
                let y = inner.center().y as i32 + step / width % 9 - 4;
                let in_window = [x - window.x as i32, y - window.y as i32];
                lock(&sent).insert(in_window, Instant::now());
                xdotool.say(&format!("mousemove {x} {y}"));
                std::thread::sleep(STEP);
            }
            xdotool.say("mouseup 1");
            // The window may have gone to sleep.
            ctx.request_repaint();
        });
        Self { sent, stop, thread: Some(thread) }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// xdotool, that does line by line what it is told.
struct Xdotool(Child);

impl Xdotool {
    fn start() -> Self {
        Self(Process::new("xdotool").arg("-").stdin(Stdio::piped()).spawn().expect("xdotool starts"))
    }

    fn say(&mut self, line: &str) {
        let stdin = self.0.stdin.as_mut().expect("it is piped");
        writeln!(stdin, "{line}").expect("xdotool listens");
    }
}

impl Drop for Xdotool {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// What was measured while the slider was dragged.
#[derive(Default)]
struct Record {
    /// `App::logic` and `App::ui`, for each frame.
    frames: Vec<Duration>,
    /// From one frame's input to the next one's.
    intervals: Vec<Duration>,
    /// From each move of the hand to the end of the frame that took it.
    answers: Vec<Duration>,
}

impl Record {
    fn print(&mut self, title: &str, seconds: Duration) {
        println!("\n{title}, {} s", seconds.as_secs());
        println!("{:28} {:>7} {:>8} {:>8} {:>8} {:>8}  ms", "", "number", "p50", "p90", "p99", "max");
        let rows = [
            ("logic and ui of a frame", &mut self.frames),
            ("from frame to frame", &mut self.intervals),
            ("from a move to its frame", &mut self.answers),
        ];
        let mut histograms = Vec::new();
        for (name, times) in rows {
            times.sort();
            let at = |share: f64| {
                let index = (share * times.len().saturating_sub(1) as f64).round() as usize;
                times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
            };
            let [p50, p90, p99, most] = [0.5, 0.9, 0.99, 1.0].map(at);
            println!("{name:28} {:>7} {p50:>8.2} {p90:>8.2} {p99:>8.2} {most:>8.2}", times.len());
            histograms.push(histogram(times));
        }
        println!("\n{:>12} {:>14} {:>14} {:>14}", "at most, ms", "logic and ui", "frame to frame", "move to frame");
        for (i, bound) in BOUNDS.iter().map(|bound| bound.to_string()).chain(["more".to_owned()]).enumerate() {
            println!("{bound:>12} {:>14} {:>14} {:>14}", histograms[0][i], histograms[1][i], histograms[2][i]);
        }
    }
}

/// Upper ends of the histogram's bins, in milliseconds.
const BOUNDS: [u64; 11] = [1, 2, 4, 8, 16, 33, 50, 100, 200, 400, 800];

fn histogram(times: &[Duration]) -> [usize; BOUNDS.len() + 1] {
    let mut counts = [0; BOUNDS.len() + 1];
    for time in times {
        let bin = BOUNDS.iter().position(|bound| *time <= Duration::from_millis(*bound)).unwrap_or(BOUNDS.len());
        counts[bin] += 1;
    }
    counts
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
