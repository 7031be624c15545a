//! A model that is written and read again is the same model, and makes the same image to the bit.

use std::path::{Path, PathBuf};

use burn::tensor::{Tensor, TensorData};
use stylescope::{
    base::numpy_rng::z_from_seed,
    checkpoint::{ExportFormat, Precision, export, open, read_safetensors},
    model::{
        config::{
            Architecture, ChannelTable, GeneratorConfig, LabelNormalization, MappingConfig, StyleGan1Config,
            StyleGan1Features, StyleGan1Variant, StyleGan2Config, SynthesisInput,
        },
        generator::{Generator, Placement},
        noise::Noise,
        state_dict::StateDict,
    },
};

type Model = (GeneratorConfig, StateDict);

/// Files of every lineage, and untrained networks of every configuration.
fn models() -> Vec<(String, Model)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let outside = std::env::var_os("STYLESCOPE_FIXTURES").map_or(root.join("../shared/fixtures"), |f| root.join(f));
    let mut found = Vec::new();
    for folder in [outside, root.join("tests/fixtures")] {
        for path in ["pkl", "ros2"].iter().flat_map(|group| files_of(&folder.join(group))) {
            if path.extension().is_some_and(|extension| extension == "pkl" || extension == "pt") {
                let file = open(&path, &()).unwrap();
                let best = file.preferred_generator().unwrap();
                found.push((path.display().to_string(), file.load_generator(best).unwrap()));
            }
        }
    }
    let small = root.join("tests/fixtures/sg1_rosinality/styled_generator_small.safetensors");
    found.push(("the community port".into(), bare(&small, "params.generator.")));
    let init = |name: &str, config: GeneratorConfig| {
        let weights = Generator::init(config.clone(), 7, &Placement::cpu()).unwrap().state_dict().unwrap();
        (name.to_owned(), (config, weights))
    };
    for (name, architecture) in [
        ("skip", Architecture::Skip),
        ("resnet", Architecture::Resnet),
        ("orig", Architecture::Orig),
        ("MSG", Architecture::Msg),
    ] {
        found.push(init(name, stylegan2(architecture)));
    }
    let default = StyleGan1Features::default;
    let latent = || StyleGan1Features { input: SynthesisInput::Latent, use_noise: false, ..default() };
    for (name, features, lod) in [
        ("row A", StyleGan1Features { styles: false, resample_filter: vec![1.0], ..latent() }, 0.0),
        ("row B", StyleGan1Features { styles: false, ..latent() }, 0.0),
        ("row C", latent(), 0.0),
        ("row D", StyleGan1Features { use_noise: false, ..default() }, 0.0),
        ("row E", default(), 0.0),
        ("between two resolutions", default(), 0.5),
    ] {
        found.push(init(name, stylegan1(features, lod)));
    }
    assert!(found.len() >= 13);
    found
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder)
        .map_or_else(|_| Vec::new(), |entries| entries.map(|entry| entry.unwrap().path()).collect())
}

/// The arrays behind a prefix of a file, opened as a bare state dict.
fn bare(path: &Path, prefix: &str) -> Model {
    let (arrays, _) = read_safetensors(&std::fs::read(path).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("bare.safetensors");
    let arrays: StateDict = StateDict(
        arrays.0.into_iter().filter_map(|(name, array)| Some((name.strip_prefix(prefix)?.to_owned(), array))).collect(),
    );
    stylescope::checkpoint::save_arrays(&copy, &Default::default(), &arrays).unwrap();
    open(&copy, &()).unwrap().load_generator(0).unwrap()
}

fn mapping(hidden_dim: usize) -> MappingConfig {
    MappingConfig {
        num_layers: 2,
        hidden_dim,
        lr_multiplier: 0.01,
        w_avg_beta: 0.995,
        label_normalization: LabelNormalization::Separate,
    }
}

fn stylegan2(architecture: Architecture) -> GeneratorConfig {
    GeneratorConfig::StyleGan2(StyleGan2Config {
        z_dim: 12,
        label_dim: 3,
        w_dim: 10,
        resolution: 32,
        img_channels: 1,
        mapping: MappingConfig { w_avg_beta: 0.998, ..mapping(9) },
        channels: ChannelTable::from_base(256, 24, 32),
        architecture,
        conv_clamp: None,
        use_noise: true,
        resample_filter: vec![1.0, 3.0, 3.0, 1.0],
    })
}

fn stylegan1(features: StyleGan1Features, lod: f32) -> GeneratorConfig {
    let styles = features.styles;
    GeneratorConfig::StyleGan1(StyleGan1Config {
        variant: StyleGan1Variant::Official,
        z_dim: 12,
        label_dim: 0,
        w_dim: if styles { 10 } else { 12 },
        resolution: 32,
        img_channels: 3,
        mapping: if styles { mapping(9) } else { MappingConfig { num_layers: 0, ..mapping(12) } },
        channels: ChannelTable::from_base(256, 24, 32),
        fused_from: 128,
        lod,
        features,
    })
}

/// What a network makes of seed 5, as bits.
fn image((config, weights): &Model) -> Vec<u32> {
    let generator = Generator::from_state_dict(config.clone(), weights.clone(), &Placement::cpu()).unwrap();
    let device = &generator.placement().latent;
    let row = |values: Vec<f32>| Tensor::<2>::from_data(TensorData::new(values.clone(), [1, values.len()]), device);
    let label =
        (config.label_dim() > 0).then(|| row((0..config.label_dim()).map(|i| f32::from(u8::from(i == 1))).collect()));
    let w = generator.map(row(z_from_seed(5, config.z_dim())), label).unwrap();
    let styles = generator.affine(generator.truncate(w, 0.7, None)).unwrap();
    let strength = vec![1.0; generator.noise_shapes().len()];
    let image = generator.synthesize(&styles, &Noise::Const { strength: &strength }).unwrap();
    image.into_data().try_to_vec::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

fn written((config, weights): &Model, format: ExportFormat, precision: Precision) -> Model {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("written.safetensors");
    export(&path, format, precision, config, weights, &[]).unwrap();
    let file = open(&path, &()).unwrap_or_else(|error| panic!("{error:?}"));
    file.load_generator(file.preferred_generator().unwrap()).unwrap()
}

/// All but what belongs to the training and to the file of a growing network.
fn lasting(weights: &StateDict) -> StateDict {
    StateDict(
        weights.0.iter().filter(|(name, _)| *name != "synthesis.lod").map(|(n, a)| (n.clone(), a.clone())).collect(),
    )
}

#[test]
fn our_own_files_give_the_same_image() {
    for (name, model) in models() {
        let again = written(&model, ExportFormat::Stylescope, Precision::F32);
        assert_eq!(again.0, model.0, "{name}");
        assert_eq!(again.1, lasting(&model.1), "{name}");
        assert_eq!(image(&again), image(&model), "{name}");
    }
}

#[test]
fn official_names_give_the_same_image() {
    for (name, model) in models() {
        let (config, weights) = written(&model, ExportFormat::StateDict, Precision::F32);
        assert_eq!(weights, lasting(&model.1), "{name}");
        // What names and shapes cannot say comes from the one who opens it.
        let expected = match (&model.0, &config) {
            (GeneratorConfig::StyleGan2(a), GeneratorConfig::StyleGan2(b)) => {
                let architecture =
                    if a.architecture == Architecture::Msg { Architecture::Skip } else { a.architecture };
                assert_eq!(b.architecture, architecture, "{name}");
                let StyleGan2Config { conv_clamp, architecture, .. } = a.clone();
                let mapping = a.mapping.clone();
                GeneratorConfig::StyleGan2(StyleGan2Config { conv_clamp, architecture, mapping, ..b.clone() })
            }
            (GeneratorConfig::StyleGan1(a), GeneratorConfig::StyleGan1(b)) => {
                assert_eq!(b.lod, a.lod, "{name}");
                let mapping = if a.features.styles { b.mapping.clone() } else { a.mapping.clone() };
                let resample_filter = a.features.resample_filter.clone();
                let features = StyleGan1Features { resample_filter, ..b.features.clone() };
                GeneratorConfig::StyleGan1(StyleGan1Config { mapping, features, fused_from: a.fused_from, ..b.clone() })
            }
            _ => panic!("{name}: another family"),
        };
        assert_eq!(expected, model.0, "{name}");
        assert_eq!(image(&(expected, weights)), image(&model), "{name}");
    }
}

#[test]
fn half_precision_is_lost_once() {
    for (name, model) in models() {
        let half = written(&model, ExportFormat::Stylescope, Precision::F16);
        assert_eq!(half.0, model.0, "{name}");
        for format in [ExportFormat::Stylescope, ExportFormat::StateDict] {
            assert_eq!(written(&half, format, Precision::F16).1, half.1, "{name}");
            assert_eq!(written(&half, format, Precision::F32).1, half.1, "{name}");
        }
        assert_eq!(image(&written(&half, ExportFormat::Stylescope, Precision::F16)), image(&half), "{name}");
    }
}
