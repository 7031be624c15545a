//! A GPU backend against the CPU, which the other tests tie to the reference. The driver is software and compiles
//! and tunes every new shape for seconds, so the networks are as small as they can be and share their shapes.

use burn::tensor::{Device, Tensor, TensorData};
use stylescope::{
    base::numpy_rng::RandomState,
    model::{
        Generator, Noise, Placement,
        config::{
            Architecture, ChannelTable, GeneratorConfig, MappingConfig, StyleGan1Config, StyleGan1Variant,
            StyleGan2Config,
        },
        state_dict::{HostTensor, StateDict},
    },
    ops::{Activation, Filter, LayerNoise, SynthesisLayer, synthesis_layer},
};

use crate::{
    Worst,
    common::{TOLERANCE, assert_values_close, software_vulkan, values},
};

const CHANNELS: usize = 8;

fn mapping() -> MappingConfig {
    MappingConfig {
        num_layers: 2,
        hidden_dim: 8,
        lr_multiplier: 0.01,
        w_avg_beta: 0.995,
        label_normalization: Default::default(),
    }
}

fn stylegan2(architecture: Architecture) -> GeneratorConfig {
    GeneratorConfig::StyleGan2(StyleGan2Config {
        z_dim: 8,
        label_dim: 0,
        w_dim: 8,
        resolution: 8,
        img_channels: 3,
        mapping: mapping(),
        channels: ChannelTable([4, 8].map(|r| (r, CHANNELS)).into()),
        architecture,
        conv_clamp: Some(1.5),
        use_noise: true,
        resample_filter: vec![1.0, 3.0, 3.0, 1.0],
    })
}

fn stylegan1(variant: StyleGan1Variant, fused_from: usize) -> GeneratorConfig {
    GeneratorConfig::StyleGan1(StyleGan1Config {
        variant,
        z_dim: 8,
        label_dim: 0,
        w_dim: 8,
        resolution: 8,
        img_channels: 3,
        mapping: mapping(),
        channels: ChannelTable([4, 8].map(|r| (r, CHANNELS)).into()),
        fused_from,
        lod: 0.25,
        features: Default::default(),
    })
}

/// Fresh weights, all of them moved: biases and noise strengths begin at values that hide mistakes.
fn weights(config: &GeneratorConfig) -> StateDict {
    let mut weights = Generator::init(config.clone(), 1, &Placement::cpu()).unwrap().state_dict().unwrap();
    let mut random = RandomState::new(2);
    for HostTensor { data, .. } in weights.0.values_mut() {
        let moves = random.randn_f32(data.len());
        data.iter_mut().zip(moves).for_each(|(value, by)| *value += 0.3 * by);
    }
    weights
}

fn image(config: &GeneratorConfig, weights: &StateDict, placement: &Placement) -> Vec<f32> {
    let generator = Generator::from_state_dict(config.clone(), weights.clone(), placement).unwrap();
    let z = Tensor::from_data(TensorData::new(RandomState::new(3).randn_f32(16), [2, 8]), &placement.latent);
    let ws = generator.truncate(generator.map(z, None).unwrap(), 1.0, None);
    let ones = vec![1.0; generator.noise_shapes().len()];
    let styles = generator.affine(ws).unwrap();
    values(generator.synthesize(&styles, &Noise::Const { strength: &ones }).unwrap())
}

/// The sum of an upsampling layer's squared outputs, and its gradients by input, weight, style and bias.
fn layer_gradients(device: &Device) -> Vec<f32> {
    let mut random = RandomState::new(4);
    let mut draw = |shape: [usize; 4]| {
        let data = random.randn_f32(shape.iter().product());
        Tensor::<4>::from_data(TensorData::new(data, shape), device)
    };
    let x = draw([2, CHANNELS, 4, 4]).require_grad();
    let weight = draw([CHANNELS, CHANNELS, 3, 3]).require_grad();
    let style = draw([1, 1, 2, CHANNELS]).reshape([2, CHANNELS]).add_scalar(1.0).detach().require_grad();
    let bias = draw([1, 1, 1, CHANNELS]).reshape([CHANNELS]).detach().require_grad();
    let filter = Filter::separable(&[1.0, 3.0, 3.0, 1.0], device);
    let y = synthesis_layer(SynthesisLayer {
        x: x.clone(),
        weight: weight.clone(),
        style: style.clone(),
        up: Some(&filter),
        demodulate: true,
        noise: Some(LayerNoise { map: draw([1, 1, 8, 8]), strength: Tensor::ones([1], device), multiplier: 0.5 }),
        bias: Some(bias.clone()),
        activation: Activation::Linear,
        gain: 1.0,
        clamp: None,
    });
    let loss = y.square().sum();
    let gradients = loss.backward();
    let mut all = values(loss.inner());
    all.extend(values(x.grad(&gradients).unwrap()));
    all.extend(values(weight.grad(&gradients).unwrap()));
    all.extend(values(style.grad(&gradients).unwrap()));
    all.extend(values(bias.grad(&gradients).unwrap()));
    all
}

fn same(what: &str, got: &[f32], expected: &[f32]) -> f64 {
    let expected: Vec<f64> = expected.iter().map(|&value| f64::from(value)).collect();
    assert_values_close(what, got, &expected, TOLERANCE)
}

#[test]
fn parity_software_vulkan() {
    let Some(device) = software_vulkan() else { return };
    let mut worst = Worst::default();
    for config in [
        stylegan2(Architecture::Skip),
        stylegan2(Architecture::Resnet),
        stylegan2(Architecture::Orig),
        stylegan1(StyleGan1Variant::Official, 128),
        stylegan1(StyleGan1Variant::Official, 8),
        stylegan1(StyleGan1Variant::Community, 8),
    ] {
        let started = std::time::Instant::now();
        let weights = weights(&config);
        let expected = image(&config, &weights, &Placement::cpu());
        let got = image(&config, &weights, &Placement::split(device.clone()));
        worst.add(same(config.family_name(), &got, &expected));
        println!("{}: {:.1} s", config.family_name(), started.elapsed().as_secs_f64());
    }
    let expected = layer_gradients(&Device::flex().autodiff());
    worst.add(same("gradients of a layer", &layer_gradients(&device.autodiff()), &expected));
    worst.report("software Vulkan");
}
