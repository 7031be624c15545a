//! Containers and names: what is saved is read back, whatever the file's form, and folders, progress and cancelling.

mod files;

use std::{
    cell::Cell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use files::{plain_safetensors, torch_zip};
use stylescope::{
    checkpoint::{
        Checkpoint, CheckpointError, ExportFormat, Lineage, Precision, Progress, Role, export_with, open, open_bytes,
        read_safetensors, save_safetensors, save_safetensors_as,
    },
    model::{
        config::{GeneratorConfig, StyleGan1Variant},
        state_dict::{HostTensor, StateDict},
    },
};

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

fn best(file: &Checkpoint) -> (GeneratorConfig, StateDict) {
    file.load_generator(file.preferred_generator().unwrap()).unwrap()
}

#[test]
fn saved_files_read_back_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for source in ["pkl/sg3repo_t215.p4.nosrc.pkl", "ros2/gema_latentavg_legacy.pt"] {
        let (config, weights) = best(&open(&fixture(source), &()).unwrap());
        let path = folder.path().join("saved.safetensors");
        save_safetensors(&path, &config, &weights, &[("note".into(), "from a test".into())]).unwrap();
        let file = open(&path, &()).unwrap();
        assert_eq!((file.lineage, best(&file)), (Lineage::Stylescope, (config.clone(), weights.clone())), "{source}");
        assert_eq!(file.notes, ["note: from a test"]);
        assert!(file.details().iter().any(|line| line.contains("StyleGAN2 (skip)")), "{:?}", file.details());
        // The format's own crate reads it as well.
        let bytes = fs::read(&path).unwrap();
        let other = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(other.len(), weights.0.len());
        assert_eq!(other.tensor("mapping.w_avg").unwrap().shape(), weights.0["mapping.w_avg"].shape);

        save_safetensors_as(&path, &config, &weights, &[], Precision::F16).unwrap();
        let (half_config, half) = best(&open(&path, &()).unwrap());
        assert!(fs::metadata(&path).unwrap().len() < bytes.len() as u64 * 6 / 10);
        assert_eq!(half_config, config);
        for (name, array) in &weights.0 {
            for (a, b) in half.0[name].data.iter().zip(&array.data) {
                assert!((a - b).abs() <= b.abs() / 2048.0 + 1e-7, "{name}: {a} for {b}");
            }
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left in the folder");
}

#[test]
fn a_length_that_begins_like_a_pickle_is_still_a_length() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saved.safetensors");
    let (config, weights) = best(&open(&fixture("ros2/gema_latentavg_legacy.pt"), &()).unwrap());
    // Headers are padded to eight bytes, so that one of 32 lengths has this lowest byte.
    let found = (0..64).any(|longer| {
        save_safetensors(&path, &config, &weights, &[("note".into(), "8 bytes ".repeat(longer))]).unwrap();
        fs::read(&path).unwrap()[0] == 0x80
    });
    assert!(found);
    assert_eq!(best(&open(&path, &()).unwrap()), (config, weights));
}

#[test]
fn values_beyond_half_precision_stay_exact() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saved.safetensors");
    let (config, mut weights) = best(&open(&fixture("ros2/gema_latentavg_legacy.pt"), &()).unwrap());
    weights.0.get_mut("mapping.fc0.bias").unwrap().data[0] = 70_001.0;
    save_safetensors_as(&path, &config, &weights, &[], Precision::F16).unwrap();
    let (_, read) = best(&open(&path, &()).unwrap());
    assert_eq!(read.0["mapping.fc0.bias"], weights.0["mapping.fc0.bias"]);
}

#[test]
fn own_files_must_fit_their_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("saved.safetensors");
    let (config, weights) = best(&open(&fixture("ros2/gema_latentavg_legacy.pt"), &()).unwrap());
    let GeneratorConfig::StyleGan2(config) = config else { panic!("{config:?}") };
    let mut other = config.clone();
    other.channels.0.insert(32, 13);
    save_safetensors(&path, &GeneratorConfig::StyleGan2(other), &weights, &[]).unwrap();
    assert!(format!("{:?}", open(&path, &()).unwrap_err()).contains("does not fit the weights"));
    let mut missing = weights.clone();
    missing.0.remove("synthesis.b8.conv0.weight");
    save_safetensors(&path, &GeneratorConfig::StyleGan2(config.clone()), &missing, &[]).unwrap();
    assert!(format!("{:?}", open(&path, &()).unwrap_err()).contains("synthesis.b8.conv0.weight is missing"));
    let mut wrong = weights;
    wrong.0.get_mut("mapping.w_avg").unwrap().data.pop();
    let before = fs::read(&path).unwrap();
    assert!(save_safetensors(&path, &GeneratorConfig::StyleGan2(config), &wrong, &[]).is_err());
    assert_eq!(fs::read(&path).unwrap(), before, "a failed save leaves the file alone");
}

#[test]
fn bare_state_dicts() {
    let official = open(&fixture("pkl/sg3repo_t215.p4.nosrc.pkl"), &()).unwrap();
    let (config, weights) = best(&official);
    let GeneratorConfig::StyleGan2(config) = config else { panic!("{config:?}") };
    let unclamped =
        GeneratorConfig::StyleGan2(stylescope::model::config::StyleGan2Config { conv_clamp: None, ..config });
    let prefixed = |prefix: &str, weights: &StateDict| {
        StateDict(weights.0.iter().map(|(name, array)| (format!("{prefix}{name}"), array.clone())).collect())
    };
    for prefix in ["", "module.", "G_ema."] {
        let weights_in_file = prefixed(prefix, &weights);
        for bytes in [plain_safetensors(&weights_in_file), torch_zip(&[(None, &weights_in_file)])] {
            let file = open_bytes("bare", bytes).unwrap_or_else(|error| panic!("{prefix}: {error:?}"));
            assert_eq!(best(&file), (unclamped.clone(), weights.clone()), "{prefix}");
            assert_eq!(file.lineage, Lineage::OfficialTorch);
            assert!(file.notes.iter().any(|note| note.contains("conv_clamp")), "{:?}", file.notes);
        }
    }
    // Community names, and several networks in one file.
    let community = open(&fixture("ros2/gema_latentavg_legacy.pt"), &()).unwrap();
    let raw = community.load_raw(0).unwrap();
    for bytes in [
        plain_safetensors(&raw),
        torch_zip(&[(None, &raw)]),
        torch_zip(&[(None, &prefixed("module.", &raw))]),
        torch_zip(&[(Some("g"), &raw), (Some("g_ema"), &raw)]),
        torch_zip(&[(Some("state_dict"), &prefixed("decoder.", &raw))]),
    ] {
        assert_eq!(best(&open_bytes("bare", bytes).unwrap()), best(&community));
    }
    // A discriminator alone is recognised, and there is nothing to show.
    let discriminator = official.load_raw(1).unwrap();
    let (_, official_weights) = official.load_discriminator(1).unwrap();
    for prefix in ["", "module.", "D.", "discriminator."] {
        let file = open_bytes("bare", plain_safetensors(&prefixed(prefix, &discriminator))).unwrap();
        assert_eq!(file.networks()[0].role, Role::Discriminator);
        assert!(format!("{:?}", file.preferred_generator().unwrap_err()).contains("no generator"));
        assert_eq!(file.load_discriminator(file.discriminator().unwrap()).unwrap().1, official_weights, "{prefix}");
        assert!(file.load_generator(0).is_err());
    }
}

#[test]
fn community_stylegan() {
    let (arrays, _) =
        read_safetensors(&fs::read(fixture("sg1_rosinality/styled_generator_small.safetensors")).unwrap()).unwrap();
    let own: BTreeMap<String, HostTensor> = arrays
        .0
        .iter()
        .filter_map(|(name, array)| Some((name.strip_prefix("params.generator.")?.to_owned(), array.clone())))
        .collect();
    let own = StateDict(own);
    let blocks = own.0.keys().filter(|name| name.ends_with("conv2.conv.weight_orig")).count();
    let fused = own.0.keys().filter(|name| name.ends_with("conv1.0.weight")).count();
    let wrapped = StateDict(own.0.iter().map(|(name, array)| (format!("module.{name}"), array.clone())).collect());
    for bytes in [
        torch_zip(&[(None, &own)]),
        torch_zip(&[(None, &wrapped)]),
        torch_zip(&[(Some("generator"), &wrapped), (Some("g_running"), &own)]),
        plain_safetensors(&own),
    ] {
        let file = open_bytes("styled.model", bytes).unwrap_or_else(|error| panic!("{error:?}"));
        let (config, weights) = best(&file);
        assert_eq!(weights, own);
        let GeneratorConfig::StyleGan1(config) = config else { panic!("{config:?}") };
        assert_eq!(config.variant, StyleGan1Variant::Community);
        assert_eq!(config.resolution, 4 << (blocks - 1));
        assert_eq!(
            config.fused_from,
            if fused == 0 { 2 * config.resolution } else { config.resolution >> (fused - 1) }
        );
        assert_eq!((config.z_dim, config.w_dim, config.lod), (48, 48, 0.0));
    }
    // Blocks that growing never reached still have noise weights of exactly 0, and are left out.
    let mut half_grown = own.clone();
    for (name, array) in &mut half_grown.0 {
        if name.contains(&format!("progression.{}.noise", blocks - 1)) {
            array.data.fill(0.0);
        }
    }
    let file = open_bytes("styled.model", torch_zip(&[(None, &half_grown)])).unwrap();
    let (config, weights) = best(&file);
    assert_eq!(config.resolution(), 4 << (blocks - 2));
    assert!(!weights.0.contains_key(&format!("generator.to_rgb.{}.conv.bias", blocks - 1)));
    assert!(file.notes.iter().any(|note| note.contains("trained up to")), "{:?}", file.notes);
    // Our own files keep what they were given.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    let (config, _) = best(&open_bytes("styled.model", torch_zip(&[(None, &own)])).unwrap());
    save_safetensors(&path, &config, &half_grown, &[]).unwrap();
    assert_eq!(best(&open(&path, &()).unwrap()), (config, half_grown));
}

#[test]
fn labels_that_the_community_ports_do_not_have_are_refused() {
    let stylegan2 = open(&fixture("ros2/gema_latentavg_legacy.pt"), &()).unwrap().load_raw(0).unwrap();
    let (arrays, _) =
        read_safetensors(&fs::read(fixture("sg1_rosinality/styled_generator_small.safetensors")).unwrap()).unwrap();
    let strip = |(name, array): (&String, &HostTensor)| {
        Some((name.strip_prefix("params.generator.")?.to_owned(), array.clone()))
    };
    let stylegan = StateDict(arrays.0.iter().filter_map(strip).collect());
    for mut weights in [stylegan2, stylegan] {
        assert!(open_bytes("bare", plain_safetensors(&weights)).is_ok());
        weights.0.insert("embedding.weight".into(), HostTensor { shape: vec![4, 8], data: vec![0.0; 32] });
        let error = format!("{:?}", open_bytes("bare", plain_safetensors(&weights)).unwrap_err());
        assert!(error.contains("embedding.weight takes labels"), "{error}");
    }
}

#[test]
fn folders_give_their_newest_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let none = open(folder.path(), &()).unwrap_err();
    assert!(none.to_string().contains("folder without snapshots"), "{none}");
    let copy = |name: &str| fs::copy(fixture("pkl/sg3repo_t215.p4.nosrc.pkl"), folder.path().join(name)).unwrap();
    for name in
        ["network-snapshot-000200.pkl", "network-snapshot-001000.pkl", "network-snapshot-000400.pkl", "other-9.pkl"]
    {
        copy(name);
    }
    assert!(open(folder.path(), &()).unwrap().path.ends_with("network-snapshot-001000.pkl"));
    let (config, weights) = best(&open(folder.path(), &()).unwrap());
    fs::create_dir(folder.path().join("snapshots")).unwrap();
    save_safetensors(&folder.path().join("snapshots/snapshot-002000.safetensors"), &config, &weights, &[]).unwrap();
    for path in [folder.path().to_owned(), folder.path().join("snapshots")] {
        assert!(open(&path, &()).unwrap().path.ends_with("snapshots/snapshot-002000.safetensors"));
    }
}

#[derive(Default)]
struct Watch {
    last: Cell<(u64, u64)>,
    stop: bool,
}

impl Progress for Watch {
    fn advance(&self, done: u64, total: u64) {
        assert!(done >= self.last.get().0 && done <= total);
        self.last.set((done, total));
    }

    fn cancelled(&self) -> bool {
        self.stop
    }
}

#[test]
fn progress_is_reported_and_opening_can_be_cancelled() {
    let path = fixture("ros2/gema_latentavg_legacy.pt");
    let watch = Watch::default();
    let len = fs::metadata(&path).unwrap().len();
    open(&path, &watch).unwrap();
    assert_eq!(watch.last.get(), (len, len));
    let stopped = open(&path, &Watch { stop: true, ..Watch::default() }).unwrap_err();
    assert!(matches!(stopped, CheckpointError::Cancelled { .. }), "{stopped:?}");

    let file = open(&path, &()).unwrap();
    let watch = Watch::default();
    let loaded = file.load_generator_with(0, &watch).unwrap();
    assert_eq!(loaded, file.load_generator(0).unwrap());
    let (done, total) = watch.last.get();
    assert_eq!((done, total), (total, 4 * loaded.1.num_values() as u64));
    let stopped = file.load_generator_with(0, &Watch { stop: true, ..Watch::default() }).unwrap_err();
    assert!(matches!(stopped, CheckpointError::Cancelled { .. }), "{stopped:?}");
}

/// Gives up at the last moment: all is written, nothing has its name yet.
struct LastMoment(Cell<bool>);

impl Progress for LastMoment {
    fn advance(&self, done: u64, total: u64) {
        self.0.set(done == total);
    }

    fn cancelled(&self) -> bool {
        self.0.get()
    }
}

#[test]
fn an_export_can_be_given_up_at_the_last_moment() {
    let (config, weights) = best(&open(&fixture("ros2/gema_latentavg_legacy.pt"), &()).unwrap());
    let folder = tempfile::tempdir().unwrap();
    for format in [ExportFormat::Stylescope, ExportFormat::StateDict, ExportFormat::Onnx] {
        let path = folder.path().join("model");
        let late = LastMoment(Cell::new(false));
        let given_up = export_with(&path, format, Precision::F32, &config, &weights, &[], &late).unwrap_err();
        assert!(matches!(given_up, CheckpointError::ExportCancelled { .. }), "{given_up:?}");
        assert!(late.0.get());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn paths_without_a_model_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pkl");
    fs::write(&empty, "").unwrap();
    assert!(open(&empty, &()).unwrap_err().to_string().contains("is empty"));
    let missing = open(&folder.path().join("missing.pkl"), &()).unwrap_err();
    assert!(matches!(missing, CheckpointError::Read { .. }), "{missing:?}");
    #[cfg(unix)]
    assert!(open(Path::new("/dev/zero"), &()).unwrap_err().to_string().contains("no regular file"));
}

#[test]
fn networks_are_chosen_by_name() {
    let file = open(&fixture("pkl/sg3repo_t215.p4.nosrc.pkl"), &()).unwrap();
    assert_eq!((file.generator_named(None).unwrap(), file.generator_named(Some("G")).unwrap()), (2, 0));
    assert_eq!(file.generators().map(|network| network.name.as_str()).collect::<Vec<_>>(), ["G", "G_ema"]);
    for wrong in ["D", "Gs"] {
        let error = file.generator_named(Some(wrong)).unwrap_err().to_string();
        assert!(error.contains(&format!("no generator {wrong}; it has G, G_ema")), "{error}");
    }
}
