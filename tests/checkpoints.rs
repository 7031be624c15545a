//! Real model files against the reference: every array of every network, and the images that come out.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use burn::tensor::{Device, Tensor, TensorData};
use serde_json::Value as Json;
use stylescope::{
    checkpoint::{self, Checkpoint, Lineage, NetworkConfig, Role, read_safetensors},
    model::{
        generator::{Generator, Placement},
        noise::{Noise, NoiseInput},
        state_dict::{HostTensor, StateDict},
    },
};

/// Images and latents: `max |a - b| <= TOLERANCE * max(1, max |b|)`.
const TOLERANCE: f32 = 1e-4;

struct Reference {
    path: PathBuf,
    meta: Json,
    arrays: StateDict,
}

impl Reference {
    fn get(&self, name: &str) -> &HostTensor {
        self.arrays.0.get(name).unwrap_or_else(|| panic!("{}: no array {name}", self.path.display()))
    }

    fn tensor<const D: usize>(&self, name: &str) -> Tensor<D> {
        let array = self.get(name);
        let shape: [usize; D] = array.shape.clone().try_into().expect("the rank");
        Tensor::from_data(TensorData::new(array.data.clone(), shape), &Device::flex())
    }

    fn open(&self) -> Checkpoint {
        let file = self.meta["file"].as_str().map(|name| self.path.with_file_name(name)).expect("meta.file");
        checkpoint::open(&file, &()).unwrap_or_else(|error| panic!("{error:?}"))
    }
}

/// All references of a group and kind: in the fixture folder (`STYLESCOPE_FIXTURES`, else `../shared/fixtures`) and among
/// the small ones that are checked in.
fn references(group: &str, kind: &str) -> Vec<Reference> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let outside = std::env::var_os("STYLESCOPE_FIXTURES").map_or(root.join("../shared/fixtures"), |f| root.join(f));
    if !outside.is_dir() {
        eprintln!("passed over: no fixtures at {}; the small ones under tests/fixtures run", outside.display());
    }
    let mut found = Vec::new();
    for folder in [outside, root.join("tests/fixtures")] {
        let Ok(entries) = std::fs::read_dir(folder.join(group)) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.extension().is_some_and(|extension| extension == "safetensors") {
                let (arrays, metadata) = read_safetensors(&std::fs::read(&path).unwrap()).unwrap();
                let meta: Json = serde_json::from_str(&metadata["meta"]).unwrap();
                if meta["kind"] == kind {
                    found.push(Reference { path, meta, arrays });
                }
            }
        }
    }
    assert!(!found.is_empty(), "tests/fixtures/{group} has a file of kind {kind}");
    found
}

fn generator(file: &Checkpoint, name: &str) -> Generator {
    let index = file.networks().iter().position(|network| network.name == name).expect("the network");
    let (config, weights) = file.load_generator(index).unwrap();
    Generator::from_state_dict(config, weights, &Placement::cpu()).unwrap()
}

fn assert_close<const D: usize>(what: &str, got: Tensor<D>, expected: &HostTensor) {
    assert_eq!(got.dims().to_vec(), expected.shape, "{what}: shape");
    let got = got.try_into_vec_as::<f32>().unwrap();
    let scale = expected.data.iter().fold(1.0f32, |max, value| max.max(value.abs()));
    let error = got.iter().zip(&expected.data).fold(0.0f32, |max, (a, b)| max.max((a - b).abs()));
    assert!(error <= TOLERANCE * scale, "{what}: error {error:e} at a scale of {scale}");
}

/// Compares the arrays of all networks with the sums and first and last values in `meta.tensors`.
fn check_tensors(reference: &Reference, file: &Checkpoint, name_of: impl Fn(&str, &str) -> String) -> usize {
    let expected = reference.meta["tensors"].as_object().expect("meta.tensors");
    let mut seen = BTreeSet::new();
    for (index, network) in file.networks().iter().enumerate() {
        for (name, tensor) in file.load_raw(index).unwrap().0 {
            let name = name_of(&network.name, &name);
            let check = expected.get(&name).unwrap_or_else(|| panic!("{name} is in no list"));
            let shape: Vec<usize> = serde_json::from_value(check["shape"].clone()).unwrap();
            assert_eq!(tensor.shape, shape, "{name}");
            let sum: f64 = tensor.data.iter().map(|&v| f64::from(v)).sum();
            let abs_sum: f64 = tensor.data.iter().map(|&v| f64::from(v.abs())).sum();
            let tolerance = 1e-6 * abs_sum.max(1e-6);
            assert!((sum - check["sum"].as_f64().unwrap()).abs() <= tolerance, "{name}: sum {sum}");
            if let Some(expected) = check.get("abs_sum").and_then(Json::as_f64) {
                assert!((abs_sum - expected).abs() <= tolerance, "{name}: abs_sum {abs_sum}");
            }
            for (key, value) in [("first", tensor.data.first()), ("last", tensor.data.last())] {
                if let Some(expected) = check.get(key).and_then(Json::as_f64) {
                    assert_eq!(value, Some(&(expected as f32)), "{name}: {key}");
                }
            }
            seen.insert(name);
        }
    }
    for name in expected.keys().filter(|name| !name.contains("augment_pipe")) {
        assert!(seen.contains(name), "{}: {name} was not read", reference.path.display());
    }
    seen.len()
}

/// Number of strengths for a network, all 1.
fn strengths(generator: &Generator) -> Vec<f32> {
    vec![1.0; generator.noise_shapes().len()]
}

#[test]
fn parity_official_snapshots() {
    for reference in references("pkl", "nv_snapshot_pkl") {
        let file = reference.open();
        let path = reference.path.display();
        assert_eq!(file.lineage, Lineage::OfficialTorch);
        let roles: Vec<Role> = file.networks().iter().map(|network| network.role).collect();
        assert_eq!(roles, [Role::Generator, Role::Discriminator, Role::GeneratorEma], "{path}");
        assert_eq!(file.preferred_generator().unwrap(), 2);
        let common = &reference.meta["common"];
        let NetworkConfig::Discriminator(discriminator) = &file.networks()[1].config else { panic!("{path}: D") };
        assert_eq!(Some(discriminator.resolution() as u64), common["img_resolution"].as_u64());
        assert_eq!(Some(discriminator.img_channels() as u64), common["img_channels"].as_u64());

        let checked = check_tensors(&reference, &file, |network, name| format!("params.{network}.{name}"));
        assert!(checked > 100, "{path}: only {checked} arrays");

        let z: Tensor<2> = reference.tensor("in.z");
        for name in ["G", "G_ema"] {
            let generator = generator(&file, name);
            let strength = strengths(&generator);
            let noise = Noise::Const { strength: &strength };
            let w = generator.map(z.clone(), None).unwrap();
            for (psi, cutoff, suffix) in [(1.0, None, ""), (0.7, Some(4), ".psi0.7_cut4")] {
                let ws = generator.truncate(w.clone(), psi, cutoff);
                if name == "G_ema" {
                    assert_close(&format!("{path} ws{suffix}"), ws.clone(), reference.get(&format!("out.ws{suffix}")));
                }
                let output = format!("out.{name}.img{suffix}");
                if name == "G_ema" || suffix.is_empty() {
                    let styles = generator.affine(ws).unwrap();
                    let image = generator.synthesize(&styles, &noise).unwrap();
                    assert_close(&format!("{path} {output}"), image, reference.get(&output));
                }
            }
        }
    }
}

#[test]
fn parity_community_checkpoints() {
    for reference in references("ros2", "rosinality_stylegan2") {
        let file = reference.open();
        let path = reference.path.display();
        assert_eq!(file.lineage, Lineage::Community);
        let average = reference.meta["tensors"].get("latent_avg").is_some();
        let checked = check_tensors(&reference, &file, |network, name| match name {
            "latent_avg" => name.to_owned(),
            _ => format!("{network}.{name}"),
        });
        assert!(checked > 60, "{path}: only {checked} arrays");
        assert_eq!(file.notes.is_empty(), average, "{path}: {:?}", file.notes);

        let z: Tensor<2> = reference.tensor("in.z");
        let z2: Tensor<2> = reference.tensor("in.z2");
        for network in ["g", "g_ema"] {
            if !reference.arrays.0.contains_key(&format!("out.{network}.img")) {
                continue;
            }
            let generator = generator(&file, network);
            let strength = strengths(&generator);
            let noise = Noise::Const { strength: &strength };
            let output = |name: &str| reference.get(&format!("out.{network}.{name}"));
            let image =
                |ws: Tensor<3>, noise: &Noise<'_>| generator.synthesize(&generator.affine(ws).unwrap(), noise).unwrap();
            let w = generator.map(z.clone(), None).unwrap();
            let ws = generator.truncate(w.clone(), 1.0, None);
            assert_close(&format!("{path} {network} latent"), ws.clone(), output("latent"));
            assert_close(&format!("{path} {network} image"), image(ws.clone(), &noise), output("img"));
            if network == "g" {
                continue;
            }
            let w2 = generator.truncate(generator.map(z2.clone(), None).unwrap(), 1.0, None);
            let [batch, num_ws, w_dim] = ws.dims();
            let mixed = Tensor::cat(vec![ws.clone().narrow(1, 0, 3), w2.narrow(1, 3, num_ws - 3)], 1);
            assert_close(&format!("{path} mixing"), image(mixed, &noise), output("img.mix_inject3"));

            // Their truncation is towards a latent of the caller's, on all layers.
            let centre = reference.tensor::<2>("in.truncation_latent").expand([batch, w_dim]);
            let truncated = (w - centre.clone()).mul_scalar(0.6) + centre;
            let truncated = truncated.unsqueeze_dim::<3>(1).expand([batch, num_ws, w_dim]);
            assert_close(&format!("{path} truncation"), image(truncated, &noise), output("img.trunc0.6"));

            let maps = (0..strength.len()).map(|i| reference.tensor(&format!("in.noise.{i}"))).collect();
            let input = NoiseInput { maps, strength: strength.clone() };
            assert_close(&format!("{path} noise"), image(ws, &Noise::Maps(&input)), output("img.noise_list"));
        }
    }
}
