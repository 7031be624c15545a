//! Time from the move of a slider to the new texture, through the engine's threads, on the CPU backend: to the full image
//! and, in the benches named `first_...`, to whatever is seen first, a preview or the full image.
//!
//!     cargo bench --profile dev --bench slider
//!
//! The texture is uploaded to whatever graphics device the machine has, a software driver included; without any the bench
//! has nothing to say.

use std::{
    path::Path,
    sync::{
        Arc, OnceLock,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use divan::Bencher;
use stylescope::{
    checkpoint,
    engine::{Engine, EngineEvent, Frame, ModelSource, ModelSummary, RenderRequest, Stamp},
    gpu::device::Compute,
    model::{
        Generator, Placement,
        config::{GeneratorConfig, StyleGan1Variant},
    },
    session::Pose,
};
use tempfile::TempPath;

mod common;
use common::{SIZES, config, display, index_of, sizes, stylegan};

const PATIENCE: Duration = Duration::from_secs(120);

fn main() {
    if display().is_none() {
        println!("there is no graphics driver, not even a software one: nothing to measure");
        return;
    }
    divan::main();
}

/// An engine with one of the networks open.
struct Session {
    engine: Engine,
    woken: Receiver<()>,
    model: Arc<ModelSummary>,
}

impl Session {
    fn open(path: &Path) -> Self {
        let (wake, woken): (Sender<()>, _) = channel();
        let wake = std::sync::Mutex::new(wake);
        let wake = move || drop(wake.lock().map(|wake| wake.send(())));
        let display = display().expect("main looked for it");
        let engine = Engine::start(Compute::cpu(), display, Arc::new(wake)).expect("threads can be started");
        engine.open(ModelSource::Path(path.to_owned()));
        loop {
            woken.recv_timeout(PATIENCE).expect("the model is opened");
            for event in engine.poll_events() {
                match event {
                    EngineEvent::Opened(model) => return Self { engine, woken, model },
                    EngineEvent::OpenFailed { message, .. } => panic!("{message}"),
                    _ => {}
                }
            }
        }
    }

    fn request(&self, pose: Pose) -> Stamp {
        self.engine.request_with_previews(RenderRequest::new(self.model.id, pose))
    }

    /// The next frame of `stamp` that `wanted` takes.
    fn frame(&self, stamp: Stamp, wanted: impl Fn(&Frame) -> bool) -> Frame {
        loop {
            if let Some(frame) = self.engine.take_frame().filter(|frame| frame.stamp == stamp) {
                assert!(frame.image.is_ok(), "{:?}", frame.image.err());
                if wanted(&frame) {
                    return frame;
                }
            }
            self.woken.recv_timeout(PATIENCE).expect("a frame comes");
        }
    }

    fn full(&self, pose: Pose) -> Frame {
        self.frame(self.request(pose), |frame| frame.preview.is_none())
    }
}

/// A model file of this size, written once.
fn file(size: usize) -> &'static Path {
    static FILES: [OnceLock<TempPath>; SIZES.len()] = [const { OnceLock::new() }; SIZES.len()];
    let index = index_of(size);
    FILES[index].get_or_init(|| written(config(index)))
}

/// A StyleGAN of 1024 pixels, written once.
fn stylegan_file(variant: StyleGan1Variant) -> &'static Path {
    static FILES: [OnceLock<TempPath>; 2] = [const { OnceLock::new() }; 2];
    FILES[usize::from(variant == StyleGan1Variant::Community)].get_or_init(|| written(stylegan(variant)))
}

fn written(config: GeneratorConfig) -> TempPath {
    let path = tempfile::Builder::new().suffix(".safetensors").tempfile().expect("a temporary file").into_temp_path();
    let generator = Generator::init(config, 0, &Placement::cpu()).expect("a published configuration");
    let weights = generator.state_dict().expect("the CPU can be read");
    checkpoint::save_safetensors(&path, generator.config(), &weights, &[]).expect("the disk has room");
    path
}

/// What a drag waits for.
#[derive(Clone, Copy, PartialEq)]
enum Until {
    First,
    Full,
}

/// Moves `slider` on and waits for each texture.
fn drag(bencher: Bencher, path: &Path, until: Until, slider: impl Fn(&ModelSummary, f32) -> Pose) {
    let session = Session::open(path);
    // The first frame also prepares the kernels.
    session.full(slider(&session.model, 0.0));
    let mut value = 0.0;
    // A frame of which only a preview was waited for.
    let open = std::cell::Cell::new(None);
    bencher
        .with_inputs(|| {
            // The rest of the frame before is not this one's time.
            if let Some(stamp) = open.take() {
                session.frame(stamp, |frame| frame.preview.is_none());
            }
            value += 0.01;
            slider(&session.model, value)
        })
        .bench_local_values(|pose| {
            let stamp = session.request(pose);
            let frame = session.frame(stamp, |frame| until == Until::First || frame.preview.is_none());
            open.set(frame.preview.map(|_| stamp));
            frame
        });
}

fn psi_pose(_: &ModelSummary, value: f32) -> Pose {
    let mut pose = Pose::default();
    pose.truncation.psi = 0.5 + value;
    pose
}

/// Truncation psi: every block is computed again.
#[divan::bench(args = sizes(), sample_count = 15, max_time = 20)]
fn psi(bencher: Bencher, size: usize) {
    drag(bencher, file(size), Until::Full, psi_pose);
}

/// The same, to the first preview.
#[divan::bench(args = sizes(), sample_count = 15, max_time = 20)]
fn first_psi(bencher: Bencher, size: usize) {
    drag(bencher, file(size), Until::First, psi_pose);
}

/// Psi of a StyleGAN of 1024 pixels, the official one and the community port's.
#[divan::bench(args = [StyleGan1Variant::Official, StyleGan1Variant::Community], sample_count = 15, max_time = 20)]
fn stylegan_psi(bencher: Bencher, variant: StyleGan1Variant) {
    drag(bencher, stylegan_file(variant), Until::Full, psi_pose);
}

/// The same, to the first preview.
#[divan::bench(args = [StyleGan1Variant::Official, StyleGan1Variant::Community], sample_count = 15, max_time = 20)]
fn stylegan_first_psi(bencher: Bencher, variant: StyleGan1Variant) {
    drag(bencher, stylegan_file(variant), Until::First, psi_pose);
}

/// One style channel of the finest convolution: all blocks before it are kept.
#[divan::bench(args = sizes(), sample_count = 15, max_time = 20)]
fn finest_style(bencher: Bencher, size: usize) {
    drag(bencher, file(size), Until::Full, |model, value| {
        let finest = model.layers.iter().rposition(|layer| layer.noise_index.is_some()).expect("layers have noise");
        let mut pose = Pose::default();
        pose.style_offsets.insert(finest, [(0, value)].into());
        pose
    });
}
