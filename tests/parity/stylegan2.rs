//! StyleGAN2 generators.

use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

use burn::tensor::{Device, Tensor};
use serde_json::Value;
use stylescope::{
    model::{
        Generator, Noise, NoiseInput, Placement, Styles,
        config::{Architecture, ChannelTable, GeneratorConfig, LabelNormalization, MappingConfig, StyleGan2Config},
        layer::LayerKind,
        state_dict::StateDict,
    },
    ops::{Activation, Filter, LayerNoise, SynthesisLayer, synthesis_layer},
};

use crate::{
    Worst,
    common::{Fixture, TOLERANCE, assert_close, assert_values_close, group, values},
    ops,
};

/// The configuration behind the keyword arguments of the reference's `Generator`.
pub fn config(kwargs: &Value) -> StyleGan2Config {
    let count = |value: &Value, default: usize| value.as_u64().map_or(default, |value| value as usize);
    let (mapping, synthesis) = (&kwargs["mapping_kwargs"], &kwargs["synthesis_kwargs"]);
    let top = ["z_dim", "c_dim", "w_dim", "img_resolution", "img_channels", "mapping_kwargs", "synthesis_kwargs"];
    assert_known(kwargs, &top);
    assert_known(mapping, &["num_layers", "layer_features", "lr_multiplier", "w_avg_beta"]);
    let known = ["channel_base", "channel_max", "architecture", "conv_clamp", "use_noise", "resample_filter"];
    // Half precision is for GPUs; the reference ran on a CPU in f32.
    assert_known(synthesis, &[&known[..], &["num_fp16_res", "fp16_channels_last"]].concat());
    let [w_dim, resolution] = [count(&kwargs["w_dim"], 512), count(&kwargs["img_resolution"], 0)];
    StyleGan2Config {
        z_dim: count(&kwargs["z_dim"], 512),
        label_dim: count(&kwargs["c_dim"], 0),
        w_dim,
        resolution,
        img_channels: count(&kwargs["img_channels"], 3),
        mapping: MappingConfig {
            num_layers: count(&mapping["num_layers"], 8),
            hidden_dim: count(&mapping["layer_features"], w_dim),
            lr_multiplier: mapping["lr_multiplier"].as_f64().unwrap_or(0.01),
            w_avg_beta: mapping["w_avg_beta"].as_f64().unwrap_or(0.995),
            label_normalization: LabelNormalization::Separate,
        },
        channels: ChannelTable::from_base(
            count(&synthesis["channel_base"], 32768),
            count(&synthesis["channel_max"], 512),
            resolution,
        ),
        architecture: match synthesis["architecture"].as_str() {
            None | Some("skip") => Architecture::Skip,
            Some("resnet") => Architecture::Resnet,
            Some("orig") => Architecture::Orig,
            Some(other) => panic!("nobody knows the architecture {other}"),
        },
        conv_clamp: synthesis["conv_clamp"].as_f64(),
        use_noise: synthesis["use_noise"].as_bool().unwrap_or(true),
        resample_filter: match synthesis["resample_filter"].as_array() {
            Some(taps) => taps.iter().map(|tap| tap.as_f64().expect("a tap") as f32).collect(),
            None => vec![1.0, 3.0, 3.0, 1.0],
        },
    }
}

/// An argument that nobody reads would make another network than the reference's.
pub fn assert_known(kwargs: &Value, known: &[&str]) {
    for name in kwargs.as_object().iter().flat_map(|kwargs| kwargs.keys()) {
        assert!(known.contains(&name.as_str()), "nobody knows the argument {name}");
    }
}

/// `psi0.7_cut4` to psi and cutoff.
fn truncation(tag: &str) -> (f32, Option<usize>) {
    let parse = || {
        let (psi, cutoff) = tag.strip_prefix("psi")?.split_once("_cut")?;
        let cutoff = if cutoff == "none" { None } else { Some(cutoff.parse().ok()?) };
        Some((psi.parse().ok()?, cutoff))
    };
    parse().unwrap_or_else(|| panic!("{tag} is no truncation"))
}

struct Case<'a> {
    fixture: &'a Fixture,
    config: StyleGan2Config,
    generator: Generator,
    weights: StateDict,
    placement: Placement,
    worst: Worst,
}

impl<'a> Case<'a> {
    fn new(fixture: &'a Fixture, placement: Placement) -> Self {
        let config = config(&fixture.meta["init_kwargs"]);
        let weights = fixture.weights("params.");
        let generator =
            Generator::from_state_dict(GeneratorConfig::StyleGan2(config.clone()), weights.clone(), &placement)
                .expect("a generator");
        Self { fixture, config, generator, weights, placement, worst: Worst::default() }
    }

    fn w(&self) -> Tensor<2> {
        let latent = &self.placement.latent;
        let label = self.fixture.try_get("in.c").map(|label| label.tensor(latent));
        self.generator.map(self.fixture.get("in.z").tensor(latent), label).expect("w")
    }

    fn ones(&self) -> Vec<f32> {
        vec![1.0; self.generator.noise_shapes().len()]
    }

    fn image(&self, ws: Tensor<3>, noise: &Noise) -> Tensor<4> {
        let styles = self.generator.affine(ws).expect("styles");
        self.generator.synthesize(&styles, noise).expect("an image")
    }

    fn compare<const D: usize>(&mut self, name: &str, got: Tensor<D>) {
        let what = format!("{} {name}", self.fixture.name());
        let error = assert_close(&what, got, self.fixture.get(name), TOLERANCE);
        self.worst.add(error);
    }

    /// `w` and `ws` at every truncation, and the images of the first sample.
    fn truncations(&mut self) {
        let (w, ones) = (self.w(), self.ones());
        let noise = Noise::Const { strength: &ones };
        for tag in self.fixture.names("out.ws.") {
            let (psi, cutoff) = truncation(&tag);
            self.compare(&format!("out.ws.{tag}"), self.generator.truncate(w.clone(), psi, cutoff));
            let image = format!("out.img.const.{tag}");
            if self.fixture.arrays.contains_key(&image) {
                let first = self.generator.truncate(w.clone().narrow(0, 0, 1), psi, cutoff);
                self.compare(&image, self.image(first, &noise));
            }
        }
    }

    fn noise_modes(&mut self) {
        let ws = self.generator.truncate(self.w(), 1.0, None);
        let strength = self.ones();
        let maps = self
            .generator
            .layers()
            .iter()
            .filter(|layer| layer.noise_index.is_some())
            .map(|layer| self.fixture.get(&format!("in.noise.{}", layer.name)).tensor(&self.placement.synthesis))
            .collect();
        let random = NoiseInput { maps, strength: strength.clone() };
        self.compare("out.img.const", self.image(ws.clone(), &Noise::Const { strength: &strength }));
        self.compare("out.img.none", self.image(ws.clone(), &Noise::None));
        self.compare("out.img.random", self.image(ws.clone(), &Noise::Maps(&random)));
        // A strength of nought is no noise.
        let silent = vec![0.0; strength.len()];
        self.compare("out.img.none", self.image(ws, &Noise::Const { strength: &silent }));
    }

    /// Styles of two samples, and vectors that no sample has.
    fn styles_of_ones_own(&mut self) {
        let ones = self.ones();
        let ws = |name: &str| self.fixture.get(&format!("in.ws.{name}")).tensor::<3>(&self.placement.latent);
        let both = self.generator.truncate(self.w(), 1.0, None);
        let cutoff = self.fixture.meta["mix_cutoff"].as_u64().expect("mix_cutoff") as usize;
        let num_ws = both.dims()[1];
        let mixed = Tensor::cat(
            vec![
                both.clone().narrow(0, 0, 1).narrow(1, 0, cutoff),
                both.narrow(0, 1, 1).narrow(1, cutoff, num_ws - cutoff),
            ],
            1,
        );
        let (mix, plus) = (ws("mix"), ws("plus"));
        self.compare("in.ws.mix", mixed);
        let noise = Noise::Const { strength: &ones };
        self.compare("out.img.mix", self.image(mix, &noise));
        self.compare("out.img.plus", self.image(plus, &noise));
    }

    /// Block by block, and every layer of a block by itself.
    fn layers(&mut self) {
        let ones = self.ones();
        let noise = Noise::Const { strength: &ones };
        let ws = self.generator.truncate(self.w(), 1.0, None);
        let styles = self.generator.affine(ws).expect("styles");
        let mut state = self.generator.start(self.fixture.get("in.z").shape[0]);
        for index in 0..self.generator.num_blocks() {
            let side = 4usize << index;
            let mut x = state.x();
            state = self.generator.block(index, state, &styles, &noise).expect("a block");
            for layer in 0..self.generator.layers().len() {
                let info = self.generator.layers()[layer].clone();
                if info.resolution != side {
                    continue;
                }
                // Residual blocks give RGB from the sum of their two branches, which only the block knows.
                let input = if info.kind == LayerKind::ToRgb { state.x() } else { x };
                let y = self.layer(layer, input, &styles);
                // The largest file has no layers.
                let name = format!("out.layer.{}", info.name);
                if self.fixture.arrays.contains_key(&name) {
                    self.compare(&name, y.clone());
                }
                x = y;
            }
            if let Some(image) = state.image() {
                let name = format!("out.layer.b{side}.img");
                if self.fixture.arrays.contains_key(&name) {
                    self.compare(&name, image);
                }
            }
        }
        let image = self.generator.finish(state).expect("an image");
        let whole = self.generator.synthesize(&styles, &noise).expect("an image");
        assert_eq!(values(image.clone()), values(whole), "block by block and at once");
        self.compare("out.img.const", image);
    }

    /// One layer as the operation computes it from the weights of the file.
    fn layer(&self, layer: usize, x: Tensor<4>, styles: &Styles) -> Tensor<4> {
        let device = &self.placement.synthesis;
        let info = &self.generator.layers()[layer];
        let weight = |field: &str| {
            let array = self.fixture.get(&format!("params.synthesis.{}.{field}", info.name));
            (array.shape.clone(), array.f32())
        };
        let tensor = |field: &str| {
            let (shape, values) = weight(field);
            (Tensor::<1>::from_data(&values[..], device), shape)
        };
        let filter = Filter::separable(&self.config.resample_filter, device);
        let style = styles.0[layer].clone().to_device(device);
        let to_rgb = info.kind == LayerKind::ToRgb;
        let residual =
            self.config.architecture == Architecture::Resnet && info.resolution > 4 && info.name.ends_with("conv1");
        let gain = if residual { FRAC_1_SQRT_2 } else { 1.0 };
        let noise = info.noise_index.map(|_| LayerNoise {
            map: tensor("noise_const").0.reshape([1, 1, info.resolution, info.resolution]),
            strength: tensor("noise_strength").0,
            multiplier: 1.0,
        });
        let (weight, shape) = tensor("weight");
        let weight = weight.reshape([shape[0], shape[1], shape[2], shape[3]]);
        synthesis_layer(SynthesisLayer {
            x,
            weight,
            style: if to_rgb { style.div_scalar((info.style_dim as f64).sqrt()) } else { style },
            up: info.name.ends_with("conv0").then_some(&filter),
            demodulate: !to_rgb,
            noise,
            bias: Some(tensor("bias").0),
            activation: if to_rgb { Activation::Linear } else { Activation::LeakyRelu },
            gain: if to_rgb { 1.0 } else { SQRT_2 * gain },
            clamp: self.config.conv_clamp.map(|limit| limit * gain),
        })
    }

    /// What goes in comes out, bit for bit.
    fn round_trip(&self) {
        let stored = self.generator.state_dict().expect("weights");
        assert_eq!(stored.0.len(), self.weights.0.len());
        for (name, tensor) in &self.weights.0 {
            assert_eq!(stored.0.get(name), Some(tensor), "{name}");
        }
        let w_avg = &self.weights.0["mapping.w_avg"].data;
        assert_eq!(self.generator.w_avg(), w_avg);
        for layer in self.generator.layers() {
            let index = layer.noise_index;
            let name = format!("synthesis.{}.noise_const", layer.name);
            assert_eq!(
                index.and_then(|i| self.generator.const_noise(i)),
                self.weights.0.get(&name).map(|t| t.data.clone())
            );
        }
    }
}

#[test]
fn parity_stylegan2_and_ops() {
    let (mut generators, mut operations) = (0, 0);
    for path in group("sg2_nv", "safetensors") {
        let fixture = Fixture::load(&path);
        match fixture.kind() {
            "generator" => {
                let mut case = Case::new(&fixture, Placement::cpu());
                case.truncations();
                case.noise_modes();
                case.styles_of_ones_own();
                case.layers();
                case.round_trip();
                fixture.assert_all_used("out.", |_| false);
                case.worst.report(&fixture.name());
                generators += 1;
            }
            "ops" => {
                ops::run(&fixture, &Device::flex());
                operations += 1;
            }
            "discriminator" => println!("{}: passed over, a discriminator", fixture.name()),
            other => panic!("{}: nobody knows the kind {other}", path.display()),
        }
    }
    assert!(generators >= 2 && operations >= 1, "{generators} generators, {operations} files of operations");
}

/// The mapping network is the same in a batch and alone.
#[test]
fn parity_stylegan2_single_and_batch() {
    for path in group("sg2_nv", "safetensors") {
        let fixture = Fixture::load(&path);
        if fixture.kind() != "generator" {
            continue;
        }
        let case = Case::new(&fixture, Placement::cpu());
        let latent = &case.placement.latent;
        let batch = values(case.w());
        let z = fixture.get("in.z");
        let w_dim = case.config.w_dim;
        for i in 0..z.shape[0] {
            let label = fixture.try_get("in.c").map(|label| label.sample(i).tensor(latent));
            let w = values(case.generator.map(z.sample(i).tensor(latent), label).expect("w"));
            let expected: Vec<f64> = batch[i * w_dim..(i + 1) * w_dim].iter().map(|&v| f64::from(v)).collect();
            assert_values_close("w alone", &w, &expected, 1e-5);
        }
    }
}
