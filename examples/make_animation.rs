//! Writes `assets/animation.png`, the README's animation: the window itself, while controls are moved. With a run it ends with
//! a walk through its training.
//!
//!     cargo run --example make_animation -- [--run RUN] [--out FILE.png]
//!
//! It needs a Vulkan driver, a software one will do (Debian: mesa-vulkan-drivers).

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::PathBuf,
};

use egui::vec2;
use image::RgbaImage;
use stylescope::{
    engine::PairView,
    session::{MixPreset, PoseEdit, pose::NoiseMode, pose::SeedPosition},
    ui::{app::Start, command::Command, timeline::TimelineCommand},
};

#[allow(dead_code, reason = "the tests use more of it")]
#[path = "../tests/ui/window.rs"]
mod window;
use window::Window;

/// Size of the window in points, which are pixels here.
const SIZE: egui::Vec2 = vec2(960.0, 600.0);
/// How long a frame is shown, in milliseconds.
const FRAME: u16 = 120;
/// How long the last frame of a scene is.
const REST: u16 = 700;
/// Frames of a movement.
const STEPS: usize = 8;
/// The sections of the panel on the left.
const SECTIONS: [&str; 5] = ["Network & latent", "Truncation", "Style mix", "Noise", "Performance & capture"];

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let (mut run, mut out) = (None, PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/animation.png")));
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--run" => run = Some(PathBuf::from(value)),
            "--out" => out = PathBuf::from(value),
            _ => return Err(format!("{argument} is not known; there are --run and --out").into()),
        }
    }
    let mut film = Film::new();
    film.sliders();
    film.mixing();
    film.noise();
    match run {
        Some(run) => film.training(run)?,
        None => eprintln!("without --run RUN there is no scene of a training"),
    }
    let bytes = film.encode()?;
    BufWriter::new(File::create(&out)?).write_all(&bytes)?;
    println!("{}: {} frames, {} bytes", out.display(), film.frames.len(), bytes.len());
    Ok(())
}

/// The window, and what was seen of it.
struct Film {
    window: Window,
    frames: Vec<(RgbaImage, u16)>,
}

impl Film {
    fn new() -> Self {
        let mut film = Self { window: Window::sized(Start::Bundled, SIZE, 1.0), frames: Vec::new() };
        film.open(&["Network & latent", "Truncation"]);
        film.take(REST);
        film
    }

    /// Opens these sections of the panel and closes the others, so that what is moved is in sight.
    fn open(&mut self, titles: &[&str]) {
        for title in SECTIONS {
            self.send(Command::Section(title.to_owned(), titles.contains(&title)));
        }
        self.window.leave();
    }

    fn send(&mut self, command: Command) {
        self.window.harness.state().commands().send(command);
        self.window.settle();
    }

    fn edit(&mut self, edit: PoseEdit) {
        self.send(Command::Edit(edit, None));
    }

    fn take(&mut self, milliseconds: u16) {
        // A window that cannot be drawn has nothing to show.
        let frame = self.window.harness.render().unwrap_or_else(|error| panic!("the window is not drawn: {error}"));
        self.frames.push((frame, milliseconds));
    }

    /// A control on its way from one value to another, slower at both ends.
    fn moves(&mut self, from: f32, to: f32, edit: impl Fn(f32) -> PoseEdit) {
        for step in 1..=STEPS {
            let t = step as f32 / STEPS as f32;
            let eased = t * t * (3.0 - 2.0 * t);
            self.edit(edit(from + (to - from) * eased));
            self.take(if step == STEPS { REST } else { FRAME });
        }
    }

    fn sliders(&mut self) {
        self.moves(0.0, 2.0, |x| PoseEdit::Seed(SeedPosition { x: f64::from(x), y: 0.0 }));
        self.moves(1.0, 0.0, PoseEdit::Psi);
        self.moves(0.0, 0.8, PoseEdit::Psi);
    }

    fn mixing(&mut self) {
        self.open(&["Network & latent", "Style mix"]);
        let layers = self.window.state().num_ws();
        self.edit(PoseEdit::MixSeed(5));
        for preset in [MixPreset::Coarse, MixPreset::Middle, MixPreset::Fine] {
            self.edit(PoseEdit::MixPreset(preset, layers));
            self.take(REST);
        }
        self.edit(PoseEdit::ResetMix);
        self.take(REST);
    }

    fn noise(&mut self) {
        self.open(&["Network & latent", "Noise"]);
        self.edit(PoseEdit::NoiseMode(NoiseMode::Random));
        self.moves(0.0, 0.5, PoseEdit::NoiseTurn);
        self.moves(1.0, 0.0, PoseEdit::NoiseStrength);
        self.edit(PoseEdit::ResetNoise);
        self.open(&["Network & latent", "Truncation"]);
    }

    fn training(&mut self, run: PathBuf) -> Result<(), Failure> {
        self.send(Command::OpenPath(run));
        if let Some(error) = &self.window.state().error {
            return Err(format!("{}: {}", error.title, error.text).into());
        }
        self.window.wait_until("the run is looked at", |app| !app.state().timeline.snapshots.is_empty());
        let marks = self.window.state().timeline.marks();
        let stride = marks.len().div_ceil(2 * STEPS).max(1);
        let newest = marks.len() - 1;
        for (index, mark) in marks.into_iter().enumerate() {
            if index % stride == 0 || index == newest {
                self.send(Command::Timeline(TimelineCommand::Show(mark)));
                self.take(if index == newest { REST } else { FRAME });
            }
        }
        self.send(Command::Timeline(TimelineCommand::View(Some(PairView::SideBySide))));
        self.take(2 * REST);
        Ok(())
    }

    /// An animated PNG: the first frame whole, of the others what has changed.
    fn encode(&self) -> Result<Vec<u8>, Failure> {
        let (first, _) = self.frames.first().ok_or("there are no frames")?;
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, first.width(), first.height());
        encoder.set_color(png::ColorType::Rgba);
        encoder.set_compression(png::Compression::High);
        encoder.set_animated(self.frames.len() as u32, 0)?;
        encoder.set_blend_op(png::BlendOp::Over)?;
        let mut writer = encoder.write_header()?;
        let mut before: Option<&RgbaImage> = None;
        for (frame, milliseconds) in &self.frames {
            writer.set_frame_delay(*milliseconds, 1000)?;
            let (corner, part) = before.map_or_else(|| ([0, 0], frame.clone()), |before| changed(before, frame));
            // The frame before covers the new one's corner, so the order matters: smaller first, then moved.
            writer.reset_frame_position()?;
            writer.set_frame_dimension(part.width(), part.height())?;
            writer.set_frame_position(corner[0], corner[1])?;
            writer.write_image_data(&part)?;
            before = Some(frame);
        }
        writer.finish()?;
        Ok(bytes)
    }
}

/// The part of `frame` that differs from the one before, transparent where it does not; at least a pixel.
fn changed(before: &RgbaImage, frame: &RgbaImage) -> ([u32; 2], RgbaImage) {
    let differs = |x: u32, y: u32| before.get_pixel(x, y) != frame.get_pixel(x, y);
    let (mut min, mut max) = ([u32::MAX; 2], [0, 0]);
    for (x, y, _) in frame.enumerate_pixels().filter(|(x, y, _)| differs(*x, *y)) {
        (min, max) = ([min[0].min(x), min[1].min(y)], [max[0].max(x), max[1].max(y)]);
    }
    if min[0] == u32::MAX {
        (min, max) = ([0, 0], [0, 0]);
    }
    let part = RgbaImage::from_fn(max[0] - min[0] + 1, max[1] - min[1] + 1, |x, y| {
        let (x, y) = (x + min[0], y + min[1]);
        if differs(x, y) { *frame.get_pixel(x, y) } else { image::Rgba([0; 4]) }
    });
    (min, part)
}
