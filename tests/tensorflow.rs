//! Pickles of the official TensorFlow code. There is no such file among the references: these are written here, in the
//! structure of the real ones, from arrays whose place in the state dict is known.

mod files;

use std::{collections::BTreeMap, path::Path};

use files::Pickle;
use stylescope::{
    checkpoint::{Lineage, Role, open, open_bytes, read_safetensors, save_safetensors},
    model::{
        config::{Architecture, GeneratorConfig, LabelNormalization, StyleGan1Config, StyleGan2Config},
        discriminator_config::{DiscriminatorArchitecture, DiscriminatorConfig, LabelProjection},
        state_dict::{HostTensor, StateDict},
    },
};

/// Arrays by TensorFlow name.
type Variables = BTreeMap<String, HostTensor>;

/// A network as `dnnlib` pickles it: mapping and synthesis are components with variables of their own.
fn network(p: Pickle, build: &str, variables: &Variables, kwargs: &dyn Fn(Pickle) -> Pickle, split: bool) -> Pickle {
    let component = |name: &str| match name {
        _ if !split => "",
        "dlatent_avg" => "",
        name if name.starts_with("Dense") || name.starts_with("Label") => "mapping",
        _ => "synthesis",
    };
    let part = |p: Pickle, part: &str, components: &dyn Fn(Pickle) -> Pickle| {
        p.global("dnnlib.tflib.network", "Network")
            .raw(b")\x81")
            .dict(|p| {
                let p = p.str("version").int(4).str("name").str(build);
                let p = p.str("static_kwargs").global("dnnlib.util", "EasyDict").raw(b")\x81(");
                let p = kwargs(p.str("num_channels").int(3)).raw(b"u");
                let p = components(p.str("components"));
                let p = p.str("build_module_src").str("raise SystemExit").str("build_func_name").str(build);
                p.str("variables").list(|p| {
                    variables.iter().filter(|(name, _)| component(name) == part).fold(p, |p, (name, array)| {
                        let shape: Vec<i64> = array.shape.iter().map(|&length| length as i64).collect();
                        p.raw(b"(").str(name).numpy(&shape, &array.data).raw(b"t")
                    })
                })
            })
            .raw(b"b")
    };
    let none = |p: Pickle| p.raw(b"}");
    part(p, "", &|p| {
        p.dict(|p| {
            if !split {
                return p;
            }
            let p = part(p.str("mapping"), "mapping", &none);
            part(p.str("synthesis"), "synthesis", &none)
        })
    })
}

fn triple(generator: &Variables, discriminator: &Variables, kwargs: &dyn Fn(Pickle) -> Pickle) -> Vec<u8> {
    let halved: Variables = generator
        .iter()
        .map(|(name, array)| {
            let data = array.data.iter().map(|value| value / 2.0).collect();
            (name.clone(), HostTensor { shape: array.shape.clone(), data })
        })
        .collect();
    Pickle::new(4)
        .tuple(|p| {
            let p = network(p, "G_main", &halved, kwargs, true);
            let p = network(p, "D_main", discriminator, &|p| p, false);
            network(p, "G_main", generator, kwargs, true)
        })
        .stop()
}

/// Element of a row-major array.
fn at(array: &HostTensor, index: &[usize]) -> f32 {
    let flat = array.shape.iter().zip(index).fold(0, |flat, (&length, &i)| flat * length + i);
    array.data[flat]
}

/// An array of `shape` whose elements are `value(index)`.
fn build(shape: &[usize], value: impl Fn(&[usize]) -> f32) -> HostTensor {
    let len: usize = shape.iter().product();
    let data = (0..len).map(|flat| {
        let mut index = vec![0; shape.len()];
        let mut rest = flat;
        for axis in (0..shape.len()).rev() {
            index[axis] = rest % shape[axis];
            rest /= shape[axis];
        }
        value(&index)
    });
    HostTensor { shape: shape.to_vec(), data: data.collect() }
}

/// [in, out] of [out, in] and back.
fn transposed(array: &HostTensor) -> HostTensor {
    build(&[array.shape[1], array.shape[0]], |i| at(array, &[i[1], i[0]]))
}

/// [out, in, k, k] to [k, k, in, out].
fn hwio(array: &HostTensor) -> HostTensor {
    let [o, i, h, w] = array.shape[..] else { panic!("{:?}", array.shape) };
    build(&[h, w, i, o], |x| at(array, &[x[3], x[2], x[0], x[1]]))
}

struct Numbers(u64);

impl Numbers {
    fn array(&mut self, shape: &[usize]) -> HostTensor {
        let len: usize = shape.iter().product();
        let data = (0..len).map(|_| {
            self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        });
        HostTensor { shape: shape.to_vec(), data: data.collect() }
    }
}

/// TensorFlow variables of a StyleGAN2 generator, and the state dict that they mean.
fn stylegan2(architecture: Architecture, label_dim: usize) -> (Variables, StateDict) {
    let (z_dim, w_dim, hidden, num_layers, resolution) = (8, 7, 9, 3, 16);
    let channels = BTreeMap::from([(4, 6), (8, 5), (16, 4)]);
    let mut numbers = Numbers(7);
    let (mut tf, mut expected) = (Variables::new(), StateDict::default());
    let mut both = |tf_name: String, tf_array: HostTensor, name: String, array: HostTensor| {
        tf.insert(tf_name, tf_array);
        expected.0.insert(name, array);
    };
    let mut zeros = None;
    if label_dim > 0 {
        let weight = numbers.array(&[label_dim, z_dim]);
        let scale = (label_dim as f64).sqrt() as f32;
        let mut embed = transposed(&weight);
        embed.data.iter_mut().for_each(|value| *value *= scale);
        both("LabelConcat/weight".into(), weight, "mapping.embed.weight".into(), embed);
        zeros = Some(HostTensor { shape: vec![z_dim], data: vec![0.0; z_dim] });
    }
    for i in 0..num_layers {
        let inputs = if i > 0 {
            hidden
        } else if label_dim > 0 {
            2 * z_dim
        } else {
            z_dim
        };
        let outputs = if i + 1 == num_layers { w_dim } else { hidden };
        let (weight, bias) = (numbers.array(&[inputs, outputs]), numbers.array(&[outputs]));
        both(format!("Dense{i}/weight"), weight.clone(), format!("mapping.fc{i}.weight"), transposed(&weight));
        both(format!("Dense{i}/bias"), bias.clone(), format!("mapping.fc{i}.bias"), bias);
    }
    let average = numbers.array(&[w_dim]);
    both("dlatent_avg".into(), average.clone(), "mapping.w_avg".into(), average);
    let constant = numbers.array(&[1, channels[&4], 4, 4]);
    let squeezed = HostTensor { shape: vec![channels[&4], 4, 4], data: constant.data.clone() };
    both("4x4/Const/const".into(), constant, "synthesis.b4.const".into(), squeezed);
    let mut noise_index = 0;
    let mut r = 4;
    while r <= resolution {
        let outputs = channels[&r];
        let below = if r == 4 { outputs } else { channels[&(r / 2)] };
        let mut layers = vec![("Conv0_up", "conv0", below, 3), ("Conv1", "conv1", outputs, 3)];
        if r == 4 {
            layers = vec![("Conv", "conv1", outputs, 3)];
        }
        if architecture == Architecture::Skip || r == resolution {
            layers.push(("ToRGB", "torgb", outputs, 1));
        }
        for (layer, name, inputs, kernel) in layers {
            let (from, to) = (format!("{r}x{r}/{layer}"), format!("synthesis.b{r}.{name}"));
            let outputs = if kernel == 1 { 3 } else { outputs };
            let weight = numbers.array(&[kernel, kernel, inputs, outputs]);
            let scale = if kernel == 1 { 1.0 } else { (1.0 / (9.0 * inputs as f64).sqrt()) as f32 };
            // Upsampling weights are stored turned by 180 degrees.
            let turn = |k: usize| if layer == "Conv0_up" { kernel - 1 - k } else { k };
            let official = build(&[outputs, inputs, kernel, kernel], |x| {
                at(&weight, &[turn(x[2]), turn(x[3]), x[1], x[0]]) * scale
            });
            both(format!("{from}/weight"), weight, format!("{to}.weight"), official);
            let bias = numbers.array(&[outputs]);
            both(format!("{from}/bias"), bias.clone(), format!("{to}.bias"), bias);
            let weight = numbers.array(&[w_dim, inputs]);
            both(format!("{from}/mod_weight"), weight.clone(), format!("{to}.affine.weight"), transposed(&weight));
            let bias = numbers.array(&[inputs]);
            let mut shifted = bias.clone();
            shifted.data.iter_mut().for_each(|value| *value += 1.0);
            both(format!("{from}/mod_bias"), bias, format!("{to}.affine.bias"), shifted);
            if kernel == 3 {
                let strength = numbers.array(&[]);
                both(format!("{from}/noise_strength"), strength.clone(), format!("{to}.noise_strength"), strength);
                let noise = numbers.array(&[1, 1, r, r]);
                let squeezed = HostTensor { shape: vec![r, r], data: noise.data.clone() };
                both(format!("noise{noise_index}"), noise, format!("{to}.noise_const"), squeezed);
                noise_index += 1;
            }
        }
        if architecture == Architecture::Resnet && r > 4 {
            let weight = numbers.array(&[1, 1, below, outputs]);
            let official = build(&[outputs, below, 1, 1], |x| at(&weight, &[0, 0, x[1], x[0]]));
            both(format!("{r}x{r}/Skip/weight"), weight, format!("synthesis.b{r}.skip.weight"), official);
        }
        r *= 2;
    }
    if let Some(zeros) = zeros {
        expected.0.insert("mapping.embed.bias".into(), zeros);
    }
    (tf, expected)
}

/// TensorFlow variables of a StyleGAN2 discriminator, and the state dict that they mean.
fn stylegan2_discriminator(architecture: Architecture, label_dim: usize) -> (Variables, StateDict) {
    let mut numbers = Numbers(11);
    let (mut tf, mut expected) = (Variables::new(), StateDict::default());
    let mut layer = |from: String, to: String, shape: &[usize], has_bias: bool| {
        let weight = numbers.array(shape);
        tf.insert(format!("{from}/weight"), if shape.len() == 4 { hwio(&weight) } else { transposed(&weight) });
        expected.0.insert(format!("{to}.weight"), weight);
        if has_bias {
            let bias = numbers.array(&shape[..1]);
            tf.insert(format!("{from}/bias"), bias.clone());
            expected.0.insert(format!("{to}.bias"), bias);
        }
    };
    for (r, inputs, outputs) in [(16, 4, 5), (8, 5, 6), (4, 6, 6)] {
        let (from, to) = (|name: &str| format!("{r}x{r}/{name}"), |name: &str| format!("b{r}.{name}"));
        if r == 16 || architecture == Architecture::Skip {
            layer(from("FromRGB"), to("fromrgb"), &[inputs, 3, 1, 1], true);
        }
        if r > 4 {
            layer(from("Conv0"), to("conv0"), &[inputs, inputs, 3, 3], true);
            layer(from("Conv1_down"), to("conv1"), &[outputs, inputs, 3, 3], true);
        }
        if r > 4 && architecture == Architecture::Resnet {
            layer(from("Skip"), to("skip"), &[outputs, inputs, 1, 1], false);
        }
    }
    layer("4x4/Conv".into(), "b4.conv".into(), &[6, 7, 3, 3], true);
    layer("4x4/Dense0".into(), "b4.fc".into(), &[6, 96], true);
    layer("Output".into(), "b4.out".into(), &[label_dim.max(1), 6], true);
    (tf, expected)
}

#[test]
fn stylegan2_pickles() {
    for (architecture, label_dim) in
        [(Architecture::Skip, 0), (Architecture::Skip, 3), (Architecture::Resnet, 0), (Architecture::Orig, 0)]
    {
        let (tf, expected) = stylegan2(architecture, label_dim);
        let (discriminator, expected_discriminator) = stylegan2_discriminator(architecture, label_dim);
        let bytes = triple(&tf, &discriminator, &|p| {
            p.str("mapping_lrmul")
                .float(0.02)
                .str("dlatent_avg_beta")
                .float(0.99)
                .str("resample_kernel")
                .list(|p| p.int(1).int(2).int(1))
        });
        let file = open_bytes("test.pkl", bytes).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(file.lineage, Lineage::OfficialTensorFlow);
        let roles: Vec<Role> = file.networks().iter().map(|network| network.role).collect();
        assert_eq!(roles, [Role::Generator, Role::Discriminator, Role::GeneratorEma]);
        let (config, weights) = file.load_generator(file.preferred_generator().unwrap()).unwrap();
        assert_eq!(weights.0.keys().collect::<Vec<_>>(), expected.0.keys().collect::<Vec<_>>());
        for (name, array) in &expected.0 {
            assert_eq!(&weights.0[name], array, "{name}");
        }
        // Saved as ours and opened again it is the same, the label's normalisation included.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.safetensors");
        save_safetensors(&path, &config, &weights, &[]).unwrap();
        let own = open(&path, &()).unwrap();
        assert_eq!(own.load_generator(0).unwrap(), (config.clone(), weights.clone()));
        let (_, halved) = file.load_generator(0).unwrap();
        assert_eq!(halved.0["mapping.fc0.bias"].data[0], expected.0["mapping.fc0.bias"].data[0] / 2.0);
        let GeneratorConfig::StyleGan2(config) = config else { panic!("{config:?}") };
        let StyleGan2Config { z_dim, w_dim, resolution, mapping, .. } = &config;
        assert_eq!((*z_dim, *w_dim, *resolution, config.label_dim), (8, 7, 16, label_dim));
        assert_eq!((mapping.num_layers, mapping.hidden_dim, mapping.lr_multiplier), (3, 9, 0.02));
        assert_eq!((mapping.w_avg_beta, mapping.label_normalization), (0.99, LabelNormalization::Joint));
        assert_eq!((config.architecture, config.conv_clamp, config.use_noise), (architecture, None, true));
        assert_eq!(config.resample_filter, [1.0, 2.0, 1.0]);
        assert_eq!(config.channels.0, BTreeMap::from([(4, 6), (8, 5), (16, 4)]));
        assert_eq!(file.discriminator(), Some(1));
        let (config, weights) = file.load_discriminator(1).unwrap();
        assert_eq!(weights, expected_discriminator);
        let DiscriminatorConfig::StyleGan2(config) = config else { panic!("{config:?}") };
        let kind = match architecture {
            Architecture::Resnet => DiscriminatorArchitecture::Resnet,
            Architecture::Skip => DiscriminatorArchitecture::Skip,
            _ => DiscriminatorArchitecture::Orig,
        };
        assert_eq!(
            (config.resolution, config.img_channels, config.label_dim, config.architecture),
            (16, 3, label_dim, kind)
        );
        assert_eq!(config.label_projection == LabelProjection::Direct, label_dim > 0);
        assert_eq!((config.mbstd_group_size, config.mbstd_num_channels, config.conv_clamp), (Some(4), 1, None));
        assert_eq!(config.channels.0, BTreeMap::from([(4, 6), (8, 5), (16, 4)]));
    }
}

/// The TensorFlow name of a StyleGAN generator's array.
fn tensorflow_name(name: &str, blocks: usize) -> String {
    let Some(rest) = name.strip_prefix("synthesis.") else {
        return match name {
            "mapping.label_weight" => "LabelConcat/weight".into(),
            "truncation.w_avg" => "dlatent_avg".into(),
            name => name.replacen("mapping.dense", "Dense", 1).replace('.', "/"),
        };
    };
    let Some((part, field)) = rest.split_once('.') else { return rest.to_owned() };
    if let Some(block) = part.strip_prefix("output") {
        return format!("ToRGB_lod{}/{field}", blocks - 1 - block.parse::<usize>().unwrap());
    }
    let layer: usize = part.strip_prefix("layer").unwrap().parse().unwrap();
    let r = 4 << (layer / 2);
    let module = match (r, layer % 2) {
        (4, 0) => "Const",
        (4, _) => "Conv",
        (_, 0) => "Conv0_up",
        (_, _) => "Conv1",
    };
    match field {
        "apply_noise.noise" => format!("noise{layer}"),
        "apply_noise.weight" => format!("{r}x{r}/{module}/Noise/weight"),
        field => format!("{r}x{r}/{module}/{}", field.replace("style.", "StyleMod/")),
    }
}

/// TensorFlow variables of a reference StyleGAN discriminator, and the state dict that they mean. The reference names
/// every array's TensorFlow name.
fn stylegan_discriminator(arrays: &StateDict, meta: &serde_json::Value) -> (Variables, StateDict) {
    let (mut tf, mut expected) = (Variables::new(), StateDict::default());
    for (name, array) in &arrays.0 {
        let Some(name) = name.strip_prefix("params.D.").filter(|name| *name != "lod") else { continue };
        let tf_name = meta["pth_to_tf"][format!("D.{name}")].as_str().unwrap();
        let tf_array = match array.shape.len() {
            2 => transposed(array),
            4 => hwio(array),
            _ => array.clone(),
        };
        tf.insert(tf_name.to_owned(), tf_array);
        expected.0.insert(name.to_owned(), array.clone());
    }
    (tf, expected)
}

/// The reference networks of StyleGAN; the larger ones name every array's TensorFlow name.
#[test]
fn stylegan_pickles() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let outside = std::env::var_os("STYLESCOPE_FIXTURES").map_or(root.join("../shared/fixtures"), |f| root.join(f));
    let mut checked = 0;
    for folder in [outside, root.join("tests/fixtures")] {
        let Ok(entries) = std::fs::read_dir(folder.join("sg1_official_port")) else { continue };
        for path in
            entries.map(|entry| entry.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "safetensors"))
        {
            let (arrays, metadata) = read_safetensors(&std::fs::read(&path).unwrap()).unwrap();
            let meta: serde_json::Value = serde_json::from_str(&metadata["meta"]).unwrap();
            let (mut tf, mut expected) = (Variables::new(), StateDict::default());
            let blocks = arrays.0.keys().filter(|name| name.contains(".output") && name.ends_with(".weight")).count();
            for (name, array) in &arrays.0 {
                let Some(name) = name.strip_prefix("params.G.") else { continue };
                let tf_name = tensorflow_name(name, blocks);
                if let Some(given) = meta["pth_to_tf"].get(format!("G.{name}")) {
                    assert_eq!(given, &tf_name, "{name}");
                }
                let is_weight = name.ends_with(".weight");
                let tf_array = match array.shape.len() {
                    2 if is_weight => transposed(array),
                    4 if is_weight => hwio(array),
                    _ => array.clone(),
                };
                tf.insert(tf_name, tf_array);
                if !name.ends_with("lod") {
                    expected.0.insert(name.to_owned(), array.clone());
                }
            }
            assert!(expected.0.len() > 30, "{}", path.display());
            let (tf_discriminator, expected_discriminator) = stylegan_discriminator(&arrays, &meta);
            let bytes =
                triple(&tf, &tf_discriminator, &|p| p.str("fused_scale").str("auto").str("use_styles").raw(&[0x88]));
            let file = open_bytes("test.pkl", bytes).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
            let (config, weights) = file.load_generator(file.preferred_generator().unwrap()).unwrap();
            assert_eq!(weights.0.keys().collect::<Vec<_>>(), expected.0.keys().collect::<Vec<_>>());
            for (name, array) in &expected.0 {
                assert_eq!(&weights.0[name], array, "{name}");
            }
            let GeneratorConfig::StyleGan1(config) = config else { panic!("{config:?}") };
            let StyleGan1Config { z_dim, w_dim, resolution, label_dim, fused_from, .. } = config;
            let kwargs = &meta["G_kwargs"];
            let given = |name: &str| kwargs[name].as_u64().unwrap_or(0) as usize;
            assert_eq!((z_dim, w_dim), (given("z_space_dim"), given("w_space_dim")));
            assert_eq!((resolution, label_dim, fused_from), (given("resolution"), given("label_size"), 128));
            checked += 1;
            // The small reference has none.
            assert_eq!(file.discriminator(), (!expected_discriminator.0.is_empty()).then_some(1));
            let Some(index) = file.discriminator() else { continue };
            let (config, weights) = file.load_discriminator(index).unwrap();
            assert_eq!(weights, expected_discriminator);
            let DiscriminatorConfig::StyleGan1(config) = config else { panic!("{config:?}") };
            assert_eq!((config.resolution, config.label_dim, config.img_channels), (resolution, label_dim, 3));
            assert_eq!((config.mbstd_group_size, config.fused_from), (4, 128));
        }
    }
    assert!(checked > 0, "tests/fixtures/sg1_official_port has a file");
}

#[test]
fn other_tensorflow_networks_are_named() {
    let variables = Variables::from([("4x4/Dense/weight".to_owned(), Numbers(1).array(&[4, 4]))]);
    let bytes = triple(&variables, &Variables::new(), &|p| p);
    let error = open_bytes("test.pkl", bytes).unwrap_err();
    assert!(format!("{error:?}").contains("Progressive GAN"), "{error:?}");
    let (tf, _) = stylegan2(Architecture::Skip, 0);
    let error = open_bytes("test.pkl", triple(&tf, &tf, &|p| p.str("use_pixel_norm").raw(&[0x88]))).unwrap_err();
    assert!(format!("{error:?}").contains("use_pixel_norm = true"), "{error:?}");
}
