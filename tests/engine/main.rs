//! The engine as the window uses it: requests in, frames and events out.

mod snapshots;
mod tuning;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use stylescope::{
    checkpoint,
    engine::{
        DisplayDevice, Engine, EngineError, EngineEvent, Frame, ModelId, ModelSource, ModelSummary, RenderError,
        RenderRequest, SaveImage, SaveTarget, Stamp, bundled,
        model::{OpenModel, fingerprint},
        pipeline::{Latents, Pipeline, Step},
        save::render_picture,
    },
    gpu::{
        device::{Compute, ComputeKind, DeviceChoice, DeviceError, select},
        readback,
    },
    model::{
        Generator, Placement,
        config::{ChannelTable, GeneratorConfig, StyleGan1Config, StyleGan1Variant},
    },
    session::{
        Pose, png,
        pose::{Noise, NoiseMode, SeedPosition, Truncation},
    },
};

/// Longer than any of these tests takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(400);

/// A small StyleGAN2 of four blocks.
fn small_config() -> GeneratorConfig {
    let mut config = bundled::checkpoint().unwrap().load_generator(0).unwrap().0;
    if let GeneratorConfig::StyleGan2(config) = &mut config {
        (config.resolution, config.z_dim, config.w_dim, config.mapping.hidden_dim) = (32, 16, 16, 16);
        config.mapping.num_layers = 2;
        config.channels = ChannelTable::from_base(256, 16, 32);
    }
    config
}

/// The same size in the other family, with labels and grey images.
fn small_stylegan1() -> GeneratorConfig {
    GeneratorConfig::StyleGan1(StyleGan1Config {
        variant: StyleGan1Variant::Official,
        z_dim: 16,
        label_dim: 3,
        w_dim: 16,
        resolution: 32,
        img_channels: 1,
        mapping: small_config().mapping().clone(),
        channels: small_config().channels().clone(),
        fused_from: 32,
        lod: 0.0,
        features: Default::default(),
    })
}

fn open_model(config: GeneratorConfig, id: u64, placement: &Placement) -> Arc<OpenModel> {
    let generator = Generator::init(config, id, placement).unwrap();
    let summary = ModelSummary {
        id: ModelId(id),
        path: None,
        name: "small".to_owned(),
        nimg: None,
        network: "generator".to_owned(),
        networks: Vec::new(),
        details: Vec::new(),
        notice: None,
        config: generator.config().clone(),
        layers: generator.layers().to_vec(),
    };
    let fingerprint = fingerprint(generator.config(), &generator.state_dict().unwrap());
    Arc::new(OpenModel {
        summary: Arc::new(summary),
        generator,
        fingerprint,
        num_values: 0,
        statistics: OnceLock::new(),
    })
}

/// The values of a pose's image.
fn image(pipeline: &mut Pipeline, pose: &Pose) -> Vec<f32> {
    let latents = pipeline.latents(pose).unwrap();
    let image = pipeline.image(pose, &latents, || false).unwrap().unwrap();
    readback::values(image).unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// One change of every kind, each on top of the ones before.
fn walk() -> Vec<(&'static str, Pose)> {
    let mut pose = Pose::default();
    let mut poses = vec![("default", pose.clone())];
    let mut step = |name, change: &mut dyn FnMut(&mut Pose)| {
        change(&mut pose);
        poses.push((name, pose.clone()));
    };
    step("seed", &mut |pose| pose.seed = SeedPosition { x: 3.0, y: 0.0 });
    step("between seeds", &mut |pose| pose.seed = SeedPosition { x: 3.4, y: 1.7 });
    step("class", &mut |pose| pose.class = 2);
    step("psi", &mut |pose| pose.truncation = Truncation { psi: 0.6, cutoff: Some(4) });
    step("mix", &mut |pose| {
        pose.mix.amounts.insert(5, 0.5);
    });
    step("layer psi", &mut |pose| {
        pose.layer_psi.insert(6, -0.5);
    });
    step("w offset", &mut |pose| {
        pose.w_offsets.entry(2).or_default().insert(3, 1.5);
    });
    step("fine style offset", &mut |pose| {
        pose.style_offsets.entry(7).or_default().insert(1, 2.0);
    });
    step("coarse style offset", &mut |pose| {
        pose.style_offsets.entry(1).or_default().insert(1, 2.0);
    });
    step("style offset taken back", &mut |pose| pose.style_offsets.clear());
    step("noise strength", &mut |pose| pose.noise.strength = 1.5);
    step("layer noise", &mut |pose| {
        pose.layer_noise.insert(6, 3.0);
    });
    step("noise turned", &mut |pose| pose.noise.turn = 0.2);
    step("random noise", &mut |pose| pose.noise = Noise { mode: NoiseMode::Random, seed: 5, ..pose.noise });
    step("random noise, not turned", &mut |pose| pose.noise.turn = 0.0);
    step("another noise seed", &mut |pose| pose.noise.seed = 6);
    step("noise off", &mut |pose| pose.noise.mode = NoiseMode::Off);
    step("back", &mut |pose| *pose = Pose::default());
    poses
}

#[test]
fn a_frame_from_the_caches_is_the_cold_frame_bit_for_bit() {
    for config in [small_config(), small_stylegan1()] {
        let model = open_model(config, 7, &Placement::cpu());
        let mut warm = Pipeline::new(Arc::clone(&model));
        let mut before = Vec::new();
        for (name, pose) in walk() {
            let cached = image(&mut warm, &pose);
            let cold = image(&mut Pipeline::once(Arc::clone(&model)), &pose);
            assert_eq!(bits(&cached), bits(&cold), "{name}: the caches changed the image");
            // The same request again comes from the caches whole.
            assert_eq!(bits(&image(&mut warm, &pose)), bits(&cold), "{name}, again");
            let unconditional = model.generator.config().label_dim() == 0 && name == "class";
            let silent = is_silent(&model, name);
            assert_eq!(bits(&before) == bits(&cold), unconditional || silent, "{name}: whether the image changed");
            before = cold;
        }
    }
}

/// Untrained StyleGAN networks have a noise strength of 0, so noise does not show there.
fn is_silent(model: &OpenModel, change: &str) -> bool {
    let strength: f32 = model.generator.layers().iter().map(|layer| layer.noise_strength.abs()).sum();
    change.contains("noise") && strength == 0.0
}

#[test]
fn a_frame_that_followed_previews_is_the_cold_frame_bit_for_bit() {
    for config in [small_config(), small_stylegan1()] {
        let model = open_model(config, 7, &Placement::cpu());
        let mut warm = Pipeline::new(Arc::clone(&model));
        let mut sides = Vec::new();
        for (name, pose) in walk() {
            let latents = warm.latents(&pose).unwrap();
            let look = |step: Step<'_>| {
                let preview = step.preview()?.expect("both families make images on the way");
                assert_eq!(preview.dims(), [1, model.generator.config().img_channels(), step.side(), step.side()]);
                assert!(readback::values(preview).unwrap().iter().all(|value| value.is_finite()));
                sides.push(step.side());
                Ok(())
            };
            let image_after = warm.image_in_steps(&pose, &latents, |_| false, look).unwrap().unwrap();
            let cold = image(&mut Pipeline::once(Arc::clone(&model)), &pose);
            assert_eq!(bits(&readback::values(image_after).unwrap()), bits(&cold), "{name}: the previews changed it");
        }
        assert_eq!(sides[..3], [4, 8, 16], "the first frame stops after every block but the last");
    }
}

#[test]
fn a_frame_that_was_given_up_leaves_the_next_one_exact() {
    let model = open_model(small_config(), 7, &Placement::cpu());
    let mut warm = Pipeline::new(Arc::clone(&model));
    let poses = walk();
    for (i, (name, pose)) in poses.iter().enumerate() {
        // Give up before block 0, 1, 2, ... of it, then render the next pose to the end.
        let latents: Latents = warm.latents(pose).unwrap();
        let mut left = i % 4;
        let abandoned = warm.image(pose, &latents, || {
            left = left.wrapping_sub(1);
            left == usize::MAX
        });
        // Frames that begin late in the network may be done before they are given up.
        assert!(abandoned.is_ok());
        let (_, next) = &poses[(i + 1) % poses.len()];
        let cold = image(&mut Pipeline::once(Arc::clone(&model)), next);
        assert_eq!(bits(&image(&mut warm, next)), bits(&cold), "after {name} was given up");
    }
}

#[test]
fn only_blocks_from_the_change_on_run_again() {
    let model = open_model(small_config(), 7, &Placement::cpu());
    let layers = model.generator.layers();
    let mut pipeline = Pipeline::new(Arc::clone(&model));
    let mut blocks_run = |pose: &Pose| {
        let latents = pipeline.latents(pose).unwrap();
        let mut run = 0;
        pipeline
            .image(pose, &latents, || {
                run += 1;
                false
            })
            .unwrap()
            .unwrap();
        run
    };
    let mut pose = Pose::default();
    assert_eq!(blocks_run(&pose), 4, "a cold frame runs all");
    assert_eq!(blocks_run(&pose), 0, "nothing changed");
    for (layer, info) in layers.iter().enumerate() {
        pose.style_offsets.entry(layer).or_default().insert(0, 0.5);
        let block = info.resolution.ilog2() as usize - 2;
        assert_eq!(blocks_run(&pose), 4 - block, "{}", info.name);
    }
    let finest = layers.iter().rposition(|layer| layer.noise_index.is_some()).unwrap();
    pose.layer_noise.insert(finest, 2.0);
    assert_eq!(blocks_run(&pose), 1, "noise of the finest layer");
    pose.noise.strength = 0.5;
    assert_eq!(blocks_run(&pose), 4, "noise of all layers");
}

#[test]
fn a_full_turn_of_the_noise_comes_back_and_half_a_turn_does_not() {
    let placement = Placement::cpu();
    let mut weights = Generator::init(small_config(), 7, &placement).unwrap().state_dict().unwrap();
    // Untrained networks have no noise: give every layer some.
    let names: Vec<String> = weights.0.keys().filter(|name| name.ends_with("noise_strength")).cloned().collect();
    assert_eq!(names.len(), 7);
    names.iter().for_each(|name| weights.0.get_mut(name).unwrap().data.fill(0.3));
    let generator = Generator::from_state_dict(small_config(), weights, &placement).unwrap();
    let summary = open_model(small_config(), 7, &placement).summary.clone();
    let model =
        OpenModel { summary, generator, fingerprint: String::new(), num_values: 0, statistics: OnceLock::new() };
    let mut pipeline = Pipeline::new(Arc::new(model));
    for mode in [NoiseMode::Const, NoiseMode::Random] {
        let mut at = |turn: f32| {
            let pose = Pose { noise: Noise { mode, seed: 3, turn, ..Noise::default() }, ..Pose::default() };
            image(&mut pipeline, &pose)
        };
        let start = at(0.0);
        assert_eq!(bits(&at(1.0)), bits(&start));
        assert_eq!(bits(&at(-2.0)), bits(&start));
        let distance = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>() / a.len() as f32;
        let (near, far) = (distance(&at(0.001), &start), distance(&at(0.5), &start));
        assert!(near > 0.0 && near * 50.0 < far, "a small turn is a small change: {near} against {far}");
    }
}

/// An engine with its events and frames at hand.
struct Session {
    engine: Engine,
    display: DisplayDevice,
    woken: Arc<AtomicUsize>,
    events: Vec<EngineEvent>,
}

/// Software Vulkan, or nothing where the machine has none.
fn software() -> Option<Compute> {
    match select(DeviceChoice::Software) {
        Ok(compute) => Some(compute),
        Err(DeviceError::NoSoftware) => {
            eprintln!("skipped: no software Vulkan driver on this machine");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

impl Session {
    /// Software Vulkan draws; `kind` computes.
    fn start(kind: ComputeKind) -> Option<Self> {
        let software = software()?;
        let shared = software.shared.clone().unwrap();
        let display = DisplayDevice { device: shared.device, queue: shared.queue, info: shared.adapter.get_info() };
        let compute = if kind == ComputeKind::Cpu { Compute::cpu() } else { software };
        let woken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&woken);
        let wake = Arc::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        });
        let engine = Engine::start(compute, display.clone(), wake).unwrap();
        Some(Self { engine, display, woken, events: Vec::new() })
    }

    fn event<T>(&mut self, mut wanted: impl FnMut(&EngineEvent) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            self.events.extend(self.engine.poll_events());
            if let Some(found) = self.events.iter().find_map(&mut wanted) {
                return found;
            }
            assert!(Instant::now() < until, "the event never came; these did: {:?}", self.events);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn open_bundled(&mut self) -> Arc<ModelSummary> {
        self.open(ModelSource::Bundled)
    }

    fn open(&mut self, source: ModelSource) -> Arc<ModelSummary> {
        self.engine.open(source);
        self.event(|event| match event {
            EngineEvent::Opened(summary) => Some(Arc::clone(summary)),
            EngineEvent::OpenFailed { message, .. } => panic!("{message}"),
            _ => None,
        })
    }

    /// The frame of `stamp` or a newer one.
    fn frame(&self, stamp: Stamp) -> Frame {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(frame) = self.engine.take_frame().filter(|frame| frame.stamp >= stamp) {
                return frame;
            }
            assert!(Instant::now() < until, "the frame never came");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn texture(&self, frame: &Frame) -> Vec<u8> {
        let image = frame.image.as_ref().unwrap();
        readback::texture_rgba8(&self.display.device, &self.display.queue, &image.texture).unwrap()
    }
}

/// A network of three blocks, so that a software driver has few kernels to compile.
fn tiny_file(folder: &Path) -> PathBuf {
    let mut config = small_config();
    if let GeneratorConfig::StyleGan2(config) = &mut config {
        config.resolution = 16;
        config.channels = ChannelTable::from_base(128, 8, 16);
    }
    let weights = Generator::init(config.clone(), 3, &Placement::cpu()).unwrap().state_dict().unwrap();
    let path = folder.join("tiny.safetensors");
    checkpoint::save_safetensors(&path, &config, &weights, &[]).unwrap();
    path
}

/// The model of a file, on the CPU.
fn model_of_file(path: &Path) -> Arc<OpenModel> {
    let (config, weights) = checkpoint::open(path, &()).unwrap().load_generator(0).unwrap();
    let generator = Generator::from_state_dict(config, weights, &Placement::cpu()).unwrap();
    let summary = open_model(small_config(), 1, &Placement::cpu()).summary.clone();
    Arc::new(OpenModel { summary, generator, fingerprint: String::new(), num_values: 0, statistics: OnceLock::new() })
}

fn request(model: &ModelSummary, pose: &Pose) -> RenderRequest {
    RenderRequest::new(model.id, pose.clone())
}

/// A twin of the bundled model on the CPU.
fn bundled_twin() -> Arc<OpenModel> {
    Arc::new(bundled::open(ModelId(0), &Placement::cpu()).unwrap())
}

#[test]
fn a_session_on_a_gpu_device_reads_nothing_back() {
    let Some(mut session) = Session::start(ComputeKind::Software) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = tiny_file(folder.path());
    let model = session.open(ModelSource::Path(path.clone()));
    let twin = model_of_file(&path);
    let (mut frames, mut differing, mut largest) = (0, 0usize, 0);
    for (name, pose) in walk() {
        let stamp = session.engine.request(request(&model, &pose));
        let frame = session.frame(stamp);
        frames += 1;
        assert_eq!(frame.stamp, stamp);
        assert_eq!(frame.bytes_read_back, 0, "{name}: the frame was read back");
        assert_eq!(frame.image.as_ref().unwrap().size, [16, 16]);
        // This test's own reading happens on its own thread and is counted there.
        let texture = session.texture(&frame);
        let (host, _) = render_picture(&twin, &pose).unwrap();
        assert_eq!(texture.len(), host.len());
        largest = texture.iter().zip(&host).map(|(a, b)| a.abs_diff(*b)).max().unwrap().max(largest);
        differing += texture.iter().zip(&host).filter(|(a, b)| a != b).count();
    }
    eprintln!("{frames} frames against the CPU: {differing} bytes differ, by {largest} at most");
    assert!(largest <= 1, "{largest} levels between the devices");
    assert!(readback::thread_bytes() > 0, "the count counts");
    assert!(session.woken.load(Ordering::Relaxed) >= frames);
    session.engine.shutdown();
}

#[test]
fn the_cpu_backend_shows_the_very_same_bytes_as_a_saved_picture() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let model = session.open_bundled();
    let twin = bundled_twin();
    for (name, pose) in walk().into_iter().step_by(4) {
        let stamp = session.engine.request(request(&model, &pose));
        let frame = session.frame(stamp);
        assert_eq!(frame.bytes_read_back, 0);
        assert!(frame.timings.total >= frame.timings.synthesis);
        assert_eq!(session.texture(&frame), render_picture(&twin, &pose).unwrap().0, "{name}");
    }
}

#[test]
fn a_drag_shows_frames_and_ends_with_the_newest_pose() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let model = session.open_bundled();
    let mut pose = Pose::default();
    let (mut seen, mut stamp) = (Vec::new(), Stamp(0));
    let begin = Instant::now();
    for step in 0..400 {
        pose.seed.x = f64::from(step) * 0.01;
        stamp = session.engine.request(request(&model, &pose));
        seen.extend(session.engine.take_frame().map(|frame| frame.stamp));
        std::thread::sleep(Duration::from_millis(2));
    }
    let took = begin.elapsed();
    let last = session.frame(stamp);
    assert_eq!(last.stamp, stamp, "the newest request is answered");
    assert!(seen.is_sorted(), "frames come in order: {seen:?}");
    // Even where every frame is overtaken, one has to come every 100 ms and a frame's time.
    let least = (took.as_millis() / 1000) as usize;
    assert!(seen.len() > least, "{} frames in {took:?} of dragging", seen.len());
    assert_eq!(session.texture(&last), render_picture(&bundled_twin(), &pose).unwrap().0);
}

/// A network whose image takes far longer than a preview may.
fn slow_file(folder: &Path) -> PathBuf {
    let mut config = small_config();
    if let GeneratorConfig::StyleGan2(config) = &mut config {
        config.resolution = 256;
        config.channels = ChannelTable::from_base(16384, 128, 256);
    }
    let weights = Generator::init(config.clone(), 3, &Placement::cpu()).unwrap().state_dict().unwrap();
    let path = folder.join("slow.safetensors");
    checkpoint::save_safetensors(&path, &config, &weights, &[]).unwrap();
    path
}

#[test]
fn a_slow_model_shows_previews_and_then_the_very_same_image() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = slow_file(folder.path());
    let model = session.open(ModelSource::Path(path.clone()));
    let side = model.config.resolution() as u32;
    let mut previews = Vec::new();
    let mut pose = Pose::default();
    for step in 0..3 {
        pose.seed.x = f64::from(step);
        let stamp = session.engine.request_with_previews(request(&model, &pose));
        let last = loop {
            let frame = session.frame(stamp);
            let Some(preview) = frame.preview else { break frame };
            // Shown as large as the full image: the same shape with fewer pixels.
            assert_eq!(frame.image.as_ref().unwrap().size, [preview; 2]);
            assert!(preview >= 16 && preview < side && side.is_multiple_of(preview), "{preview}");
            previews.push(preview);
        };
        assert_eq!((last.stamp, last.image.as_ref().unwrap().size), (stamp, [side; 2]));
        assert_eq!(session.texture(&last), render_picture(&model_of_file(&path), &pose).unwrap().0, "seed {step}");
    }
    assert!(!previews.is_empty(), "no preview came");
    // Who does not ask for previews gets none.
    pose.seed.x = 9.0;
    let stamp = session.engine.request(request(&model, &pose));
    assert_eq!(session.frame(stamp).preview, None);
}

#[test]
fn the_inspected_layer_comes_with_its_edits() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let model = session.open_bundled();
    let inspect = |session: &Session, pose: &Pose, layer| {
        let stamp = session.engine.request(RenderRequest { inspect: Some(layer), ..request(&model, pose) });
        session.frame(stamp).inspected
    };
    let layer = 3;
    let info = &model.layers[layer];
    let plain = inspect(&session, &Pose::default(), layer).unwrap();
    assert_eq!((plain.layer, plain.style.len(), plain.w.len()), (layer, info.style_dim, model.config.w_dim()));
    let mut pose = Pose::default();
    pose.style_offsets.entry(layer).or_default().insert(4, 1.25);
    let edited = inspect(&session, &pose, layer).unwrap();
    assert_eq!(edited.style[4], plain.style[4] + 1.25);
    assert_eq!(edited.style[5], plain.style[5]);
    pose.w_offsets.entry(info.ws_index).or_default().insert(2, -0.5);
    let moved = inspect(&session, &pose, layer).unwrap();
    assert_eq!(moved.w[2], plain.w[2] - 0.5);
    assert_ne!(moved.style[5], plain.style[5], "w moves the whole style");
    assert_eq!(inspect(&session, &pose, 999), None);
}

#[test]
fn errors_are_frames_and_the_thread_goes_on() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let nobody = RenderRequest::new(ModelId(77), Pose::default());
    let stamp = session.engine.request(nobody);
    let frame = session.frame(stamp);
    assert_eq!(**frame.image.as_ref().unwrap_err(), RenderError::NotOpen(ModelId(77)));
    let model = session.open_bundled();
    let stamp = session.engine.request(request(&model, &Pose::default()));
    assert!(session.frame(stamp).image.is_ok());
}

#[test]
fn statistics_follow_an_opening() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let model = session.open_bundled();
    let (id, statistics) = session.event(|event| match event {
        EngineEvent::Statistics { model, statistics } => Some((*model, Arc::clone(statistics))),
        _ => None,
    });
    assert_eq!(id, model.id);
    assert_eq!(statistics.w_std.len(), model.config.w_dim());
    let lengths: Vec<usize> = statistics.style_std.iter().map(Vec::len).collect();
    let expected: Vec<usize> = model.layers.iter().map(|layer| layer.style_dim).collect();
    assert_eq!(lengths, expected);
    assert!(statistics.w_std.iter().all(|&std| std > 0.0));
    let stamp = session.engine.request(request(&model, &Pose::default()));
    assert_eq!(session.frame(stamp).statistics, Some(statistics));
}

#[test]
fn a_saved_image_carries_its_pose() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let folder = tempfile::tempdir().unwrap();
    let model = session.open_bundled();
    let pose = walk().swap_remove(8).1;
    let dir = folder.path().join("captures");
    for _ in 0..2 {
        let target = SaveTarget::Numbered { dir: dir.clone(), stem: "capture".to_owned() };
        session.engine.save_image(SaveImage { request: request(&model, &pose), target });
    }
    let impossible = SaveTarget::Path(PathBuf::from("/dev/null/a.png"));
    session.engine.save_image(SaveImage { request: request(&model, &pose), target: impossible });
    let message = session.event(|event| match event {
        EngineEvent::SaveFailed { message, .. } => Some(message.clone()),
        _ => None,
    });
    assert!(!message.is_empty());
    let saved: Vec<PathBuf> = session
        .events
        .iter()
        .filter_map(|event| match event {
            EngineEvent::Saved(path) => Some(path.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(saved, [dir.join("capture-0001.png"), dir.join("capture-0002.png")]);
    let record = png::read_pose_file(&saved[0]).unwrap();
    assert_eq!(record.pose, pose);
    assert_eq!(record.model_name, model.name);
    assert!(record.model_fingerprint.is_some());
    let decoded = image::open(&saved[0]).unwrap().to_rgba8();
    assert_eq!(decoded.into_raw(), render_picture(&bundled_twin(), &pose).unwrap().0);
}

#[test]
fn images_that_were_asked_for_are_saved_before_the_end() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let folder = tempfile::tempdir().unwrap();
    let model = session.open_bundled();
    let path = folder.path().join("last.png");
    let target = SaveTarget::Path(path.clone());
    session.engine.save_image(SaveImage { request: request(&model, &Pose::default()), target });
    session.engine.shutdown();
    assert!(path.is_file());
}

#[test]
fn an_opening_that_was_given_up_is_not_told_of() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let first = session.engine.open(ModelSource::Bundled);
    let second = session.engine.open(ModelSource::Bundled);
    assert!(second > first);
    let opened = session.event(|event| match event {
        EngineEvent::Opened(summary) => Some(summary.id),
        _ => None,
    });
    assert_eq!(opened, ModelId(second.0), "only the newest opening counts");
    let third = session.engine.open(ModelSource::Bundled);
    session.engine.cancel_open();
    let cancelled = session.event(|event| match event {
        EngineEvent::OpenCancelled { ticket } => Some(*ticket),
        _ => None,
    });
    assert_eq!(cancelled, third);
    // The model that was open before stays usable.
    let bundled = RenderRequest::new(opened, Pose::default());
    let stamp = session.engine.request(bundled);
    assert!(session.frame(stamp).image.is_ok());
}

#[test]
fn a_file_is_opened_with_progress_and_a_bad_one_leaves_the_model_alone() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = tiny_file(folder.path());
    let model = session.open(ModelSource::Path(path.clone()));
    assert_eq!((model.name.as_str(), model.path.as_ref()), ("tiny", Some(&path)));
    assert_eq!(model.config.resolution(), 16);
    assert!(!model.details.is_empty());
    assert!(
        session.events.iter().any(|event| matches!(event, EngineEvent::OpenProgress { done, total, .. }
            if *total > 0 && done == total)),
        "{:?}",
        session.events
    );
    let bad = folder.path().join("bad.pt");
    std::fs::write(&bad, b"this is no model").unwrap();
    let ticket = session.engine.open(ModelSource::Path(bad.clone()));
    let message = session.event(|event| match event {
        EngineEvent::OpenFailed { ticket: failed, path: Some(path), message } if *failed == ticket && *path == bad => {
            Some(message.clone())
        }
        _ => None,
    });
    assert!(message.contains("bad.pt"), "{message}");
    let stamp = session.engine.request(request(&model, &Pose::default()));
    let frame = session.frame(stamp);
    assert_eq!(session.texture(&frame), render_picture(&model_of_file(&path), &Pose::default()).unwrap().0);
}

#[test]
fn a_new_model_takes_the_place_of_the_old_one() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let folder = tempfile::tempdir().unwrap();
    let first = session.open_bundled();
    session.events.clear();
    let second = session.open(ModelSource::Path(tiny_file(folder.path())));
    let show = |session: &Session, model: &ModelSummary| {
        let stamp = session.engine.request(request(model, &Pose::default()));
        session.frame(stamp).image
    };
    let side = first.config.resolution() as u32;
    assert_eq!(show(&session, &first).unwrap().size, [side; 2], "until the new one is asked for");
    assert_eq!(show(&session, &second).unwrap().size, [16, 16]);
    assert_eq!(*show(&session, &first).unwrap_err(), RenderError::NotOpen(first.id), "the old one was let go");
}

#[test]
fn a_panic_of_the_render_thread_is_told_and_the_thread_goes_on() {
    let Some(Session { engine, display, .. }) = Session::start(ComputeKind::Cpu) else { return };
    engine.shutdown();
    // The first call from the render thread panics; the window's own code runs there.
    let panicked = AtomicUsize::new(0);
    let wake = move || {
        let on_render_thread = std::thread::current().name() == Some("render");
        assert!(!on_render_thread || panicked.fetch_add(1, Ordering::Relaxed) > 0, "the first wake");
    };
    let engine = Engine::start(Compute::cpu(), display.clone(), Arc::new(wake)).unwrap();
    let mut session = Session { engine, display, woken: Arc::default(), events: Vec::new() };
    let nobody = RenderRequest::new(ModelId(77), Pose::default());
    session.engine.request(nobody.clone());
    let (worker, message) = session.event(|event| match event {
        EngineEvent::WorkerRestarted { worker, message } => Some((worker.clone(), message.clone())),
        _ => None,
    });
    assert_eq!((worker.as_str(), message.as_str()), ("render", "the first wake"));
    let stamp = session.engine.request(nobody);
    assert!(session.frame(stamp).image.is_err(), "the thread answers again");
}

/// The counts above only see what goes through `gpu/readback.rs`, so nothing on a frame's way may go around it.
#[test]
fn values_come_back_in_one_place_alone() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![src.join("engine"), src.join("gpu"), src.join("ui")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let calls = ["into_data", "to_data", "into_scalar", "map_async", "read_one"];
            let found: Vec<&str> = calls.into_iter().filter(|call| source.contains(&format!("{call}("))).collect();
            assert_eq!(found.is_empty(), !path.ends_with("gpu/readback.rs"), "{}: {found:?}", path.display());
            files += 1;
        }
    }
    assert!(files > 20);
}

#[test]
fn a_window_on_another_device_is_refused() {
    let Some(compute) = software() else { return };
    let shared = compute.shared.clone().unwrap();
    let descriptor = wgpu::DeviceDescriptor { label: Some("test: another device"), ..Default::default() };
    let (device, queue) = pollster::block_on(shared.adapter.request_device(&descriptor)).unwrap();
    let display = DisplayDevice { device, queue, info: shared.adapter.get_info() };
    let started = Engine::start(compute, display, Arc::new(|| {}));
    assert!(matches!(started.err(), Some(EngineError::DisplayNotShared { .. })));
}
