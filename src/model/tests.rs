//! The generator's contract: what goes in comes out, and what does not fit is an error.

use std::sync::Arc;

use burn::tensor::{DType, Device, Tensor};

use super::{
    BlockState, Generator, ModelError, Noise, NoiseInput, Placement, Styles,
    config::{
        Architecture, ChannelTable, GeneratorConfig, LabelNormalization, MappingConfig, StyleGan1Config,
        StyleGan1Features, StyleGan1Variant, StyleGan2Config,
    },
    layer::LayerKind,
    state_dict::{HostTensor, StateDictError},
};
use crate::{
    gpu::device::{DeviceChoice, has_half, select},
    ops::{
        cpu::{InstructionSet, Runtime},
        testing::{noise, values},
    },
};

fn mapping(label_normalization: LabelNormalization) -> MappingConfig {
    MappingConfig { num_layers: 3, hidden_dim: 10, lr_multiplier: 0.01, w_avg_beta: 0.995, label_normalization }
}

fn stylegan2() -> StyleGan2Config {
    StyleGan2Config {
        z_dim: 6,
        label_dim: 0,
        w_dim: 7,
        resolution: 16,
        img_channels: 3,
        mapping: mapping(LabelNormalization::Separate),
        channels: ChannelTable([(4, 8), (8, 5), (16, 4)].into()),
        architecture: Architecture::Skip,
        conv_clamp: None,
        use_noise: true,
        resample_filter: vec![1.0, 3.0, 3.0, 1.0],
    }
}

pub(super) fn stylegan1() -> StyleGan1Config {
    StyleGan1Config {
        variant: StyleGan1Variant::Official,
        z_dim: 6,
        label_dim: 0,
        w_dim: 7,
        resolution: 16,
        img_channels: 3,
        mapping: mapping(LabelNormalization::Separate),
        channels: ChannelTable([(4, 8), (8, 5), (16, 4)].into()),
        fused_from: 16,
        lod: 0.0,
        features: Default::default(),
    }
}

/// One configuration of every kind.
fn configs() -> Vec<GeneratorConfig> {
    let joint = mapping(LabelNormalization::Joint);
    vec![
        GeneratorConfig::StyleGan2(stylegan2()),
        GeneratorConfig::StyleGan2(StyleGan2Config { architecture: Architecture::Resnet, ..stylegan2() }),
        GeneratorConfig::StyleGan2(StyleGan2Config {
            architecture: Architecture::Orig,
            img_channels: 4,
            conv_clamp: Some(0.5),
            ..stylegan2()
        }),
        GeneratorConfig::StyleGan2(StyleGan2Config { label_dim: 3, img_channels: 1, ..stylegan2() }),
        GeneratorConfig::StyleGan2(StyleGan2Config { label_dim: 3, mapping: joint, use_noise: false, ..stylegan2() }),
        GeneratorConfig::StyleGan2(StyleGan2Config {
            resolution: 4,
            channels: ChannelTable([(4, 3)].into()),
            resample_filter: vec![1.0, 2.0, 1.0],
            ..stylegan2()
        }),
        GeneratorConfig::StyleGan1(stylegan1()),
        GeneratorConfig::StyleGan1(StyleGan1Config { label_dim: 3, lod: 1.25, img_channels: 1, ..stylegan1() }),
        GeneratorConfig::StyleGan1(StyleGan1Config { variant: StyleGan1Variant::Community, ..stylegan1() }),
    ]
}

fn init(config: &GeneratorConfig) -> Generator {
    Generator::init(config.clone(), 5, &Placement::cpu()).unwrap()
}

fn label(config: &GeneratorConfig, batch: usize) -> Option<Tensor<2>> {
    (config.label_dim() > 0).then(|| {
        let one_hot = Tensor::<2>::from_data([[0.0, 1.0, 0.0]], &Device::flex());
        one_hot.expand([batch, 3])
    })
}

fn styles(generator: &Generator, batch: usize, psi: f32) -> Styles {
    let config = generator.config();
    let z = noise([batch, config.z_dim()], 1, &Device::flex());
    let w = generator.map(z, label(config, batch)).unwrap();
    generator.affine(generator.truncate(w, psi, None)).unwrap()
}

fn ones(generator: &Generator) -> Vec<f32> {
    vec![1.0; generator.noise_shapes().len()]
}

fn image(generator: &Generator) -> Vec<f32> {
    let ones = ones(generator);
    values(generator.synthesize(&styles(generator, 2, 1.0), &Noise::Const { strength: &ones }).unwrap())
}

#[test]
fn weights_come_back_exactly_and_give_the_same_image() {
    for config in configs() {
        let first = init(&config);
        let weights = first.state_dict().unwrap();
        let second = Generator::from_state_dict(config.clone(), weights.clone(), &Placement::cpu()).unwrap();
        assert_eq!(second.state_dict().unwrap(), weights, "{config:?}");
        assert_eq!(image(&second), image(&first), "{config:?}");
        assert_eq!(second.w_avg(), first.w_avg());
        assert_eq!(second.layers(), first.layers());
    }
}

#[test]
fn a_seed_is_a_network() {
    for config in configs() {
        let [a, b] = [5, 5].map(|seed| Generator::init(config.clone(), seed, &Placement::cpu()).unwrap());
        assert_eq!(a.state_dict().unwrap(), b.state_dict().unwrap());
        let high = Generator::init(config, 5 + (1 << 32), &Placement::cpu()).unwrap();
        assert_ne!(high.state_dict().unwrap(), a.state_dict().unwrap(), "all 64 bits of the seed count");
    }
}

#[test]
fn fresh_images_are_finite_and_not_flat() {
    for config in configs() {
        let image = image(&init(&config));
        let mean = image.iter().sum::<f32>() / image.len() as f32;
        let deviation = (image.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / image.len() as f32).sqrt();
        assert!((0.02..5.0).contains(&deviation), "deviation {deviation}: {config:?}");
    }
}

#[test]
fn w_avg_is_the_centre_of_w() {
    for config in configs().into_iter().filter(|config| config.label_dim() == 0) {
        let generator = init(&config);
        let z = noise([2000, config.z_dim()], 77, &Device::flex());
        let w = generator.map(z, None).unwrap();
        let (mean, spread) = (values(w.clone().mean_dim(0)), values(w.square().mean())[0].sqrt());
        for (a, b) in mean.iter().zip(generator.w_avg()) {
            assert!((a - b).abs() < 0.15 * spread, "{a} and {b} at a spread of {spread}");
        }
        // psi 0 is the centre whatever the latent, a cutoff leaves the later layers alone.
        let w = noise([2, config.w_dim()], 3, &Device::flex());
        let ws = generator.truncate(w.clone(), 0.0, Some(1));
        let num_ws = config.num_ws();
        assert_eq!(ws.dims(), [2, num_ws, config.w_dim()]);
        let rows = values(ws);
        let (w_dim, w) = (config.w_dim(), values(w));
        assert_eq!(rows[..w_dim], *generator.w_avg());
        assert_eq!(rows[w_dim..2 * w_dim], w[..w_dim]);
    }
}

#[test]
fn layers_describe_the_network() {
    for config in configs() {
        let generator = init(&config);
        let styles = styles(&generator, 2, 1.0);
        assert_eq!(styles.0.len(), generator.layers().len());
        let last = config.num_ws() - 1;
        assert_eq!(generator.layers().iter().map(|layer| layer.ws_index).max(), Some(last));
        for (layer, style) in generator.layers().iter().zip(&styles.0) {
            assert_eq!(style.dims(), [2, layer.style_dim]);
            if let Some(index) = layer.noise_index {
                assert_eq!(generator.noise_shapes()[index], [layer.resolution; 2]);
                assert_eq!(generator.const_noise(index).unwrap().len(), layer.resolution.pow(2));
            }
        }
        assert_eq!(generator.const_noise(generator.noise_shapes().len()), None);
    }
    let generator = init(&GeneratorConfig::StyleGan2(stylegan2()));
    let names: Vec<_> = generator.layers().iter().map(|layer| (layer.name.as_str(), layer.ws_index)).collect();
    let expected = [
        ("b4.conv1", 0),
        ("b4.torgb", 1),
        ("b8.conv0", 1),
        ("b8.conv1", 2),
        ("b8.torgb", 3),
        ("b16.conv0", 3),
        ("b16.conv1", 4),
        ("b16.torgb", 5),
    ];
    assert_eq!(names, expected);
    assert_eq!(generator.layers()[1].kind, LayerKind::ToRgb);
}

#[test]
fn noise_strength_multiplies() {
    for config in configs().into_iter().filter(|config| !matches!(config, GeneratorConfig::StyleGan1(c) if c.lod > 0.0))
    {
        let mut weights = init(&config).state_dict().unwrap();
        for (name, tensor) in &mut weights.0 {
            if name.ends_with("noise_strength") || name.contains("noise.weight") || name.contains("weight_orig") {
                tensor.data.iter_mut().for_each(|value| *value += 0.5);
            }
        }
        let generator = Generator::from_state_dict(config, weights, &Placement::cpu()).unwrap();
        let styles = styles(&generator, 1, 1.0);
        let count = generator.noise_shapes().len();
        let synthesize = |noise: &Noise| values(generator.synthesize(&styles, noise).unwrap());
        let maps: Vec<Tensor<4>> = (0..count)
            .map(|i| {
                let [height, width] = generator.noise_shapes()[i];
                let map = Tensor::<1>::from_data(&generator.const_noise(i).unwrap()[..], &Device::flex());
                map.reshape([1, 1, height, width]).mul_scalar(0.5)
            })
            .collect();
        let (one, two) = (vec![1.0; count], vec![2.0; count]);
        let stored = synthesize(&Noise::Const { strength: &one });
        let halved_and_doubled = synthesize(&Noise::Maps(&NoiseInput { maps, strength: two }));
        assert_eq!(stored, halved_and_doubled);
        if count > 0 {
            assert_ne!(stored, synthesize(&Noise::None));
        }
    }
}

#[test]
fn missing_and_misshaped_weights_are_errors() {
    for config in configs() {
        let weights = init(&config).state_dict().unwrap();
        let build = |weights| Generator::from_state_dict(config.clone(), weights, &Placement::cpu());
        for name in weights.0.keys() {
            let optional =
                ["w_avg", "noise_const", "apply_noise.noise", "synthesis.lod"].iter().any(|end| name.ends_with(end));
            let mut without = weights.clone();
            without.0.remove(name);
            match build(without) {
                Ok(_) => assert!(optional, "{name} is needed"),
                Err(error) => {
                    assert!(!optional, "{name} may be missing");
                    assert_eq!(error, StateDictError::Missing { name: name.clone() }.into());
                }
            }
            if name == "synthesis.lod" {
                continue;
            }
            let mut wrong = weights.clone();
            let shape = vec![1, 2, 3];
            wrong.0.insert(name.clone(), HostTensor { shape: shape.clone(), data: vec![0.0; 6] });
            let Err(ModelError::Weights(StateDictError::Shape { name: found, .. })) = build(wrong) else {
                panic!("{name} has the wrong shape")
            };
            assert_eq!(&found, name);
            let mut short = weights.clone();
            short.0.get_mut(name).unwrap().data.pop();
            assert!(matches!(build(short), Err(ModelError::Weights(StateDictError::Length { .. }))), "{name}");
        }
    }
}

#[test]
fn a_bad_configuration_allocates_nothing() {
    let huge = StyleGan2Config { z_dim: usize::MAX, ..stylegan2() };
    let odd = StyleGan2Config { resolution: 24, ..stylegan2() };
    let hole = StyleGan2Config { channels: ChannelTable([(4, 8), (16, 4)].into()), ..stylegan2() };
    for config in [huge, odd, hole] {
        let error = Generator::init(GeneratorConfig::StyleGan2(config), 0, &Placement::cpu()).unwrap_err();
        assert!(matches!(error, ModelError::Config(_)), "{error}");
    }
    let lod = StyleGan1Config { lod: f32::NAN, ..stylegan1() };
    let error = Generator::init(GeneratorConfig::StyleGan1(lod), 0, &Placement::cpu()).unwrap_err();
    assert!(matches!(error, ModelError::Config(_)), "{error}");
}

#[test]
fn inputs_that_do_not_fit_are_errors() {
    let device = Device::flex();
    for config in configs() {
        let generator = init(&config);
        let z = |dim| noise([2, dim], 1, &device);
        assert!(matches!(generator.map(z(config.z_dim() + 1), label(&config, 2)), Err(ModelError::Input { .. })));
        if config.label_dim() > 0 {
            assert!(matches!(generator.map(z(config.z_dim()), None), Err(ModelError::Label(_))));
            assert!(matches!(generator.map(z(config.z_dim()), label(&config, 1)), Err(ModelError::Input { .. })));
        } else {
            assert!(matches!(generator.map(z(config.z_dim()), Some(z(3))), Err(ModelError::Label(_))));
        }
        let ws = noise([2, config.num_ws() + 1, config.w_dim()], 1, &device);
        assert!(matches!(generator.affine(ws), Err(ModelError::Input { .. })));

        let (good, ones) = (styles(&generator, 2, 1.0), ones(&generator));
        let fits = Noise::Const { strength: &ones };
        let mut short = good.clone();
        short.0.pop();
        assert!(matches!(generator.synthesize(&short, &fits), Err(ModelError::Input { .. })));
        assert!(matches!(generator.synthesize(&Styles(Vec::new()), &fits), Err(ModelError::Input { .. })));
        let mut mixed = good.clone();
        mixed.0[0] = mixed.0[0].clone().narrow(0, 0, 1);
        assert!(matches!(generator.synthesize(&mixed, &fits), Err(ModelError::Input { .. })));
        if !ones.is_empty() {
            let none = Noise::Const { strength: &[] };
            assert!(matches!(generator.synthesize(&good, &none), Err(ModelError::Input { .. })));
            let maps = vec![Tensor::zeros([1, 1, 3, 3], &device); ones.len()];
            let wrong = NoiseInput { maps, strength: ones.clone() };
            assert!(matches!(generator.synthesize(&good, &Noise::Maps(&wrong)), Err(ModelError::Input { .. })));
        }

        let blocks = generator.num_blocks();
        let start = generator.start(2);
        assert!(matches!(generator.block(blocks, start.clone(), &good, &fits), Err(ModelError::Block { .. })));
        if blocks > 1 {
            assert_eq!(generator.finish(start.clone()).unwrap_err(), ModelError::Unfinished);
            let first = generator.block(0, start, &good, &fits).unwrap();
            let again = generator.block(0, generator.block(1, first, &good, &fits).unwrap(), &good, &fits);
            assert!(matches!(again, Err(ModelError::Input { .. })));
        }
    }
}

#[test]
fn a_generator_moves_to_another_thread() {
    let generator = init(&GeneratorConfig::StyleGan2(stylegan2()));
    let here = image(&generator);
    assert_eq!(std::thread::spawn(move || image(&generator)).join().unwrap(), here);
}

#[test]
fn synthesis_is_differentiable_by_the_styles() {
    let device = Device::flex().autodiff();
    let placement = Placement { latent: device.clone(), synthesis: device.clone(), half: false };
    for config in configs() {
        let generator = Generator::init(config, 5, &placement).unwrap();
        let leaves: Vec<Tensor<2>> =
            generator.layers().iter().map(|layer| noise([1, layer.style_dim], 1, &device).require_grad()).collect();
        let image = generator.synthesize(&Styles(leaves.clone()), &Noise::None).unwrap();
        let gradients = image.square().sum().backward();
        let gradient = values(leaves[0].grad(&gradients).expect("a gradient"));
        assert!(gradient.iter().all(|g| g.is_finite()) && gradient.iter().any(|&g| g != 0.0));
    }
}

#[test]
fn half_the_bits_change_little_of_the_image_and_nothing_of_the_weights() {
    let gpu = match select(DeviceChoice::Software) {
        Ok(compute) if has_half(&compute.device) => compute.device,
        _ => return eprintln!("skipped: no software driver that stores f16"),
    };
    for architecture in [Architecture::Skip, Architecture::Resnet] {
        let config =
            GeneratorConfig::StyleGan2(StyleGan2Config { architecture, conv_clamp: Some(256.0), ..stylegan2() });
        let [whole, half] = [false, true].map(|half| {
            let placement = Placement::split(gpu.clone()).with_half(half);
            Generator::init(config.clone(), 5, &placement).unwrap()
        });
        assert!(half.kernel_layers(1).iter().all(|layer| layer.half));
        assert_eq!(whole.state_dict().unwrap(), half.state_dict().unwrap());
        assert_eq!(half.start(1).x().dtype(), DType::F16);
        let (whole, half) = (image(&whole), image(&half));
        let largest = whole.iter().fold(1.0f32, |max, value| max.max(value.abs()));
        let difference = whole.iter().zip(&half).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(difference > 0.0 && difference < 5e-3 * largest, "{difference} of {largest}");
    }
}

/// A network that is large enough for every kind of kernel, with noise and biases that show.
fn with_noise(config: GeneratorConfig) -> Generator {
    let mut weights = init(&config).state_dict().unwrap();
    for (name, tensor) in &mut weights.0 {
        let noise = name.ends_with("noise_strength") || name.contains("apply_noise.weight") || name.contains(".noise");
        if noise && !name.ends_with("noise_const") && !name.ends_with("apply_noise.noise") {
            tensor.data.iter_mut().enumerate().for_each(|(i, value)| *value = 0.3 - 0.05 * (i % 7) as f32);
        }
        if name.ends_with(".bias") && !name.contains("affine") && !name.contains("style") {
            tensor.data.iter_mut().enumerate().for_each(|(i, value)| *value += 0.1 * (i % 5) as f32 - 0.2);
        }
    }
    Generator::from_state_dict(config, weights, &Placement::cpu()).unwrap()
}

/// Networks of every kind that the CPU kernels run.
fn with_kernels() -> Vec<GeneratorConfig> {
    let channels = ChannelTable([(4, 24), (8, 24), (16, 20), (32, 20), (64, 16)].into());
    let stylegan2 =
        [Architecture::Skip, Architecture::Orig, Architecture::Resnet, Architecture::Msg].map(|architecture| {
            GeneratorConfig::StyleGan2(StyleGan2Config {
                resolution: 64,
                channels: channels.clone(),
                conv_clamp: Some(256.0),
                architecture,
                ..stylegan2()
            })
        });
    let stylegan1 = [
        (StyleGan1Variant::Official, 0.0, vec![1.0, 2.0, 1.0]),
        (StyleGan1Variant::Official, 1.25, vec![1.0, 2.0, 1.0]),
        (StyleGan1Variant::Official, 0.0, vec![1.0]),
        (StyleGan1Variant::Community, 0.0, vec![1.0, 2.0, 1.0]),
    ]
    .map(|(variant, lod, resample_filter)| {
        let features = StyleGan1Features { resample_filter, ..Default::default() };
        let channels = channels.clone();
        let fused_from = 32;
        let config = StyleGan1Config { variant, resolution: 64, channels, fused_from, lod, features, ..stylegan1() };
        GeneratorConfig::StyleGan1(config)
    });
    stylegan2.into_iter().chain(stylegan1).collect()
}

#[test]
fn cpu_kernels_give_the_image_of_the_tensors() {
    for config in with_kernels() {
        let mut generator = with_noise(config.clone());
        generator.set_cpu_runtime(None);
        let expected = image(&generator);
        let largest = expected.iter().fold(1.0f32, |largest, value| largest.max(value.abs()));
        for set in InstructionSet::available() {
            generator.set_cpu_runtime(Some(Arc::new(Runtime::new(set).unwrap())));
            let found = image(&generator);
            assert_ne!(found, expected, "{set}: the tensors ran");
            let error = found.iter().zip(&expected).fold(0.0f32, |worst, (a, b)| worst.max((a - b).abs()));
            assert!(error <= 1e-5 * largest, "{config:?} {set}: {error} of {largest}");
        }
    }
}

#[test]
fn previews_of_cpu_kernels_are_those_of_the_tensors() {
    for config in with_kernels() {
        let mut generator = with_noise(config.clone());
        let (strength, styles) = (ones(&generator), styles(&generator, 2, 1.0));
        let noise = Noise::Const { strength: &strength };
        let mut previews = [None, Runtime::shared()].map(|runtime| {
            generator.set_cpu_runtime(runtime);
            let state = generator.block(0, generator.start(2), &styles, &noise).unwrap();
            let state = generator.block(1, state, &styles, &noise).unwrap();
            generator.preview(1, &state).unwrap().map(values)
        });
        let [expected, found] = previews.each_mut().map(Option::take);
        assert_eq!(found.is_some(), expected.is_some(), "{config:?}");
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() <= 1e-5 * expected.abs().max(10.0), "{config:?}: {found} {expected}");
        }
    }
}

#[test]
fn cpu_kernels_go_on_from_any_state_to_the_same_bit() {
    for config in with_kernels() {
        let generator = with_noise(config.clone());
        let (strength, styles) = (ones(&generator), styles(&generator, 2, 1.0));
        let noise = Noise::Const { strength: &strength };
        let expected = values(generator.synthesize(&styles, &noise).unwrap());
        let mut state = generator.start(2);
        for index in 0..generator.num_blocks() {
            let rest = |state| {
                let blocks = index..generator.num_blocks();
                let state = blocks.into_iter().try_fold(state, |state, i| generator.block(i, state, &styles, &noise));
                values(generator.finish(state.unwrap()).unwrap())
            };
            assert_eq!(rest(state.clone()), expected, "{config:?} from block {index}");
            let tensors = BlockState::new(state.x(), state.image());
            assert_eq!(rest(tensors), expected, "{config:?} from tensors, block {index}");
            state = generator.block(index, state, &styles, &noise).unwrap();
        }
    }
}
