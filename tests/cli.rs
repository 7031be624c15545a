//! The binary as a user calls it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use image::RgbaImage;
use stylescope::{
    base::numpy_rng::z_from_seed,
    checkpoint,
    gpu::{
        device::{DeviceChoice, select},
        quantize::rgba8,
    },
    latent::seed::position_of,
    model::{
        Generator, Placement,
        config::{Architecture, ChannelTable, GeneratorConfig, LabelNormalization, MappingConfig, StyleGan2Config},
    },
    session::{png::read_pose_file, pose::NoiseMode},
};
use tempfile::TempDir;

/// Side of the bundled network's images in pixels.
const SIDE: u32 = 64;
/// Its layers.
const NUM_WS: usize = 10;

/// What a run said.
struct Said {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs the binary in `folder` without a display.
fn stylescope(folder: &TempDir, words: &str) -> Said {
    let Output { status, stdout, stderr } = Command::new(env!("CARGO_BIN_EXE_stylescope"))
        .args(words.split_whitespace())
        .current_dir(folder.path())
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env_remove("STYLESCOPE_LOG")
        // Without it a layer of the Vulkan loader complains on standard error.
        .env("XDG_RUNTIME_DIR", folder.path())
        .env("STYLESCOPE_CONFIG_DIR", folder.path().join("config"))
        .output()
        .expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    Said { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// The same, where it has to work.
fn succeed(folder: &TempDir, words: &str) -> Said {
    let said = stylescope(folder, words);
    assert_eq!(said.code, Some(0), "stylescope {words}\n{}", said.stderr);
    said
}

/// The same, where it has to fail with one line; returns that line.
fn fail(folder: &TempDir, words: &str) -> String {
    let said = stylescope(folder, words);
    assert_eq!(said.code, Some(1), "stylescope {words}\n{}", said.stderr);
    let mut lines = said.stderr.lines();
    let line = lines.next_back().unwrap_or_default().to_owned();
    assert!(line.starts_with("error: ") && lines.next().is_none(), "not one line: {}", said.stderr);
    line
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A file in the temporary folder of a test.
fn inside(folder: &TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}

fn picture(path: &Path) -> RgbaImage {
    image::open(path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).into_rgba8()
}

/// Names of the files of a folder, sorted.
fn names(path: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The tensors of a `--raw` file: shape and values.
fn raw(path: &Path) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes = fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let values = |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            assert_eq!(view.dtype(), safetensors::Dtype::F32);
            (name, (view.shape().to_vec(), values(view.data())))
        })
        .collect()
}

/// A model file with three classes, 8x8 pixels, weights from a seed.
fn conditional_model(folder: &TempDir) -> &'static str {
    let config = GeneratorConfig::StyleGan2(StyleGan2Config {
        z_dim: 8,
        label_dim: 3,
        w_dim: 12,
        resolution: 8,
        img_channels: 1,
        mapping: MappingConfig {
            num_layers: 2,
            hidden_dim: 12,
            lr_multiplier: 0.01,
            w_avg_beta: 0.998,
            label_normalization: LabelNormalization::Separate,
        },
        channels: ChannelTable::from_base(64, 16, 8),
        architecture: Architecture::Resnet,
        conv_clamp: None,
        use_noise: true,
        resample_filter: vec![1.0, 3.0, 3.0, 1.0],
    });
    let generator = Generator::init(config, 7, &Placement::cpu()).unwrap();
    let path = inside(folder, "classes.safetensors");
    checkpoint::save_safetensors(&path, generator.config(), &generator.state_dict().unwrap(), &[]).unwrap();
    "classes.safetensors"
}

#[test]
fn seeds_make_named_pictures_that_carry_their_pose() {
    let folder = folder();
    let said = succeed(&folder, "generate --seeds 0-1,285 --out out/deep --psi 0.7 --noise none");
    assert!(said.stderr.starts_with("3 images in ") && said.stdout.is_empty(), "{}", said.stderr);
    let out = inside(&folder, "out/deep");
    assert_eq!(names(&out), ["seed0000.png", "seed0001.png", "seed0285.png"]);
    let pictures: Vec<_> = names(&out).iter().map(|name| picture(&out.join(name))).collect();
    assert!(pictures.iter().all(|picture| picture.dimensions() == (SIDE, SIDE)));
    assert!(pictures[0] != pictures[1] && pictures[1] != pictures[2]);

    let pose = read_pose_file(&out.join("seed0285.png")).unwrap().pose;
    assert_eq!((pose.seed.x, pose.seed.y), position_of(285));
    assert_eq!((pose.truncation.psi, pose.noise.mode), (0.7, NoiseMode::Off));
}

#[test]
fn raw_tensors_have_the_documented_shapes_and_values() {
    let folder = folder();
    succeed(&folder, "generate --seeds 5,3 --raw raw.safetensors --out out");
    let raw = raw(&inside(&folder, "raw.safetensors"));
    let shapes: Vec<_> = raw.iter().map(|(name, (shape, _))| (name.as_str(), shape.as_slice())).collect();
    let side = SIDE as usize;
    let image = [2, 3, side, side];
    assert_eq!(shapes, [("image", &image[..]), ("w", &[2, 128]), ("ws", &[2, NUM_WS, 128]), ("z", &[2, 128])]);
    assert_eq!(raw["z"].1[..128], z_from_seed(5, 128));
    assert_eq!(raw["z"].1[128..], z_from_seed(3, 128));
    for (ws, w) in raw["ws"].1.chunks(NUM_WS * 128).zip(raw["w"].1.chunks(128)) {
        assert!(ws.chunks(128).all(|row| row == w), "psi 1 leaves w alone");
    }
    // The pictures are these values, made bytes.
    for (seed, values) in [5, 3].into_iter().zip(raw["image"].1.chunks(3 * side * side)) {
        let file = picture(&inside(&folder, &format!("out/seed{seed:04}.png")));
        assert_eq!(file.into_raw(), rgba8(values, 3, side, side).unwrap());
    }
}

#[test]
fn a_seed_gives_the_same_alone_and_among_others() {
    let folder = folder();
    succeed(&folder, "generate --seeds 0-4 --raw all.safetensors");
    succeed(&folder, "generate --seeds 3 --raw one.safetensors");
    let (all, one) = (raw(&inside(&folder, "all.safetensors")), raw(&inside(&folder, "one.safetensors")));
    let size = one["image"].1.len();
    assert_eq!(all["image"].1[3 * size..4 * size], one["image"].1);
    assert!(!inside(&folder, "out").exists(), "--raw alone writes no pictures");
}

#[test]
fn latents_from_a_file_give_the_same_picture_to_the_bit() {
    let folder = folder();
    let view = "--noise const --noise-strength 0.5";
    let truncation = "--psi -0.6 --cutoff 7 --mix-seed 9 --mix-layers 0-2,6";
    succeed(&folder, &format!("generate --seeds 4-5 --raw a.safetensors --out a {view} {truncation}"));
    let first = raw(&inside(&folder, "a.safetensors"));
    for (kind, options, left_out) in [("z", truncation, 0), ("w", truncation, 1), ("ws", "", 2)] {
        let words = format!("generate --{kind} a.safetensors:{kind} --raw b.safetensors --out b {view} {options}");
        succeed(&folder, &words);
        let second = raw(&inside(&folder, "b.safetensors"));
        assert_eq!(second.len(), 4 - left_out, "--{kind} knows what follows from it");
        assert_eq!(second["image"], first["image"], "--{kind}");
        assert_eq!(second["ws"], first["ws"], "--{kind}");
        assert_eq!(picture(&inside(&folder, "b/latent0001.png")), picture(&inside(&folder, "a/seed0005.png")));
    }
}

#[test]
fn truncation_and_mixing_act_on_their_layers() {
    let folder = folder();
    let ws = |options: &str| {
        succeed(&folder, &format!("generate --raw raw.safetensors {options}"));
        raw(&inside(&folder, "raw.safetensors"))["ws"].1.clone()
    };
    let rows = |ws: &[f32]| ws.chunks(128).map(<[f32]>::to_vec).collect::<Vec<_>>();
    let (zero, seed, other) = (ws("--seeds 1 --psi 0"), ws("--seeds 1"), ws("--seeds 2"));
    assert_eq!(zero, ws("--seeds 2 --psi 0"), "psi 0 is the same for every seed");
    assert_ne!(seed, zero);

    let (cut, mixed) = (ws("--seeds 1 --psi 0 --cutoff 4"), ws("--seeds 1 --mix-seed 2 --mix-layers 0-3,6"));
    for layer in 0..NUM_WS {
        let expected = if layer < 4 { &zero } else { &seed };
        assert_eq!(rows(&cut)[layer], rows(expected)[layer], "cutoff, layer {layer}");
        let expected = if layer < 4 || layer == 6 { &other } else { &seed };
        assert_eq!(rows(&mixed)[layer], rows(expected)[layer], "mix, layer {layer}");
    }
    let beyond = fail(&folder, &format!("generate --seeds 1 --out a --mix-seed 2 --mix-layers {NUM_WS}"));
    assert!(beyond.contains(&format!("layers 0 to {}", NUM_WS - 1)), "{beyond}");
    let beyond = fail(&folder, &format!("generate --seeds 1 --out a --cutoff {}", NUM_WS + 1));
    assert!(beyond.contains(&format!("{NUM_WS} layers")), "{beyond}");
}

#[test]
fn noise_has_three_sources_and_a_strength() {
    let folder = folder();
    let image = |options: &str| {
        succeed(&folder, &format!("generate --seeds 1 --raw raw.safetensors {options}"));
        raw(&inside(&folder, "raw.safetensors"))["image"].1.clone()
    };
    // A fresh network has noise strengths of zero; this one's are not.
    let constant = image("");
    let (none, random) = (image("--noise none"), image("--noise random"));
    assert!(constant != none && random != none && random != constant);
    assert_eq!(random, image("--noise random"), "random noise follows from the seed");
    assert_eq!(none, image("--noise const --noise-strength 0"));
    assert_ne!(constant, image("--noise-strength 2"));
}

#[test]
fn a_grid_puts_the_pictures_side_by_side() {
    let folder = folder();
    succeed(&folder, "generate --seeds 0-4 --grid 3x2 --out out");
    assert_eq!(names(&inside(&folder, "out")).len(), 6);
    let sheet = picture(&inside(&folder, "out/grid.png"));
    assert_eq!(sheet.dimensions(), (3 * SIDE, 2 * SIDE));
    for seed in 0..5u32 {
        let cell = image::imageops::crop_imm(&sheet, seed % 3 * SIDE, seed / 3 * SIDE, SIDE, SIDE).to_image();
        assert_eq!(cell, picture(&inside(&folder, &format!("out/seed{seed:04}.png"))));
    }
    let last = image::imageops::crop_imm(&sheet, 2 * SIDE, SIDE, SIDE, SIDE).to_image();
    assert!(last.pixels().all(|pixel| pixel.0 == [0; 4]), "an empty cell is transparent");

    succeed(&folder, "generate --seeds 0-4 --grid 5x1 --out only/sheet.png");
    assert_eq!(names(&inside(&folder, "only")), ["sheet.png"]);
    assert_eq!(picture(&inside(&folder, "only/sheet.png")).dimensions(), (5 * SIDE, SIDE));
}

#[test]
fn classes_are_checked_against_the_model() {
    let folder = folder();
    let model = conditional_model(&folder);
    let image = |options: &str| {
        succeed(&folder, &format!("generate --model {model} --seeds 1 --raw raw.safetensors {options}"));
        raw(&inside(&folder, "raw.safetensors"))["image"].clone()
    };
    let (first, last) = (image("--class 0"), image("--class 2"));
    assert_eq!(first.0, [1, 1, 8, 8]);
    assert_ne!(first, last);
    assert_eq!(image(""), first, "class 0 unless said otherwise");
    let error = fail(&folder, &format!("generate --model {model} --seeds 1 --out a --class 3"));
    assert!(error.contains("classes 0 to 2, not 3"), "{error}");
    assert!(fail(&folder, "generate --seeds 1 --out a --class 0").contains("no classes"));
}

#[test]
fn info_says_what_is_in_a_file() {
    let folder = folder();
    let model = conditional_model(&folder);
    let said = succeed(&folder, &format!("info {model}"));
    assert!(said.stderr.is_empty(), "{}", said.stderr);
    for word in ["StyleGAN2 (resnet)", "8x8 grey", "Labels: 3"] {
        assert!(said.stdout.contains(word), "{word} is missing in\n{}", said.stdout);
    }
}

#[test]
fn a_converted_model_gives_the_same_picture_to_the_bit() {
    let folder = folder();
    let model = conditional_model(&folder);
    succeed(&folder, &format!("convert {model} ours.safetensors"));
    succeed(&folder, &format!("convert {model} official.safetensors --format state-dict"));
    succeed(&folder, "convert official.safetensors again.safetensors");
    succeed(&folder, &format!("convert {model} half.safetensors --half"));
    let image = |model: &str| {
        succeed(&folder, &format!("generate --model {model} --seeds 1-2 --class 1 --psi 0.5 --raw raw.safetensors"));
        raw(&inside(&folder, "raw.safetensors")).remove("image").unwrap()
    };
    let first = image(model);
    for converted in ["ours.safetensors", "official.safetensors", "again.safetensors"] {
        assert_eq!(image(converted), first, "{converted}");
    }
    let half = image("half.safetensors");
    assert_ne!(half, first, "16 bits lose something");
    let largest = first.1.iter().zip(&half.1).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(largest < 0.05, "but not much: {largest}");

    // PyTorch's strict `load_state_dict` wants the filters' buffers too.
    let official = raw(&inside(&folder, "official.safetensors"));
    for buffer in ["b4.conv1", "b4", "b8.conv0", "b8.conv1", "b8", "b8.skip"] {
        let (shape, values) = &official[&format!("synthesis.{buffer}.resample_filter")];
        assert_eq!((shape.as_slice(), values[0], values[5]), (&[4, 4][..], 1.0 / 64.0, 9.0 / 64.0), "{buffer}");
    }
}

/// A snapshot holds the generator as it was trained and its moving average.
#[test]
fn a_network_of_several_is_chosen_by_its_name() {
    let folder = folder();
    let snapshot = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pkl/sg3repo_t215.p4.nosrc.pkl");
    fs::copy(snapshot, inside(&folder, "snapshot.pkl")).unwrap();
    let image = |model: &str| {
        succeed(&folder, &format!("generate --model {model} --seeds 3 --raw raw.safetensors"));
        raw(&inside(&folder, "raw.safetensors")).remove("image").unwrap()
    };
    let (preferred, average, trained) =
        (image("snapshot.pkl"), image("snapshot.pkl --network G_ema"), image("snapshot.pkl --network G"));
    assert_eq!(preferred, average);
    assert_ne!(trained, average);
    // Official names out and in again, of either: the same to the bit.
    for (network, expected) in [("G", &trained), ("G_ema", &average)] {
        succeed(&folder, &format!("convert snapshot.pkl own.safetensors --network {network}"));
        assert_eq!(&image("own.safetensors"), expected, "{network}");
    }
    let error = fail(&folder, "generate --model snapshot.pkl --network D --seeds 3 --out a");
    assert!(error.contains("has no generator D; it has G, G_ema"), "{error}");
    let info = succeed(&folder, "info snapshot.pkl").stdout;
    for word in ["Networks: 3", "G: generator", "D: discriminator", "G_ema: generator (moving average)"] {
        assert!(info.contains(word), "{word}: {info}");
    }
}

#[test]
fn a_model_becomes_onnx_or_a_word_about_why_not() {
    let folder = folder();
    let model = conditional_model(&folder);
    succeed(&folder, &format!("convert {model} model.onnx"));
    let bytes = fs::read(inside(&folder, "model.onnx")).unwrap();
    assert_eq!(bytes[..2], [0x08, 8], "field 1, IR version 8");
    for word in ["noise.b8.conv0", "ConvTranspose", "synthesis.b8.skip.weight"] {
        assert!(bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
    }
    let error = fail(&folder, &format!("convert {model} a.safetensors --network D"));
    assert!(error.contains("has no generator D; it has"), "{error}");
    for words in ["model.bin", "model.onnx --half"] {
        assert_eq!(stylescope(&folder, &format!("convert {model} {words}")).code, Some(2), "{words}");
    }
    let error = fail(&folder, &format!("convert {model} nowhere/a.onnx"));
    assert!(error.contains("nowhere"), "{error}");
}

#[test]
fn failures_are_one_line_with_the_causes() {
    let folder = folder();
    for words in ["info nothing.pkl", "generate --model nothing.pkl --seeds 0 --out out"] {
        let error = fail(&folder, words);
        assert!(error.contains("nothing.pkl cannot be read") && error.contains(": No such file"), "{error}");
    }
    assert!(!inside(&folder, "out").exists(), "nothing is made before the model is open");

    fs::write(inside(&folder, "text.pkl"), "a shopping list\n").unwrap();
    let error = fail(&folder, "info text.pkl");
    assert!(error.contains("text.pkl"), "{error}");

    let error = fail(&folder, "generate --seeds 0 --out text.pkl/out");
    assert!(error.contains("cannot make the folder text.pkl/out: "), "{error}");
    let error = fail(&folder, "generate --w text.pkl:w --out out");
    assert!(error.contains("cannot read latents from text.pkl: "), "{error}");
}

#[test]
fn what_cannot_be_understood_is_a_usage_error() {
    let folder = folder();
    for (words, named) in [
        ("--frobnicate", "--frobnicate"),
        ("generate --out out", "--seeds"),
        ("generate --seeds x --out out", "neither a number"),
        ("generate --seeds 0-4 --grid 2x2 --out out", "5 images do not fit into --grid 2x2"),
        ("generate --seeds 0 --out a.png", "--grid"),
        ("info", "<FILE>"),
        ("--device tpu", "software"),
    ] {
        let said = stylescope(&folder, words);
        assert_eq!(said.code, Some(2), "stylescope {words}\n{}", said.stderr);
        assert!(said.stderr.starts_with("error: ") && said.stderr.contains(named), "{}", said.stderr);
    }
    assert!(names(folder.path()).is_empty());
    for words in ["--help", "generate --help", "--version"] {
        assert!(succeed(&folder, words).stdout.contains("stylescope"), "{words}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_display_the_window_says_so() {
    let folder = folder();
    let error = fail(&folder, "--device cpu");
    assert!(error.contains("display"), "{error}");
}

#[test]
fn a_software_driver_gives_the_same_picture() {
    let folder = folder();
    let model = conditional_model(&folder);
    let words = format!("generate --model {model} --seeds 0-1 --class 1");
    if select(DeviceChoice::Software).is_err() {
        assert!(fail(&folder, &format!("{words} --device software --out out")).contains("lavapipe"));
        return;
    }
    succeed(&folder, &format!("{words} --device software --raw software.safetensors"));
    succeed(&folder, &format!("{words} --device cpu --raw cpu.safetensors"));
    succeed(&folder, &format!("{words} --device software --half --raw half.safetensors"));
    let image = |name: &str| raw(&inside(&folder, &format!("{name}.safetensors")))["image"].1.clone();
    let cpu = image("cpu");
    let largest = cpu.iter().fold(1.0f32, |max, value| max.max(value.abs()));
    for (name, tolerance) in [("software", 1e-4), ("half", 1e-2)] {
        let difference = image(name).iter().zip(&cpu).map(|(a, b)| (a - b).abs()).fold(0.0f32, f32::max);
        assert!(difference <= tolerance * largest, "{name} differs by {difference} of {largest}");
    }
}

#[test]
fn a_run_becomes_an_animation() {
    let folder = folder();
    let run = folder.path().join("run/snapshots");
    fs::create_dir_all(&run).unwrap();
    assert!(fail(&folder, "sweep run --out run.png --device cpu").contains("no snapshots"));
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/bundled.safetensors");
    for nimg in [0, 5000] {
        fs::copy(&model, run.join(format!("{nimg:09}.safetensors"))).unwrap();
    }
    let said = succeed(&folder, "sweep run --out run.png --seed 7 --psi 0.5 --between 2 --device cpu");
    assert!(said.stderr.contains("4 frames of 2 snapshots"), "{}", said.stderr);
    let file = std::io::BufReader::new(fs::File::open(folder.path().join("run.png")).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    assert_eq!(reader.info().animation_control().map(|control| control.num_frames), Some(4));
    let mut frame = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut frame).unwrap();
    // The frames are the pictures that `generate` writes, and the pose that they carry can be given again.
    succeed(&folder, "generate --seeds 7 --psi 0.5 --out images --device cpu");
    let picture = folder.path().join("images/seed0007.png");
    assert_eq!(image::open(&picture).unwrap().to_rgb8().into_raw(), frame);
    assert_eq!(read_pose_file(&folder.path().join("run.png")).unwrap().pose, read_pose_file(&picture).unwrap().pose);
    succeed(&folder, "sweep run --out again.png --pose images/seed0007.png --between 2 --device cpu");
    let bytes = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(bytes("run.png"), bytes("again.png"));
}
