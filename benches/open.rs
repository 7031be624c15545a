//! Opening a large checkpoint through the engine, on the CPU backend: a snapshot with G, D and G_ema of configuration F at 1024
//! pixels, opened in a process of its own.
//!
//!     cargo bench --profile dev --bench open
//!
//! Prints the time to the last byte, from there to the first image that is seen (a preview, with its side) and to the full one;
//! the highest resident memory; and how long a cancelled opening goes on.

use std::{
    cell::Cell,
    path::Path,
    process::Command,
    sync::{Arc, Mutex, mpsc::channel},
    time::{Duration, Instant},
};

use burn::tensor::Device;
use stylescope::{
    checkpoint::{self, Progress},
    engine::{Engine, EngineEvent, ModelSource, RenderRequest},
    gpu::device::Compute,
    model::{Generator, Placement, state_dict::StateDict, trainable::TrainableDiscriminator},
    session::Pose,
    training::preset::{Preset, PresetOptions, Width},
};

mod common;
use common::{config, display};

/// Names the file for the process that opens it.
const OPEN: &str = "STYLESCOPE_BENCH_OPEN";
const PATIENCE: Duration = Duration::from_secs(120);
/// When the user loses patience, after the beginning.
const CANCEL: Duration = Duration::from_millis(30);

fn main() {
    if let Some(path) = std::env::var_os(OPEN) {
        return open(Path::new(&path));
    }
    if display().is_none() {
        println!("there is no graphics driver, not even a software one: nothing to measure");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("snapshot.safetensors");
    snapshot(&path);
    let program = std::env::current_exe().expect("this program has a path");
    for _ in 0..3 {
        let status = Command::new(&program).env(OPEN, &path).status().expect("this program can be started");
        assert!(status.success());
    }
}

/// Writes the networks, as a state dict with a prefix each.
fn snapshot(path: &Path) {
    let mut all = StateDict::default();
    let mut add = |prefix: &str, weights: StateDict| {
        all.0.extend(weights.0.into_iter().map(|(name, array)| (format!("{prefix}{name}"), array)));
    };
    for (prefix, seed) in [("G.", 1), ("G_ema.", 2)] {
        let generator = Generator::init(config(1), seed, &Placement::cpu()).expect("a published configuration");
        add(prefix, generator.state_dict().expect("the CPU can be read"));
    }
    let options = PresetOptions { resolution: 1024, width: Width::Paper, ..PresetOptions::default() };
    let preset = Preset::StyleGan2F.build(&options).expect("a published configuration");
    let device = Device::flex();
    let discriminator = TrainableDiscriminator::new(preset.discriminator, &device).expect("a published configuration");
    let weights = discriminator.init(3, &device).and_then(|params| params.state_dict()).expect("the CPU can be read");
    add("D.", weights);
    checkpoint::save_arrays(path, &Default::default(), &all).expect("the disk has room");
}

/// Opens the file, waits for its images, and opens it once more to cancel that.
fn open(path: &Path) {
    let size = std::fs::metadata(path).expect("the file was written").len();
    let (wake, woken) = channel();
    let wake = Mutex::new(wake);
    let wake = move || drop(wake.lock().map(|wake| wake.send(())));
    let display = display().expect("the first process found it");
    let engine = Engine::start(Compute::cpu(), display, Arc::new(wake)).expect("threads can be started");
    let before = peak();
    let begin = Instant::now();
    engine.open(ModelSource::Path(path.to_owned()));
    let mut last_byte = begin;
    let mut reports = 0;
    let model = 'opened: loop {
        woken.recv_timeout(PATIENCE).expect("the model is opened");
        for event in engine.poll_events() {
            match event {
                EngineEvent::OpenProgress { .. } => {
                    last_byte = Instant::now();
                    reports += 1;
                }
                EngineEvent::Opened(model) => break 'opened model,
                EngineEvent::OpenFailed { message, .. } => panic!("{message}"),
                _ => {}
            }
        }
    };
    let (opened, memory) = (Instant::now(), peak());
    engine.request_with_previews(RenderRequest::new(model.id, Pose::default()));
    let mut first = None;
    loop {
        woken.recv_timeout(PATIENCE).expect("a frame comes");
        let Some(frame) = engine.take_frame() else { continue };
        assert!(frame.image.is_ok(), "{:?}", frame.image.err());
        first = first.or(Some((Instant::now(), frame.preview)));
        if frame.preview.is_none() {
            break;
        }
    }
    let full = Instant::now();
    let (first, side) = first.expect("a frame came");
    let ms = |to: Instant, from: Instant| to.duration_since(from).as_millis();
    println!("{:.0} MB, {reports} reports of progress", size as f64 / 1e6);
    println!("last byte {} ms after the beginning, opened {} ms later", ms(last_byte, begin), ms(opened, last_byte));
    let side = side.map_or("full".into(), |side| format!("{side} pixels"));
    println!(
        "first image ({side}) {} ms after the last byte, the full one {} ms",
        ms(first, last_byte),
        ms(full, last_byte)
    );
    let share = |bytes: u64| bytes as f64 / size as f64;
    println!(
        "peak memory in sizes of the file: {:.2} when opened, {:.2} with both images",
        share(memory),
        share(peak())
    );
    println!("{} MB of it before anything was opened", before / 1_000_000);
    drop(engine);
    cancel(path);
}

/// Stops the reading a little after it began.
fn cancel(path: &Path) {
    let impatient = Impatient { begin: Instant::now(), asked: Cell::new(None) };
    let result = checkpoint::open(path, &impatient).and_then(|file| {
        let index = file.preferred_generator()?;
        file.load_generator_with(index, &impatient).map(|_| ())
    });
    match impatient.asked.get() {
        Some(asked) if result.is_err() => {
            let late = asked.saturating_sub(CANCEL).as_millis();
            println!(
                "cancelled: noticed {late} ms later, ended {} ms later",
                impatient.begin.elapsed().saturating_sub(CANCEL).as_millis()
            );
        }
        _ => println!("cancelled: it was read before that"),
    }
}

struct Impatient {
    begin: Instant,
    /// When the reader first learned of it.
    asked: Cell<Option<Duration>>,
}

impl Progress for Impatient {
    fn advance(&self, _: u64, _: u64) {}

    fn cancelled(&self) -> bool {
        let elapsed = self.begin.elapsed();
        let is_over = elapsed >= CANCEL;
        if is_over && self.asked.get().is_none() {
            self.asked.set(Some(elapsed));
        }
        is_over
    }
}

/// The highest resident memory of this process so far, in bytes; 0 where the system does not tell.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() << 10
}
