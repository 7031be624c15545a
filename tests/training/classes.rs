//! Training by class.

use std::{fs, process::Command};

use stylescope::{
    checkpoint,
    model::config::GeneratorConfig,
    training::{
        preset::{Preset, PresetOptions, Width},
        run_folder::read_run,
    },
};

use super::{config, ended, start, train, wait};

#[test]
fn portraits_are_learned_by_their_hair_styles() {
    for preset in [Preset::StyleGan2E, Preset::StyleGanF, Preset::ProGan] {
        let plain = config(preset, 8, 16);
        let options = PresetOptions {
            resolution: 8,
            label_dim: 11,
            width: Width::Tiny,
            channel_max: Some(8),
            batch: 4,
            kimg: plain.kimg,
            dataset: plain.dataset.clone(),
            ..PresetOptions::default()
        };
        let folder = tempfile::tempdir().expect("a folder");
        let session = start(folder.path(), preset.build(&options).expect("a configuration"));
        assert!(wait(&session, ended));
        drop(session);
        let opened = checkpoint::open(folder.path(), &()).expect("a model");
        let (found, _) = opened.load_generator(opened.generator_named(None).expect("a generator")).expect("weights");
        assert_eq!(GeneratorConfig::label_dim(&found), 11, "{}", preset.name());
    }
}

#[test]
fn classes_of_a_folder_are_found_and_missing_ones_are_said() {
    let root = tempfile::tempdir().expect("a folder");
    let (images, run) = (root.path().join("images"), root.path().join("run"));
    let mut draw = Command::new(env!("CARGO_BIN_EXE_stylescope"));
    draw.args(["dataset", "portraits", "--count", "8", "--size", "8", "--out"]).arg(&images);
    assert!(draw.output().expect("a process").status.success());
    let small =
        ["--width", "tiny", "--channel-max", "8", "--resolution", "8", "--batch", "4", "--kimg", "0.016", "--cond"];
    let data = ["--data", images.to_str().expect("a name in UTF-8")];
    let refused = train(&run, &[&small[..], &data[..]].concat()).stderr(std::process::Stdio::piped()).output();
    let refused = refused.expect("a process");
    let text = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(2) && text.contains("--cond") && text.contains("dataset.json"), "{text}");
    let labels: Vec<String> = (0..8).map(|i| format!(r#"["{i:08}.png", {}]"#, i % 3)).collect();
    fs::write(images.join("dataset.json"), format!(r#"{{"labels": [{}]}}"#, labels.join(", "))).expect("written");
    assert!(train(&run, &[&small[..], &data[..]].concat()).status().expect("a process").success());
    assert_eq!(read_run(&run).expect("a run").config.generator.label_dim(), 3);
    // Without the option the labels are not looked at.
    let other = root.path().join("other");
    assert!(train(&other, &[&small[..10], &data[..]].concat()).status().expect("a process").success());
    assert_eq!(read_run(&other).expect("a run").config.generator.label_dim(), 0);
}
