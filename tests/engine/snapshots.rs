//! Snapshots of a training in the engine: they take each other's place while the pose stays, are seen in pairs, and become an
//! animation.

use std::{fs, io::BufReader, path::Path};

use stylescope::{
    checkpoint::{SnapshotFile, run_snapshots},
    engine::{Against, OpenTicket, PairView, Snapshot, SnapshotRequest, Sweep, export::ExportModel},
    model::state_dict::StateDict,
    training::session::EmaSnapshot,
};

use super::*;

/// Images at the snapshots of [`run`].
const MARKS: [u64; 4] = [0, 500, 1000, 4000];

fn tiny_config() -> GeneratorConfig {
    config_of(16)
}

fn config_of(resolution: usize) -> GeneratorConfig {
    let mut config = small_config();
    if let GeneratorConfig::StyleGan2(config) = &mut config {
        config.resolution = resolution;
        config.channels = ChannelTable::from_base(128, 8, resolution);
    }
    config
}

fn weights(seed: u64) -> StateDict {
    weights_of(tiny_config(), seed)
}

fn weights_of(config: GeneratorConfig, seed: u64) -> StateDict {
    let mut weights = Generator::init(config, seed, &Placement::cpu()).unwrap().state_dict().unwrap();
    // Untrained networks have no noise, and strengths that differ are what snapshots have.
    let names = weights.0.iter_mut().filter(|(name, _)| name.ends_with("noise_strength"));
    names.for_each(|(_, tensor)| tensor.data.fill(0.1 + 0.01 * seed as f32));
    weights
}

/// The folder of a run with snapshots of different weights.
fn run(folder: &Path) -> Vec<SnapshotFile> {
    fs::create_dir(folder.join("snapshots")).unwrap();
    for nimg in MARKS {
        let path = folder.join(format!("snapshots/{nimg:09}.safetensors"));
        checkpoint::save_safetensors(&path, &tiny_config(), &weights(1 + nimg / 500), &[]).unwrap();
    }
    let snapshots = run_snapshots(folder).unwrap();
    assert_eq!(snapshots.iter().map(|file| file.nimg).collect::<Vec<_>>(), MARKS);
    snapshots
}

/// A pose with edits of every kind.
fn pinned() -> Pose {
    walk().into_iter().rfind(|(name, _)| *name == "another noise seed").unwrap().1
}

/// What a render without any cache shows of a file.
fn cold(path: &Path, pose: &Pose) -> Vec<u8> {
    render_picture(&model_of_file(path), pose).unwrap().0
}

impl Session {
    fn ready(&mut self, wanted: OpenTicket) -> (Arc<ModelSummary>, Option<Arc<ModelSummary>>) {
        self.event(|event| match event {
            EngineEvent::SnapshotsReady { ticket, shown, against } if *ticket == wanted => {
                Some((Arc::clone(shown), against.clone()))
            }
            EngineEvent::SnapshotFailed { message, .. } => panic!("{message}"),
            _ => None,
        })
    }

    fn travel(&mut self, shown: Snapshot, against: Option<Snapshot>) -> (Arc<ModelSummary>, Option<Arc<ModelSummary>>) {
        let ticket = self.engine.show_snapshots(SnapshotRequest { shown, against });
        self.ready(ticket)
    }

    fn exported(&mut self) -> Result<PathBuf, String> {
        self.event(|event| match event {
            EngineEvent::Exported(path) => Some(Ok(path.clone())),
            EngineEvent::ExportFailed { message, .. } => Some(Err(message.clone())),
            _ => None,
        })
    }
}

#[test]
fn a_pose_at_every_snapshot_is_the_cold_render_of_its_file() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let folder = tempfile::tempdir().unwrap();
    let snapshots = run(folder.path());
    let pose = pinned();
    let mut seen = Vec::new();
    // Forth and back: on the way back the networks are there already.
    for file in snapshots.iter().chain(snapshots.iter().rev()) {
        let (shown, against) = session.travel(Snapshot::File(file.clone()), None);
        assert_eq!((shown.nimg, shown.path.as_ref(), against.is_none()), (Some(file.nimg), Some(&file.path), true));
        assert_eq!(Some(shown.name.as_str()), folder.path().file_name().and_then(|name| name.to_str()));
        let stamp = session.engine.request(request(&shown, &pose));
        let frame = session.frame(stamp);
        assert_eq!(frame.model, shown.id);
        let texture = session.texture(&frame);
        assert_eq!(texture, cold(&file.path, &pose), "after {} images", file.nimg);
        seen.push((shown.id, texture));
    }
    let (there, back) = seen.split_at(MARKS.len());
    assert!(there.iter().eq(back.iter().rev()), "networks are kept, with their numbers");
    assert!(there.windows(2).all(|pair| pair[0].1 != pair[1].1), "the snapshots differ");
}

#[test]
fn a_model_is_replaced_while_the_old_one_is_shown() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let folder = tempfile::tempdir().unwrap();
    let snapshots = run(folder.path());
    let pose = pinned();
    let (first, _) = session.travel(Snapshot::File(snapshots[0].clone()), None);
    let stamp = session.engine.request(request(&first, &pose));
    let before = session.frame(stamp);
    let live = |seed: u64, nimg| {
        let ema = EmaSnapshot { nimg, config: tiny_config(), weights: weights(seed) };
        Snapshot::Live { run: folder.path().to_owned(), ema: Arc::new(ema) }
    };
    let (second, _) = session.travel(live(30, 12_345), None);
    assert_eq!((second.nimg, second.path.as_deref()), (Some(12_345), Some(folder.path())));
    assert!(second.has_layers_of(&first));
    // The window still asks for the old one, e.g. because a control moved.
    let stamp = session.engine.request(request(&first, &Pose::default()));
    assert!(session.frame(stamp).image.is_ok());
    assert_eq!(session.texture(&before), cold(&snapshots[0].path, &pose), "what is shown is not written over");
    // An image and a file that were asked for just before are of the old model.
    let saved = folder.path().join("saved.png");
    session.engine.save_image(SaveImage { request: request(&first, &pose), target: SaveTarget::Path(saved.clone()) });
    let (format, precision) = (checkpoint::ExportFormat::Stylescope, checkpoint::Precision::F32);
    let exported = folder.path().join("exported.safetensors");
    session.engine.export(ExportModel { model: first.id, format, precision, path: exported.clone() });
    let stamp = session.engine.request(request(&second, &pose));
    let frame = session.frame(stamp);
    let twin = folder.path().join("twin.safetensors");
    checkpoint::save_safetensors(&twin, &tiny_config(), &weights(30), &[]).unwrap();
    assert_eq!(session.texture(&frame), cold(&twin, &pose));
    let stamp = session.engine.request(request(&first, &pose));
    assert_eq!(**session.frame(stamp).image.as_ref().unwrap_err(), RenderError::NotOpen(first.id), "it was let go");
    assert_eq!(session.exported(), Ok(exported.clone()));
    assert_eq!(cold(&exported, &pose), cold(&snapshots[0].path, &pose));
    session.event(|event| matches!(event, EngineEvent::Saved(_)).then_some(()));
    assert_eq!(image::open(&saved).unwrap().to_rgba8().into_raw(), cold(&snapshots[0].path, &pose));
    // Its statistics come when there is time for them.
    let measured = session.event(|event| match event {
        EngineEvent::Statistics { model, statistics } if *model == second.id => Some(Arc::clone(statistics)),
        _ => None,
    });
    assert_eq!(measured.w_std.len(), second.config.w_dim());
}

#[test]
fn of_many_requests_the_newest_is_answered() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let folder = tempfile::tempdir().unwrap();
    let snapshots = run(folder.path());
    let mut last = OpenTicket(0);
    for index in 0..41 {
        let shown = Snapshot::File(snapshots[index % snapshots.len()].clone());
        last = session.engine.show_snapshots(SnapshotRequest { shown, against: None });
    }
    let (shown, _) = session.ready(last);
    assert_eq!(shown.nimg, Some(MARKS[0]));
    let stamp = session.engine.request(request(&shown, &Pose::default()));
    assert_eq!(session.texture(&session.frame(stamp)), cold(&snapshots[0].path, &Pose::default()));
}

#[test]
fn a_damaged_snapshot_is_told_and_the_others_go_on() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut snapshots = run(folder.path());
    fs::write(&snapshots[1].path, b"no model").unwrap();
    snapshots[2].path = folder.path().join("snapshots/gone.safetensors");
    for (index, named) in [(1, "000000500"), (2, "gone")] {
        let shown = Snapshot::File(snapshots[index].clone());
        let wanted = session.engine.show_snapshots(SnapshotRequest { shown, against: None });
        let message = session.event(|event| match event {
            EngineEvent::SnapshotFailed { ticket, message } if *ticket == wanted => Some(message.clone()),
            _ => None,
        });
        assert!(message.contains(named), "{message}");
    }
    session.events.clear();
    let (shown, _) = session.travel(Snapshot::File(snapshots[3].clone()), None);
    let stamp = session.engine.request(request(&shown, &Pose::default()));
    assert_eq!(session.texture(&session.frame(stamp)), cold(&snapshots[3].path, &Pose::default()));
    // A file that was mended is read again, whatever was kept.
    fs::copy(&snapshots[3].path, &snapshots[1].path).unwrap();
    let (mended, _) = session.travel(Snapshot::File(snapshots[1].clone()), None);
    assert_eq!(mended.nimg, Some(MARKS[1]));
}

/// The pairs of a few requests on one device: how far the bytes are from those of two cold renders.
fn compare_pairs(kind: ComputeKind) -> Option<(u8, u64)> {
    let mut session = Session::start(kind)?;
    let folder = tempfile::tempdir().unwrap();
    let snapshots = run(folder.path());
    // The network was smaller in the beginning.
    checkpoint::save_safetensors(&snapshots[0].path, &config_of(8), &weights_of(config_of(8), 1), &[]).unwrap();
    let views = [PairView::SideBySide, PairView::Difference { gain: 1 }, PairView::Difference { gain: 16 }];
    let (mut largest, mut read_back) = (0, 0);
    // Another left side, another right side, and both in each other's place.
    for (left, right) in [(0, 1), (0, 2), (3, 2), (2, 3), (2, 2), (2, 0)] {
        let file = |index: usize| Snapshot::File(snapshots[index].clone());
        let (shown, against) = session.travel(file(right), Some(file(left)));
        let against = against.unwrap();
        for (view, pose) in views.into_iter().zip([Pose::default(), pinned(), pinned()]) {
            let against = Some(Against { model: against.id, view });
            let stamp = session.engine.request(RenderRequest { against, ..request(&shown, &pose) });
            let frame = session.frame(stamp);
            assert_eq!(frame.image.as_ref().unwrap().size, view.size([16, 16]));
            assert!(frame.pair && frame.preview.is_none());
            let render = |index: usize| cold(&snapshots[index].path, &pose);
            let size = |index: usize| if index == 0 { [8, 8] } else { [16, 16] };
            let expected = view.combine((&render(left), size(left)), (&render(right), size(right)));
            let texture = session.texture(&frame);
            assert_eq!(texture.len(), expected.len());
            // A level more or less in an image is `gain` levels in a difference.
            let gain = if let PairView::Difference { gain } = view { 2 * gain } else { 1 };
            let distance = texture.iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            largest = largest.max(distance.div_ceil(gain));
            read_back = frame.bytes_read_back;
        }
    }
    Some((largest, read_back))
}

#[test]
fn two_snapshots_are_seen_together() {
    assert!(matches!(compare_pairs(ComputeKind::Cpu), None | Some((0, 0))));
}

#[test]
fn two_snapshots_on_a_gpu_device_are_seen_without_reading_back() {
    let Some((largest, read_back)) = compare_pairs(ComputeKind::Software) else { return };
    assert!(largest <= 1, "{largest} levels between the devices");
    assert_eq!(read_back, 0);
}

/// Every frame of an animation as RGBA.
fn frames(path: &Path) -> Vec<Vec<u8>> {
    let file = BufReader::new(fs::File::open(path).unwrap());
    let mut reader = ::png::Decoder::new(file).read_info().unwrap();
    let count = reader.info().animation_control().unwrap().num_frames;
    let mut frames = Vec::new();
    for _ in 0..count {
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        assert_eq!(info.color_type, ::png::ColorType::Rgb);
        bytes.truncate(info.buffer_size());
        frames.push(bytes.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect());
    }
    frames
}

#[test]
fn a_run_becomes_an_animation_of_the_pose() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let folder = tempfile::tempdir().unwrap();
    let snapshots = run(folder.path());
    let path = folder.path().join("sweep.png");
    let sweep = Sweep {
        snapshots: snapshots.clone(),
        pose: pinned(),
        between: 0,
        frame_time: Duration::from_millis(100),
        name: "run".to_owned(),
        path: path.clone(),
    };
    let plain: Vec<Vec<u8>> = snapshots.iter().map(|file| cold(&file.path, &pinned())).collect();
    session.engine.export_sweep(sweep.clone());
    assert_eq!(session.exported(), Ok(path.clone()));
    assert_eq!(frames(&path), plain);
    assert_eq!(png::read_pose_file(&path).unwrap().pose, pinned());
    let counted = |event: &EngineEvent| matches!(event, EngineEvent::ExportProgress { done, total } if done <= total && *total == 4);
    assert!(session.events.iter().any(counted), "{:?}", session.events);

    // With frames in between, those of the snapshots are the same.
    session.events.clear();
    let smooth = Sweep { between: 2, ..sweep.clone() };
    session.engine.export_sweep(smooth.clone());
    assert_eq!(session.exported(), Ok(path.clone()));
    let smoothed = frames(&path);
    assert_eq!(smoothed.len(), 10);
    assert_eq!(smoothed.len(), smooth.frames() as usize);
    assert!(smoothed.iter().step_by(3).eq(&plain));
    assert!(smoothed.windows(2).all(|pair| pair[0] != pair[1]));

    // What goes wrong leaves the older file.
    let before = fs::read(&path).unwrap();
    session.events.clear();
    fs::write(&snapshots[2].path, b"no model").unwrap();
    session.engine.export_sweep(sweep.clone());
    assert!(session.exported().unwrap_err().contains("000001000"));
    session.events.clear();
    session.engine.export_sweep(Sweep { snapshots: Vec::new(), ..sweep });
    assert!(session.exported().unwrap_err().contains("no snapshots"));
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn an_animation_that_is_given_up_is_not_there() {
    let Some(mut session) = Session::start(ComputeKind::Cpu) else { return };
    let folder = tempfile::tempdir().unwrap();
    let snapshots = run(folder.path());
    let out = tempfile::tempdir().unwrap();
    let path = out.path().join("sweep.png");
    // Long enough that it cannot be done before it is given up.
    let snapshots = snapshots.iter().cycle().take(2000).cloned().collect();
    let (pose, frame_time) = (Pose::default(), Duration::from_millis(40));
    session.engine.export_sweep(Sweep {
        snapshots,
        pose,
        between: 0,
        frame_time,
        name: String::new(),
        path: path.clone(),
    });
    session.event(|event| matches!(event, EngineEvent::ExportProgress { .. }).then_some(()));
    session.engine.cancel_export();
    session.event(|event| matches!(event, EngineEvent::ExportCancelled).then_some(()));
    let until = Instant::now() + PATIENCE;
    while fs::read_dir(out.path()).unwrap().count() > 0 {
        assert!(Instant::now() < until, "a file is left");
        std::thread::sleep(Duration::from_millis(5));
    }
}
