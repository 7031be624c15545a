//! Runs the fuzz targets over their corpora and over what fuzzing found.

mod files;
mod images;
mod processor_time;
#[path = "../fuzz/src/targets.rs"]
#[allow(clippy::expect_used, clippy::panic, reason = "a target tells what it found by a panic")]
mod targets;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use files::{Entry, Pickle, safetensors, zip};
use processor_time::ProcessorTime;
use stylescope::{
    checkpoint::{Precision, open, save_safetensors_as},
    session::{Pose, PoseEdit, PoseRecord, Settings, png::encode_png, record::pose_to_text},
};
use targets::TARGETS;

fn folder(kind: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(kind).join(target)
}

fn files_of(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths
}

#[test]
fn corpora_and_regressions_pass() {
    for (name, target) in TARGETS {
        let corpus = files_of(&folder("corpus", name));
        assert!(corpus.len() >= 3, "fuzz/corpus/{name} has {} seeds", corpus.len());
        for path in corpus.into_iter().chain(files_of(&folder("regressions", name))) {
            let bytes = fs::read(&path).unwrap();
            let start = ProcessorTime::start();
            // A panic names the file: it is printed with the output of the test that failed.
            println!("{}", path.display());
            target(&bytes);
            assert!(start.elapsed() < Duration::from_secs(2), "{}: {:?}", path.display(), start.elapsed());
        }
    }
}

/// Each target has a program of its own, and no program is without its target.
#[test]
fn targets_and_programs_agree() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let mut programs: Vec<_> =
        files_of(&programs).iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    let mut names = TARGETS.map(|(name, _)| name.to_owned()).to_vec();
    programs.sort();
    names.sort();
    assert_eq!(programs, names);
}

/// Writes the seeds. Run with `cargo test --test fuzz_replay -- --ignored` after a format has changed.
#[test]
#[ignore = "it writes fuzz/corpus"]
fn write_seeds() {
    let put = |target: &str, name: &str, bytes: &[u8]| {
        fs::create_dir_all(folder("corpus", target)).unwrap();
        fs::write(folder("corpus", target).join(name), bytes).unwrap();
    };
    for (name, bytes) in pickles() {
        put("pickle", name, &bytes);
    }
    for (name, bytes) in state_dicts() {
        put("torch_zip", name, &bytes);
    }
    for (name, bytes) in tensorflow() {
        put("tensorflow_pickle", name, &bytes);
    }
    for (name, bytes) in tensors() {
        put("safetensors", name, &bytes);
    }
    let mut pose = Pose::default();
    PoseEdit::Psi(0.6).apply(&mut pose);
    PoseEdit::StyleOffset { layer: 2, channel: 7, offset: Some(-1.5) }.apply(&mut pose);
    let record = PoseRecord::new(pose.clone(), "faces");
    let mut picture = Vec::new();
    encode_png(&mut picture, &[9; 16], [2, 2], &record).unwrap();
    put("png_metadata", "picture.png", &picture);
    let text = record.to_text().unwrap();
    put("png_metadata", "plain", &[b"\0\0\0\0", text.as_bytes()].concat());
    let mut compressed = flate2::write::ZlibEncoder::new(b"\x01\0\0\0".to_vec(), flate2::Compression::best());
    std::io::Write::write_all(&mut compressed, text.as_bytes()).unwrap();
    put("png_metadata", "compressed", &compressed.finish().unwrap());
    for (name, bytes) in datasets() {
        put("dataset_zip", name, &bytes);
    }
    for (name, text) in [
        ("classes", r#"{"labels": [["a.png", 1], ["b/c.png", 0], ["gone.png", 4]]}"#),
        ("vectors", r#"{"labels": [["a.png", [0.5, -1e3]], ["b\\c.png", [0, 1]]], "more": {"x": [null, true]}}"#),
        ("none", r#"{"labels": null}"#),
    ] {
        put("dataset_labels", name, text.as_bytes());
    }
    put("session_json", "pose.json", pose_to_text(&pose, "faces").unwrap().as_bytes());
    put("session_json", "newer.json", br#"{"format_version": 7, "pose": [], "app_version": "9.0"}"#);
    put("session_json", "settings.json", &serde_json::to_vec(&Settings::default()).unwrap());
}

fn pickles() -> Vec<(&'static str, Vec<u8>)> {
    let module = |p: Pickle, fields: &dyn Fn(Pickle) -> Pickle| {
        let description = |p: Pickle| p.str("class_name").str("Generator").str("state").dict(fields);
        p.global("torch_utils.persistence", "_reconstruct_persistent_obj").tuple(|p| p.dict(description)).raw(b"R")
    };
    let blob = [
        vec![0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'],
        Pickle::new(2).int(1001).stop(),
        Pickle::new(2).dict(|p| p.str("little_endian").raw(&[0x88])).stop(),
        Pickle::new(2)
            .tuple(|p| p.str("storage").global("torch", "FloatStorage").str("7").str("cpu").int(4).raw(b"N"))
            .raw(b"Q")
            .stop(),
        Pickle::new(2).list(|p| p.str("7")).stop(),
        4i64.to_le_bytes().to_vec(),
        [1.0f32; 4].iter().flat_map(|value| value.to_le_bytes()).collect(),
    ]
    .concat();
    let tensor = |p: Pickle| {
        let storage = |p: Pickle| p.global("torch.storage", "_load_from_bytes").tuple(|p| p.bytes(&blob)).raw(b"R");
        p.str("w_avg").tensor(storage, 0, &[4], &[1])
    };
    let mapping = |p: Pickle| module(p.str("mapping"), &|p| p.str("_buffers").dict(tensor));
    let snapshot = Pickle::new(3).dict(|p| {
        let p = p.str("training_set_kwargs").raw(b"N");
        module(p.str("G_ema"), &|p| p.str("z_dim").int(4).str("_modules").dict(mapping))
    });
    let framed = Pickle::new(4).raw(&[0x95, 9, 0, 0, 0, 0, 0, 0, 0]).raw(b"\x8c\x01a\x94h\0\x86.");
    vec![
        ("snapshot", snapshot.stop()),
        (
            "values",
            Pickle::new(2).list(|p| p.int(1).int(1 << 40).float(0.5).raw(b"N\x88I01\nL12L\n").bytes(b"x")).stop(),
        ),
        ("text", b"(lp0\nS'abc'\np1\naVx\\u00e9\np2\na(dp3\ng1\ng2\nsa.".to_vec()),
        ("framed", framed.0),
        ("legacy", blob),
    ]
}

fn state_dicts() -> Vec<(&'static str, Vec<u8>)> {
    let tensor = |p: Pickle, name: &str, shape: &[i64]| {
        let mut strides = vec![1i64; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = strides[axis] * shape[axis];
        }
        p.str(name).tensor(|p| p.storage("0", 1024), 0, shape, &strides)
    };
    let community: [(&str, &[i64]); 6] = [
        ("style.1.weight", &[2, 2]),
        ("style.1.bias", &[2]),
        ("input.input", &[1, 2, 4, 4]),
        ("conv1.conv.weight", &[1, 2, 2, 3, 3]),
        ("convs.1.conv.weight", &[1, 2, 2, 3, 3]),
        ("to_rgb1.conv.weight", &[1, 3, 2, 1, 1]),
    ];
    let official: [(&str, &[i64]); 4] = [
        ("synthesis.b4.const", &[2, 4, 4]),
        ("synthesis.b4.conv1.weight", &[2, 2, 3, 3]),
        ("mapping.fc0.weight", &[2, 2]),
        ("synthesis.b4.torgb.weight", &[3, 2, 1, 1]),
    ];
    let discriminator: [(&str, &[i64]); 8] = [
        ("b4.out.weight", &[1, 2]),
        ("b4.out.bias", &[1]),
        ("b4.fc.weight", &[2, 32]),
        ("b4.fc.bias", &[2]),
        ("b4.conv.weight", &[2, 3, 3, 3]),
        ("b4.conv.bias", &[2]),
        ("b4.fromrgb.weight", &[2, 3, 1, 1]),
        ("b4.fromrgb.bias", &[2]),
    ];
    let stylegan: [(&str, &[i64]); 8] = [
        ("progression.0.conv1.0.conv.weight_orig", &[2, 3, 3, 3]),
        ("progression.0.conv1.0.conv.bias", &[2]),
        ("progression.0.conv2.0.conv.weight_orig", &[2, 2, 4, 4]),
        ("progression.0.conv2.0.conv.bias", &[2]),
        ("from_rgb.0.conv.weight_orig", &[2, 3, 1, 1]),
        ("from_rgb.0.conv.bias", &[2]),
        ("linear.linear.weight_orig", &[1, 2]),
        ("linear.linear.bias", &[1]),
    ];
    let dict = |arrays: &[(&str, &[i64])]| {
        Pickle::new(2).dict(|p| arrays.iter().fold(p, |p, (name, shape)| tensor(p, name, shape))).stop()
    };
    let wrapped = Pickle::new(2).dict(|p| {
        let p = p.str("g_ema").dict(|p| community.iter().fold(p, |p, (name, shape)| tensor(p, name, shape)));
        tensor(p.str("args").raw(b"N"), "latent_avg", &[2])
    });
    let archive = zip(&[Entry::new("a/data.pkl", dict(&discriminator)), Entry::new("a/data/0", vec![0; 4096])]);
    vec![
        ("archive.pt", archive),
        ("community", wrapped.stop()),
        ("official", dict(&official)),
        ("discriminator", dict(&discriminator)),
        ("stylegan_discriminator", dict(&stylegan)),
    ]
}

fn tensorflow() -> Vec<(&'static str, Vec<u8>)> {
    let network = |p: Pickle, variables: &[(&str, &[i64])]| {
        let variable = |p: Pickle, (name, shape): &(&str, &[i64])| {
            let data = vec![0.5; shape.iter().product::<i64>() as usize];
            p.raw(b"(").str(name).numpy(shape, &data).raw(b"t")
        };
        let fields = |p: Pickle| {
            let p = p.str("version").int(4).str("name").str("G").str("static_kwargs").dict(|p| p.str("a").int(1));
            p.str("variables").list(|p| variables.iter().fold(p, variable))
        };
        p.global("dnnlib.tflib.network", "Network").raw(b")\x81").dict(fields).raw(b"b")
    };
    let stylegan2: [(&str, &[i64]); 4] = [
        ("4x4/Conv/mod_weight", &[2, 2]),
        ("4x4/Conv/weight", &[3, 3, 2, 2]),
        ("Dense0/weight", &[2, 2]),
        ("4x4/ToRGB/weight", &[1, 1, 2, 3]),
    ];
    let stylegan: [(&str, &[i64]); 3] =
        [("4x4/Const/StyleMod/weight", &[2, 4]), ("4x4/Conv/weight", &[3, 3, 2, 2]), ("lod", &[])];
    let discriminator: [(&str, &[i64]); 3] =
        [("Output/weight", &[2, 1]), ("4x4/Conv/weight", &[3, 3, 3, 2]), ("4x4/FromRGB/weight", &[1, 1, 3, 2])];
    let triple = Pickle::new(3).tuple(|p| network(network(network(p, &stylegan2), &discriminator), &stylegan2));
    vec![
        ("triple", triple.stop()),
        ("stylegan", network(Pickle::new(2), &stylegan).stop()),
        ("array", Pickle::new(2).numpy(&[2, 2], &[1.0; 4]).stop()),
    ]
}

fn datasets() -> Vec<(&'static str, Vec<u8>)> {
    let colours = image::RgbImage::from_fn(5, 4, |x, y| image::Rgb([(x * 50) as u8, (y * 60) as u8, 200]));
    let png = images::png(image::DynamicImage::ImageRgb8(colours.clone()));
    let (jpeg, cmyk) = (images::jpeg(&colours), images::cmyk_jpeg());
    let webp = images::webp(image::DynamicImage::ImageRgb8(colours));
    let deep = images::png(image::DynamicImage::new_rgba16(3, 3));
    let labels = br#"{"labels": [["a.png", 1], ["b/c.jpg", 0]]}"#;
    let stored = zip(&[
        Entry::new("a.png", png.clone()),
        Entry::new("b/c.jpg", jpeg.clone()),
        Entry::new("dataset.json", labels.to_vec()),
    ]);
    let deflated = images::zip(&[("a.png", png.clone()), ("../b.webp", webp.clone()), ("note.txt", b"x".to_vec())]);
    vec![
        ("png", png),
        ("jpeg", jpeg),
        ("cmyk", cmyk),
        ("webp", webp),
        ("deep", deep),
        ("stored.zip", stored),
        ("deflated.zip", deflated),
    ]
}

fn tensors() -> Vec<(&'static str, Vec<u8>)> {
    let entry = |name: &str, shape: &str, begin: usize, end: usize| {
        format!(r#""{name}":{{"dtype":"F32","shape":{shape},"data_offsets":[{begin},{end}]}}"#)
    };
    let header =
        format!("{{{},{}}}", entry("input0.weight", "[2,3,1,1]", 0, 24), entry("layer0.weight", "[2]", 24, 32));
    // A whole file of our own, small: the bundled model with two of its arrays.
    let folder = tempfile::tempdir().unwrap();
    let bundled = open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/bundled.safetensors"), &()).unwrap();
    let (config, mut weights) = bundled.load_generator(0).unwrap();
    weights.0.retain(|name, _| name.starts_with("mapping.fc0.bias") || name == "mapping.w_avg");
    let path = folder.path().join("own.safetensors");
    save_safetensors_as(&path, &config, &weights, &[("note".into(), "seed".into())], Precision::F16).unwrap();
    vec![("two", safetensors(&header, &[0; 32])), ("header", header.into_bytes()), ("own", fs::read(&path).unwrap())]
}
