//! Discriminators in files: whatever their names, they are delivered under the official ones, and compute what their own code
//! did.

mod files;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use burn::tensor::Device;
use files::{plain_safetensors, torch_zip};
use stylescope::{
    checkpoint::{open, open_bytes, read_safetensors},
    grad::Var,
    model::{
        config::StyleGan1Variant,
        discriminator_config::{
            DiscriminatorArchitecture, DiscriminatorConfig, LabelProjection, StyleGan2DiscriminatorConfig, WHOLE_BATCH,
        },
        state_dict::{HostTensor, StateDict},
        trainable::{Images, TrainableDiscriminator},
    },
};

fn fixture(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(path)
}

/// What a discriminator's arrays are, whatever they are called.
fn discriminator_of(weights: &StateDict) -> (DiscriminatorConfig, StateDict) {
    let file = open_bytes("bare", plain_safetensors(weights)).unwrap_or_else(|error| panic!("{error:?}"));
    file.load_discriminator(file.discriminator().expect("a discriminator")).unwrap()
}

#[test]
fn official_discriminators() {
    let file = open(&fixture("pkl/sg3repo_t215.p4.nosrc.pkl"), &()).unwrap();
    let index = file.discriminator().unwrap();
    assert_eq!((index, file.networks()[index].name.as_str()), (1, "D"));
    let (config, weights) = file.load_discriminator(index).unwrap();
    let DiscriminatorConfig::StyleGan2(config) = config else { panic!("{config:?}") };
    assert_eq!((config.resolution, config.img_channels, config.label_dim), (32, 3, 0));
    assert_eq!(config.architecture, DiscriminatorArchitecture::Resnet);
    assert_eq!((config.mbstd_group_size, config.mbstd_num_channels, config.conv_clamp), (Some(4), 1, Some(256.0)));
    assert_eq!(config.channels.0, BTreeMap::from([(4, 32), (8, 32), (16, 32), (32, 16)]));
    assert_eq!(config.resample_filter, [1.0, 3.0, 3.0, 1.0]);
    // All arrays but the filters, as they are.
    let raw = file.load_raw(index).unwrap();
    let arrays = raw.0.into_iter().filter(|(name, _)| !name.ends_with("resample_filter"));
    assert_eq!(weights, StateDict(arrays.collect()));
}

/// Every discriminator of the references, from its bare state dict: the shapes say what it is.
#[test]
fn reference_discriminators() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let outside = std::env::var_os("STYLESCOPE_FIXTURES").map_or(root.join("../shared/fixtures"), |f| root.join(f));
    let Ok(entries) = fs::read_dir(outside.join("sg2_nv")) else {
        eprintln!("passed over: no fixtures at {}", outside.display());
        return;
    };
    let mut checked = 0;
    for path in entries.map(|entry| entry.unwrap().path()) {
        let (arrays, metadata) = read_safetensors(&fs::read(&path).unwrap()).unwrap();
        let meta: serde_json::Value = serde_json::from_str(&metadata["meta"]).unwrap();
        if meta["kind"] != "discriminator" {
            continue;
        }
        let strip = |(name, array): (&String, &HostTensor)| Some((name.strip_prefix("params.")?.into(), array.clone()));
        let weights = StateDict(arrays.0.iter().filter_map(strip).collect());
        let (config, read) = discriminator_of(&weights);
        let arrays = weights.0.into_iter().filter(|(name, _)| !name.ends_with("resample_filter"));
        assert_eq!(read, StateDict(arrays.collect()), "{}", path.display());
        let DiscriminatorConfig::StyleGan2(config) = config else { panic!("{config:?}") };
        let kwargs = &meta["init_kwargs"];
        let number = |value: &serde_json::Value| value.as_u64().map(|n| n as usize);
        let architecture = match kwargs["architecture"].as_str() {
            Some("orig") => DiscriminatorArchitecture::Orig,
            Some("skip") => DiscriminatorArchitecture::Skip,
            _ => DiscriminatorArchitecture::Resnet,
        };
        assert_eq!(config.architecture, architecture, "{}", path.display());
        assert_eq!(Some(config.label_dim), number(&kwargs["c_dim"]));
        assert_eq!(Some(config.resolution), number(&kwargs["img_resolution"]));
        assert_eq!(Some(config.img_channels), number(&kwargs["img_channels"]));
        let mbstd = number(&kwargs["epilogue_kwargs"]["mbstd_num_channels"]).unwrap_or(1);
        assert_eq!(config.mbstd_num_channels, mbstd, "{}", path.display());
        if config.label_dim > 0 {
            assert_eq!((config.mapping.num_layers, config.mapping.hidden_dim, config.cmap_dim), (8, 32, 32));
        }
        checked += 1;
    }
    assert!(checked >= 6, "{checked}");
}

#[test]
fn community_discriminators() {
    // The official arrays under the community's names: its discriminator is the residual one.
    let file = open(&fixture("pkl/sg3repo_t215.p4.nosrc.pkl"), &()).unwrap();
    let (config, weights) = file.load_discriminator(1).unwrap();
    let rename = |name: &str| {
        let name = name.replace("b4.conv.weight", "final_conv.0.weight").replace("b4.conv.bias", "final_conv.1.bias");
        let name = name.replace("b4.fc.", "final_linear.0.").replace("b4.out.", "final_linear.1.");
        let name = name.replace("b32.fromrgb.weight", "convs.0.0.weight").replace("b32.fromrgb.bias", "convs.0.1.bias");
        let name = name.replace("b32.", "convs.1.").replace("b16.", "convs.2.").replace("b8.", "convs.3.");
        let name = name.replace("conv1.weight", "conv2.1.weight").replace("conv1.bias", "conv2.2.bias");
        let name = name.replace("conv0.weight", "conv1.0.weight").replace("conv0.bias", "conv1.1.bias");
        name.replace("skip.weight", "skip.1.weight")
    };
    let community = StateDict(weights.0.iter().map(|(name, array)| (rename(name), array.clone())).collect());
    let (read_config, read) = discriminator_of(&community);
    assert_eq!(read, weights);
    let DiscriminatorConfig::StyleGan2(config) = config else { panic!("{config:?}") };
    assert_eq!(
        read_config,
        DiscriminatorConfig::StyleGan2(StyleGan2DiscriminatorConfig { conv_clamp: None, ..config })
    );
    let broken = |change: &dyn Fn(&mut BTreeMap<String, HostTensor>)| {
        let mut weights = community.clone();
        change(&mut weights.0);
        format!("{:?}", open_bytes("bare", plain_safetensors(&weights)).unwrap_err())
    };
    assert!(broken(&|weights| drop(weights.remove("convs.2.skip.1.weight"))).contains("convs.2.skip.1.weight"));
    assert!(broken(&|weights| drop(weights.remove("final_conv.1.bias"))).contains("final_conv.1.bias is missing"));
    let narrow = HostTensor { shape: vec![32, 31, 3, 3], data: vec![0.0; 32 * 31 * 9] };
    assert!(
        broken(&|weights| drop(weights.insert("final_conv.0.weight".into(), narrow.clone()))).contains("31 inputs")
    );
}

/// The logits of a batch of square images.
fn logits(config: DiscriminatorConfig, weights: &StateDict, images: &[Map], label: Option<&[f32]>) -> Vec<f32> {
    let device = Device::flex();
    let network = TrainableDiscriminator::new(config, &device).unwrap();
    let weights = network.load(weights, &device).unwrap().weights(false);
    let values = images.iter().flat_map(|image| image.data.iter().map(|value| *value as f32)).collect();
    let (batch, Map { channels, side, .. }) = (images.len(), &images[0]);
    let image = Var::from_values(values, [batch, *channels, *side, *side], &device);
    let label = label.map(|label| Var::from_values(label.repeat(batch), [batch, label.len(), 1, 1], &device));
    let logits = network.logits(&weights, &Images { image, smaller: Vec::new() }, label.as_ref(), None).unwrap();
    logits.value().clone().into_data().try_to_vec().unwrap()
}

#[test]
fn a_direct_label_picks_an_output() {
    let file = open(&fixture("pkl/sg3repo_t215.p4.nosrc.pkl"), &()).unwrap();
    let (config, weights) = file.load_discriminator(1).unwrap();
    let DiscriminatorConfig::StyleGan2(config) = config else { panic!("{config:?}") };
    let mut numbers = Numbers(3);
    let images: Vec<Map> = (0..4).map(|_| Map::new(3, 32, || numbers.next())).collect();
    let other = numbers.array(&[1, 32], 1.0);
    let both = StateDict(
        weights
            .0
            .iter()
            .map(|(name, array)| {
                let (shape, data) = match name.as_str() {
                    "b4.out.weight" => (vec![2, 32], [array.data.clone(), other.data.clone()].concat()),
                    "b4.out.bias" => (vec![2], vec![array.data[0], 0.5]),
                    _ => (array.shape.clone(), array.data.clone()),
                };
                (name.clone(), HostTensor { shape, data })
            })
            .collect(),
    );
    let mut second = weights.clone();
    second.0.insert("b4.out.weight".into(), other);
    second.0.insert("b4.out.bias".into(), HostTensor { shape: vec![1], data: vec![0.5] });
    let direct = DiscriminatorConfig::StyleGan2(StyleGan2DiscriminatorConfig {
        label_dim: 2,
        label_projection: LabelProjection::Direct,
        ..config.clone()
    });
    for (label, weights) in [([1.0, 0.0], &weights), ([0.0, 1.0], &second)] {
        let expected = logits(DiscriminatorConfig::StyleGan2(config.clone()), weights, &images, None);
        assert_close(&logits(direct.clone(), &both, &images, Some(&label)), &expected);
    }
}

/// The arrays of the community port's StyleGAN discriminator at 16 pixels, the first block fused, in a file with a block
/// above them that was never trained.
fn community_stylegan(activated: bool) -> StateDict {
    let mut numbers = Numbers(5);
    let mut weights = StateDict::default();
    let mut layer = |name: &str, suffix: &str, shape: &[usize], trained: bool| {
        weights.0.insert(format!("{name}.weight{suffix}"), numbers.array(shape, 1.0));
        weights.0.insert(format!("{name}.bias"), numbers.array(&shape[..1], if trained { 1.0 } else { 0.0 }));
    };
    for (block, inputs, outputs) in [(0, 3, 4), (1, 4, 5), (2, 5, 6), (3, 6, 6)] {
        let trained = block > 0;
        let rgb = if activated { format!("from_rgb.{block}.0.conv") } else { format!("from_rgb.{block}.conv") };
        layer(&rgb, "_orig", &[inputs, 3, 1, 1], trained);
        let name = format!("progression.{block}");
        let first = if block == 3 { inputs + 1 } else { inputs };
        layer(&format!("{name}.conv1.0.conv"), "_orig", &[outputs, first, 3, 3], trained);
        match block {
            3 => layer(&format!("{name}.conv2.0.conv"), "_orig", &[outputs, outputs, 4, 4], trained),
            2 => layer(&format!("{name}.conv2.1.conv"), "_orig", &[outputs, outputs, 3, 3], trained),
            _ => layer(&format!("{name}.conv2.1"), "", &[outputs, outputs, 3, 3], trained),
        }
    }
    layer("linear.linear", "_orig", &[1, 6], true);
    weights
}

#[test]
fn community_stylegan_discriminators() {
    for activated in [true, false] {
        let weights = community_stylegan(activated);
        let wrapped =
            StateDict(weights.0.iter().map(|(name, array)| (format!("module.{name}"), array.clone())).collect());
        for bytes in [plain_safetensors(&weights), torch_zip(&[(Some("discriminator"), &wrapped)])] {
            let file = open_bytes("styled.model", bytes).unwrap_or_else(|error| panic!("{error:?}"));
            assert!(file.notes.iter().any(|note| note.contains("above 16x16")), "{:?}", file.notes);
            let (config, read) = file.load_discriminator(file.discriminator().unwrap()).unwrap();
            let DiscriminatorConfig::StyleGan1(c) = &config else { panic!("{config:?}") };
            assert_eq!((c.resolution, c.img_channels, c.label_dim, c.fused_from), (16, 3, 0, 16));
            assert_eq!((c.variant, c.mbstd_group_size), (StyleGan1Variant::Community, WHOLE_BATCH));
            assert_eq!((c.from_rgb_activation, &c.channels.0), (activated, &BTreeMap::from([(16, 4), (8, 5), (4, 6)])));
            let mut numbers = Numbers(9);
            let images: Vec<Map> = (0..3).map(|_| Map::new(3, 16, || numbers.next())).collect();
            let expected = community_stylegan_logits(&weights, &images, activated);
            assert_close(&logits(config, &read, &images, None), &expected);
        }
    }
    let mut missing = community_stylegan(true);
    missing.0.remove("progression.2.conv2.1.conv.bias");
    let error = format!("{:?}", open_bytes("styled.model", plain_safetensors(&missing)).unwrap_err());
    assert!(error.contains("progression.2.conv2.1.conv.bias is missing"), "{error}");
}

/// The same network in plain loops: every weight times sqrt(2 / fan_in), the standard deviation over the whole batch.
fn community_stylegan_logits(weights: &StateDict, images: &[Map], activated: bool) -> Vec<f32> {
    let equal = |name: &str, suffix: &str| {
        let weight = &weights.0[&format!("{name}.weight{suffix}")];
        let fan_in: usize = weight.shape[1..].iter().product();
        let scaled = weight.data.iter().map(|w| f64::from(*w) * (2.0 / fan_in as f64).sqrt()).collect();
        (weight.shape.clone(), scaled, &weights.0[&format!("{name}.bias")].data)
    };
    let rgb = if activated { "from_rgb.1.0.conv" } else { "from_rgb.1.conv" };
    let mut maps: Vec<Map> = images.iter().map(|image| image.conv(&equal(rgb, "_orig"), 1, 0)).collect();
    if activated {
        maps = maps.iter().map(Map::leaky).collect();
    }
    for block in 1..=3 {
        if block == 3 {
            let deviation = deviation(&maps);
            maps.iter_mut().for_each(|map| map.append(deviation));
        }
        let name = format!("progression.{block}");
        for map in &mut maps {
            let x = map.conv(&equal(&format!("{name}.conv1.0.conv"), "_orig"), 1, 1).leaky();
            *map = match block {
                1 => x.blurred().conv(&spread(&equal(&format!("{name}.conv2.1"), "")), 2, 1).leaky(),
                2 => x.blurred().conv(&equal(&format!("{name}.conv2.1.conv"), "_orig"), 1, 1).halved().leaky(),
                _ => x.conv(&equal(&format!("{name}.conv2.0.conv"), "_orig"), 1, 0).leaky(),
            };
        }
    }
    let (_, linear, bias) = equal("linear.linear", "_orig");
    let logit = |map: &Map| map.data.iter().zip(&linear).map(|(x, w)| x * w).sum::<f64>() + f64::from(bias[0]);
    maps.iter().map(|map| logit(map) as f32).collect()
}

/// The mean over all positions of the standard deviation over the batch.
fn deviation(maps: &[Map]) -> f64 {
    let (batch, positions) = (maps.len() as f64, maps[0].data.len());
    let at = |i: usize| {
        let mean = maps.iter().map(|map| map.data[i]).sum::<f64>() / batch;
        let variance = maps.iter().map(|map| (map.data[i] - mean).powi(2)).sum::<f64>() / batch;
        (variance + 1e-8).sqrt()
    };
    (0..positions).map(at).sum::<f64>() / positions as f64
}

type Layer<'a> = (Vec<usize>, Vec<f64>, &'a Vec<f32>);

/// The mean of a 3x3 kernel's four shifted copies.
fn spread<'a>((shape, weight, bias): &Layer<'a>) -> Layer<'a> {
    let mut spread = Vec::new();
    for kernel in weight.chunks(9) {
        let tap = |y: isize, x: isize| {
            if (0..3).contains(&y) && (0..3).contains(&x) { kernel[(3 * y + x) as usize] } else { 0.0 }
        };
        for (y, x) in (0..4).flat_map(|y| (0..4).map(move |x| (y, x))) {
            spread.push((tap(y, x) + tap(y - 1, x) + tap(y, x - 1) + tap(y - 1, x - 1)) / 4.0);
        }
    }
    (vec![shape[0], shape[1], 4, 4], spread, bias)
}

/// Square feature maps of one sample.
struct Map {
    channels: usize,
    side: usize,
    data: Vec<f64>,
}

impl Map {
    fn new(channels: usize, side: usize, mut value: impl FnMut() -> f32) -> Self {
        Self { channels, side, data: (0..channels * side * side).map(|_| f64::from(value())).collect() }
    }

    fn at(&self, channel: usize, y: isize, x: isize) -> f64 {
        let side = self.side as isize;
        let inside = (0..side).contains(&y) && (0..side).contains(&x);
        if inside { self.data[(channel * self.side + y as usize) * self.side + x as usize] } else { 0.0 }
    }

    fn each(channels: usize, side: usize, value: impl Fn(usize, isize, isize) -> f64) -> Self {
        let positions = (0..channels).flat_map(|c| (0..side).flat_map(move |y| (0..side).map(move |x| (c, y, x))));
        Self { channels, side, data: positions.map(|(c, y, x)| value(c, y as isize, x as isize)).collect() }
    }

    fn conv(&self, (shape, weight, bias): &Layer<'_>, stride: usize, pad: usize) -> Self {
        let [outputs, inputs, kernel, _] = shape[..] else { panic!("{shape:?}") };
        let side = (self.side + 2 * pad - kernel) / stride + 1;
        Self::each(outputs, side, |o, y, x| {
            let mut sum = f64::from(bias[o]);
            for (i, ky, kx) in (0..inputs).flat_map(|i| (0..kernel * kernel).map(move |k| (i, k / kernel, k % kernel)))
            {
                let (y, x) = (y * stride as isize + ky as isize, x * stride as isize + kx as isize);
                let tap = weight[((o * inputs + i) * kernel + ky) * kernel + kx];
                sum += tap * self.at(i, y - pad as isize, x - pad as isize);
            }
            sum
        })
    }

    fn leaky(&self) -> Self {
        Self::each(self.channels, self.side, |c, y, x| self.at(c, y, x).max(0.2 * self.at(c, y, x)))
    }

    fn blurred(&self) -> Self {
        let taps = [(-1, 1.0), (0, 2.0), (1, 1.0)];
        Self::each(self.channels, self.side, |c, y, x| {
            let products = taps.iter().flat_map(|a| taps.iter().map(move |b| (a, b)));
            products.map(|((dy, a), (dx, b))| a * b / 16.0 * self.at(c, y + dy, x + dx)).sum()
        })
    }

    fn halved(&self) -> Self {
        Self::each(self.channels, self.side / 2, |c, y, x| {
            let at = |dy, dx| self.at(c, 2 * y + dy, 2 * x + dx);
            (at(0, 0) + at(0, 1) + at(1, 0) + at(1, 1)) / 4.0
        })
    }

    fn append(&mut self, value: f64) {
        self.channels += 1;
        self.data.extend(vec![value; self.side * self.side]);
    }
}

struct Numbers(u64);

impl Numbers {
    /// Evenly from -1 to 1.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }

    fn array(&mut self, shape: &[usize], scale: f32) -> HostTensor {
        let data = (0..shape.iter().product()).map(|_| self.next() * scale).collect();
        HostTensor { shape: shape.to_vec(), data }
    }
}

fn assert_close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() <= 1e-5 * b.abs().max(1.0), "{found:?} for {expected:?}");
    }
}
