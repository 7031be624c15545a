//! Layers are timed when a model is opened: here on a software driver, where it has to be asked for.

use stylescope::{
    engine::tuning::{Tuned, Tuning},
    model::config::{ChannelTable, GeneratorConfig},
};

use super::*;

/// A network of three layers with shapes that no other test has.
fn eight_pixels(folder: &Path) -> PathBuf {
    let mut config = small_config();
    if let GeneratorConfig::StyleGan2(config) = &mut config {
        config.resolution = 8;
        config.channels = ChannelTable([(4, 5), (8, 3)].into());
    }
    let weights = Generator::init(config.clone(), 3, &Placement::cpu()).unwrap().state_dict().unwrap();
    let path = folder.join("eight.safetensors");
    checkpoint::save_safetensors(&path, &config, &weights, &[]).unwrap();
    path
}

/// Run by `cargo test --test engine -- --ignored`: a software driver compiles a dozen kernels for it.
#[test]
#[ignore = "a minute or more on a software driver"]
fn opening_tunes_the_layers_and_the_second_time_the_file_knows() {
    let Some(mut session) = Session::start(ComputeKind::Software) else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = eight_pixels(folder.path());
    // By itself, a software driver is not tuned.
    let untuned = session.open(ModelSource::Path(path.clone()));
    let told = |session: &Session| {
        let tuned = session.events.iter().filter_map(|event| match event {
            EngineEvent::TuneProgress { tuned, .. } => Some(*tuned),
            _ => None,
        });
        tuned.collect::<Vec<_>>()
    };
    assert_eq!(told(&session), []);
    let compute = software().unwrap();
    session.engine.set_tuning(Some(Tuning::in_folder(&compute, Some(folder.path()))));
    session.events.clear();
    let model = session.open(ModelSource::Path(path.clone()));
    assert_ne!(model.id, untuned.id);
    assert_eq!(told(&session).last(), Some(&Tuned { done: 3, total: 3 }));
    let text = std::fs::read_to_string(folder.path().join("gpu-kernels.json")).unwrap();
    assert!(text.contains("1x5x4x4 to 3 by 3x3 up"), "{text}");
    // Whatever was chosen gives the image.
    let stamp = session.engine.request(RenderRequest::new(model.id, Pose::default()));
    let frame = session.frame(stamp);
    assert!(frame.image.is_ok(), "{:?}", frame.image);
    session.events.clear();
    session.open(ModelSource::Path(path));
    assert_eq!(told(&session), [], "nothing is left to measure");
}
