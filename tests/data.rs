//! Datasets as users have them: folders and zips made by the test, labels, hostile files; portraits; the loader's order.

mod images;

use std::{
    collections::BTreeSet,
    fs,
    io::{Cursor, Write},
    ops::ControlFlow,
    path::Path,
    process::Command,
};

use image::{DynamicImage, GrayImage, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage};
use images::{bmp, cmyk_jpeg, jpeg, named_zeros, png, png_of, zip};
use stylescope::data::{
    Channels, DataError, Dataset, DatasetOptions, Fit, ImageProblem, Loader, LoaderOptions,
    check::{LabelReport, Report, check},
    loader::{batch_at, index_at},
    portraits::{Factors, Forbidden, draw},
    random::mix_all,
};
use tempfile::TempDir;

fn options() -> DatasetOptions {
    DatasetOptions::default()
}

/// A folder with these files.
fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    folder
}

fn solid(width: u32, height: u32, color: [u8; 3]) -> Vec<u8> {
    png(DynamicImage::ImageRgb8(RgbImage::from_pixel(width, height, Rgb(color))))
}

/// A picture that is darker on the left.
fn slope(side: u32) -> Vec<u8> {
    png(DynamicImage::ImageRgb8(RgbImage::from_fn(side, side, |x, y| Rgb([(x * 255 / side) as u8, y as u8, 7]))))
}

fn open(path: &Path, resolution: usize, options: &DatasetOptions) -> Result<Dataset, String> {
    Dataset::open(path, resolution, options).map_err(|error| stylescope::base::error_chain::error_chain(&error))
}

fn hash(bytes: &[u8]) -> u64 {
    mix_all(&bytes.iter().map(|&byte| u64::from(byte)).collect::<Vec<_>>())
}

#[test]
fn portraits_are_a_function_of_seed_index_and_resolution() {
    let dataset = Dataset::portraits(7, 32).unwrap();
    assert_eq!((dataset.len(), dataset.channels(), dataset.label_dim()), (None, 3, 0));
    let first = dataset.image(0).unwrap();
    assert_eq!((first.channels, first.height, first.width, first.pixels.len()), (3, 32, 32, 3 * 32 * 32));
    let again = Dataset::portraits(7, 32).unwrap();
    let mut seen = BTreeSet::new();
    for index in [0, 1, 2, u64::MAX] {
        let picture = dataset.image(index).unwrap();
        assert_eq!(picture, again.image(index).unwrap());
        seen.insert(hash(&picture.pixels));
    }
    seen.insert(hash(&Dataset::portraits(8, 32).unwrap().image(0).unwrap().pixels));
    assert_eq!(seen.len(), 5, "each index and seed has a portrait of its own");
    // Details alone change pixels too, but few of them.
    let factors = Factors::sample(7, 0);
    let (a, b) = (draw(&factors, 1, 64), draw(&factors, 2, 64));
    let far = a.pixels.iter().zip(&b.pixels).filter(|(a, b)| a.abs_diff(**b) > 24).count();
    assert!(a != b && far < a.pixels.len() / 8, "{far} of {}", a.pixels.len());
}

#[test]
fn every_resolution_shows_the_same_portrait() {
    let factors = Factors::sample(3, 5);
    let mean = |n: usize| {
        let picture = draw(&factors, 9, n);
        assert_eq!((picture.height, picture.width, picture.pixels.len()), (n, n, 3 * n * n));
        picture.pixels.iter().map(|&byte| f64::from(byte)).sum::<f64>() / picture.pixels.len() as f64
    };
    let large = mean(256);
    for n in [8, 16, 33, 64, 100, 512] {
        let found = mean(n);
        assert!((found - large).abs() < 2.0, "{n}: {found} beside {large}");
    }
    assert_eq!(draw(&factors, 9, 5000).width, 1024, "beyond the range it is clamped");
}

#[test]
fn factors_have_names_and_survive_json() {
    let factors = Factors::sample(1, 2);
    let text = serde_json::to_string(&factors).unwrap();
    assert_eq!(serde_json::from_str::<Factors>(&text).unwrap(), factors);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (name, value) in factors.continuous() {
        assert!((json[name].as_f64().unwrap() - f64::from(value)).abs() < 1e-6, "{name}");
        assert!((-1.0..=1.0).contains(&value), "{name} {value}");
    }
    for factor in factors.discrete() {
        assert_eq!(json[factor.factor], factor.names[factor.value], "{}", factor.factor);
    }
    assert_eq!(json.as_object().unwrap().len(), factors.continuous().len() + factors.discrete().len());
}

#[test]
fn every_factor_changes_the_picture() {
    let base = Factors { glasses: serde_json::from_str("\"none\"").unwrap(), ..Factors::sample(1, 40) };
    let json = serde_json::to_value(&Factors {
        mouth_open: 0.4,
        eye_openness: 0.8,
        hat: serde_json::from_str("\"none\"").unwrap(),
        hair_style: serde_json::from_str("\"long\"").unwrap(),
        ..base
    })
    .unwrap();
    let picture = |json: &serde_json::Value| draw(&serde_json::from_value(json.clone()).unwrap(), 1, 64);
    let reference = picture(&json);
    let factors: Factors = serde_json::from_value(json.clone()).unwrap();
    for (name, value) in factors.continuous() {
        let mut changed = json.clone();
        changed[name] = (if value > 0.3 { value - 0.3 } else { value + 0.3 }).into();
        assert_ne!(picture(&changed), reference, "{name}");
    }
    for factor in factors.discrete() {
        let mut changed = json.clone();
        changed[factor.factor] = factor.names[(factor.value + 1) % factor.names.len()].into();
        // Earrings hide behind long hair.
        assert!(picture(&changed) != reference || factor.factor == "earrings", "{}", factor.factor);
    }
}

#[test]
fn forbidden_combinations_never_occur() {
    let rule: Forbidden = "hair_style=long|wavy|bob,beard=full|goatee".parse().unwrap();
    let occurs = (0..400).filter(|&i| rule.matches(&Factors::sample(3, i))).count();
    assert!(occurs > 5, "{occurs}: without the rule it does");
    let dataset = Dataset::portraits_without(3, 8, vec![rule.clone()], false).unwrap();
    assert!((0..400).all(|i| !rule.matches(&dataset.factors(i).unwrap())));
    // Where the rule does not apply nothing changes.
    let kept = (0..400).filter(|&i| dataset.factors(i).unwrap() == Factors::sample(3, i)).count();
    assert_eq!(kept, 400 - occurs);
    assert_ne!(dataset.fingerprint(), Dataset::portraits(3, 8).unwrap().fingerprint());

    for (text, words) in
        [("long", "FACTOR=VALUE"), ("hair=long", "there are hair_style"), ("beard=long", "it has none, stubble")]
    {
        let message = text.parse::<Forbidden>().unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
    let all: Forbidden = "glasses=none|round|square|sun".parse().unwrap();
    assert!(matches!(Dataset::portraits_without(3, 8, vec![all], false), Err(DataError::Forbidden(_))));
}

#[test]
fn folders_are_read_nested_and_sorted_by_name() {
    let folder = folder(&[
        ("b/2.png", solid(16, 16, [10, 20, 30])),
        ("b/1.PNG", solid(64, 64, [200, 0, 0])),
        ("a.jpg", jpeg(&RgbImage::from_pixel(40, 40, Rgb([0, 250, 0])))),
        ("notes.txt", b"x".to_vec()),
        (".hidden.png", b"x".to_vec()),
    ]);
    let dataset = open(folder.path(), 16, &options()).unwrap();
    assert_eq!(dataset.len(), Some(3));
    let names: Vec<_> = (0..3).map(|i| dataset.name(i)).collect();
    assert_eq!(names, ["a.jpg", "b/1.PNG", "b/2.png"]);
    let last = dataset.image(2).unwrap();
    assert!(last.pixels[..256].iter().all(|&v| v == 10) && last.pixels[512..].iter().all(|&v| v == 30));
    assert_eq!(dataset.image(1).unwrap().pixels[0], 200);
    assert!(dataset.image(0).unwrap().pixels[256] > 245);
    assert!(matches!(dataset.image(3), Err(DataError::Index { index: 3, len: 3 })));
}

#[test]
fn zips_are_the_same_as_folders() {
    let files = [("x/a.png", slope(32)), ("x/b.png", solid(32, 32, [1, 2, 3]))];
    let folder = folder(&files);
    let packed = tempfile::tempdir().unwrap();
    let path = packed.path().join("set.zip");
    fs::write(&path, zip(&files)).unwrap();
    let (a, b) = (open(folder.path(), 32, &options()).unwrap(), open(&path, 32, &options()).unwrap());
    for i in 0..2 {
        assert_eq!((a.name(i), a.image(i).unwrap()), (b.name(i), b.image(i).unwrap()));
    }
    // Without scaling every byte arrives.
    let picture = a.image(0).unwrap();
    assert_eq!((picture.pixels[5], picture.pixels[1024 + 32 * 9], picture.pixels[2048]), (39, 9, 7));
}

#[test]
fn odd_shapes_and_colours_are_converted() {
    let wide =
        RgbImage::from_fn(60, 20, |x, _| if (20..40).contains(&x) { Rgb([0, 0, 200]) } else { Rgb([255, 0, 0]) });
    let half = RgbaImage::from_fn(16, 16, |x, _| if x < 8 { Rgba([10, 20, 30, 255]) } else { Rgba([99, 0, 0, 0]) });
    let deep = image::ImageBuffer::<image::Luma<u16>, _>::from_pixel(16, 16, image::Luma([0x8040]));
    let folder = folder(&[
        ("1wide.png", png(DynamicImage::ImageRgb8(wide))),
        ("2alpha.png", png(DynamicImage::ImageRgba8(half))),
        ("3deep.png", png(DynamicImage::ImageLuma16(deep))),
        ("4grey.png", png(DynamicImage::ImageLuma8(GrayImage::from_pixel(16, 16, image::Luma([77]))))),
    ]);
    let plane = |dataset: &Dataset, index, c: usize| dataset.image(index).unwrap().pixels[c * 256..][..256].to_vec();
    let rgb = open(folder.path(), 16, &options()).unwrap();
    assert!(plane(&rgb, 0, 2).iter().all(|&v| v == 200), "the square in the middle");
    let row = &plane(&rgb, 1, 0)[..16];
    assert_eq!((row[0], row[15]), (10, 255), "laid on white");
    assert!(plane(&rgb, 2, 1).iter().all(|&v| v == 0x80));
    assert_eq!(plane(&rgb, 3, 0), plane(&rgb, 3, 2));

    let rgba = open(folder.path(), 16, &DatasetOptions { channels: Channels::Rgba, ..options() }).unwrap();
    let alpha = &plane(&rgba, 1, 3)[..16];
    assert_eq!((rgba.channels(), alpha[0], alpha[15], plane(&rgba, 0, 3)[0]), (4, 255, 0, 255));
    let grey = open(folder.path(), 16, &DatasetOptions { channels: Channels::Grey, ..options() }).unwrap();
    assert_eq!((grey.channels(), grey.image(3).unwrap().pixels[0]), (1, 77));
    let whole = open(folder.path(), 16, &DatasetOptions { fit: Fit::Whole, ..options() }).unwrap();
    let red = plane(&whole, 0, 0);
    assert_eq!((red[0], red[16 * 8], red[16 * 15]), (0, 255, 0), "black above and below");
    let prints: BTreeSet<_> = [&rgb, &rgba, &grey, &whole].iter().map(|d| d.fingerprint().to_owned()).collect();
    assert_eq!(prints.len(), 4);
}

#[test]
fn labels_come_from_dataset_json() {
    let json = |text: &str| ("dataset.json", text.as_bytes().to_vec());
    let images = [("a.png", solid(8, 8, [0; 3])), ("b/c.png", solid(8, 8, [9; 3]))];
    let with = |text: &str| folder(&[images[0].clone(), images[1].clone(), json(text)]);
    let classes = with(r#"{"labels": [["a.png", 3], ["b/c.png", 0]]}"#);
    let dataset = open(classes.path(), 8, &options()).unwrap();
    assert_eq!(dataset.label_dim(), 4);
    assert_eq!((dataset.label(0).unwrap(), dataset.label(1).unwrap()), (vec![0., 0., 0., 1.], vec![1., 0., 0., 0.]));
    let plain = open(classes.path(), 8, &DatasetOptions { labels: false, ..options() }).unwrap();
    assert_eq!((plain.label_dim(), plain.label(0).unwrap().len()), (0, 0));
    let vectors = with(r#"{"labels": [["a.png", [0.5, 1]], ["b/c.png", [0, -1]]]}"#);
    assert_eq!(open(vectors.path(), 8, &options()).unwrap().label(1).unwrap(), [0.0, -1.0]);
    let missing = open(with(r#"{"labels": [["a.png", 3]]}"#).path(), 8, &options()).unwrap_err();
    assert!(missing.contains("b/c.png: dataset.json has no label for it"), "{missing}");
    let broken = open(with(r#"{"labels": [["a.png"#).path(), 8, &options()).unwrap_err();
    assert!(broken.contains("dataset.json") && broken.contains("line 1"), "{broken}");
}

#[test]
fn mirrored_images_double_the_set() {
    let folder = folder(&[("a.png", slope(16)), ("b.png", solid(16, 16, [5; 3]))]);
    let dataset = open(folder.path(), 16, &DatasetOptions { x_flip: true, ..options() }).unwrap();
    assert_eq!(dataset.len(), Some(4));
    let (plain, mirrored) = (dataset.image(0).unwrap(), dataset.image(2).unwrap());
    assert_eq!(dataset.name(2), "a.png");
    for (a, b) in plain.pixels.chunks(16).zip(mirrored.pixels.chunks(16)) {
        assert!(a.iter().eq(b.iter().rev()));
    }
    assert_ne!(plain, mirrored);
}

#[test]
fn fingerprints_follow_contents_and_not_places() {
    let make = || folder(&[("a.png", slope(16)), ("b.png", solid(16, 16, [5; 3]))]);
    let (a, b) = (make(), make());
    let print =
        |folder: &TempDir, resolution| open(folder.path(), resolution, &options()).unwrap().fingerprint().to_owned();
    assert_eq!(print(&a, 16), print(&b, 16));
    assert_ne!(print(&a, 16), print(&a, 32));
    fs::write(b.path().join("c.png"), solid(16, 16, [6; 3])).unwrap();
    assert_ne!(print(&a, 16), print(&b, 16));
}

#[test]
fn prepared_images_are_cached_and_replaced_files_noticed() {
    let set = folder(&[("a.png", solid(16, 16, [5; 3])), ("b.png", solid(16, 16, [6; 3]))]);
    let cache = tempfile::tempdir().unwrap();
    let options = DatasetOptions { memory: 0, cache: Some((cache.path().to_owned(), 1 << 20)), ..options() };
    let dataset = open(set.path(), 16, &options).unwrap();
    let picture = dataset.image(1).unwrap();
    assert_eq!(fs::read_dir(cache.path()).unwrap().count(), 1);
    // The file is gone, the prepared picture is not.
    let bytes = fs::read(set.path().join("b.png")).unwrap();
    fs::remove_file(set.path().join("b.png")).unwrap();
    assert_eq!(dataset.image(1).unwrap(), picture);
    assert!(dataset.image(0).is_ok());
    let mut other = bytes;
    let len = other.len();
    other[..].copy_from_slice(&solid(16, 16, [7; 3])[..len]);
    fs::write(set.path().join("b.png"), other).unwrap();
    let fresh = open(set.path(), 16, &options).unwrap();
    assert_eq!((fresh.fingerprint(), fresh.image(1).unwrap().pixels[0]), (dataset.fingerprint(), 7));
}

#[test]
fn the_order_is_new_each_epoch_and_resumes_anywhere() {
    let files: Vec<_> = (0..7u8).map(|i| (format!("{i}.png"), solid(8, 8, [i * 30; 3]))).collect();
    let files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let set = folder(&files);
    let dataset = open(set.path(), 8, &options()).unwrap();
    let start = |shown| LoaderOptions { batch: 4, seed: 11, shown, ahead: 2 };
    let mut loader = Loader::start(dataset.clone(), start(0)).unwrap();
    let batches: Vec<_> = (0..7).map(|_| loader.next_batch().unwrap()).collect();
    drop(loader);
    let all: Vec<u64> = batches.iter().flat_map(|batch| batch.indices.clone()).collect();
    for epoch in all.chunks(7) {
        assert_eq!(epoch.iter().collect::<BTreeSet<_>>().len(), 7, "every image once: {epoch:?}");
    }
    assert_ne!(all[..7], all[7..14]);
    for (i, batch) in batches.iter().enumerate() {
        assert_eq!((batch.shown, batch.len(), batch.images.len()), (4 * i as u64, 4, 4 * 3 * 64));
        for (index, image) in batch.indices.iter().zip(batch.images.chunks(3 * 64)) {
            assert!(image.iter().all(|&v| (v - (*index as f32 * 30.0 / 127.5 - 1.0)).abs() < 1e-6));
        }
    }
    // A resume at any number of images, also with another batch size.
    let mut resumed = Loader::start(dataset.clone(), start(12)).unwrap();
    assert_eq!(resumed.next_batch().unwrap(), batches[3]);
    assert_eq!(batch_at(&dataset, 11, 5, 9).unwrap().indices, all[5..14]);
    assert_ne!((0..7).map(|i| index_at(&dataset, 12, i)).collect::<Vec<_>>(), all[..7]);
}

#[test]
fn portraits_are_loaded_one_after_another() {
    let dataset = Dataset::portraits(1, 16).unwrap();
    let mut loader = Loader::start(dataset.clone(), LoaderOptions { batch: 3, seed: 5, shown: 100, ahead: 1 }).unwrap();
    let batch = loader.next_batch().unwrap();
    assert_eq!((batch.indices.as_slice(), batch.labels.len()), (&[100, 101, 102][..], 0));
    let expected: Vec<f32> = dataset.image(101).unwrap().pixels.iter().map(|&v| f32::from(v) / 127.5 - 1.0).collect();
    assert_eq!(batch.images[3 * 256..2 * 3 * 256], expected);
    assert!(batch.images.iter().all(|v| (-1.0..=1.0).contains(v)));
    assert!(loader.waited() > std::time::Duration::ZERO);
}

#[test]
fn a_broken_image_is_an_error_of_its_batch() {
    let set = folder(&[("a.png", solid(8, 8, [0; 3])), ("b.png", b"\x89PNG\r\n\x1a\nnothing".to_vec())]);
    let dataset = open(set.path(), 8, &options()).unwrap();
    let mut loader = Loader::start(dataset, LoaderOptions { batch: 2, seed: 0, shown: 0, ahead: 4 }).unwrap();
    let message = loader.next_batch().unwrap_err().to_string();
    assert!(message.starts_with("b.png: it is damaged"), "{message}");
    assert!(matches!(loader.next_batch(), Err(DataError::Ended)));
}

#[test]
fn what_is_no_dataset_is_refused() {
    let set = folder(&[("readme.txt", b"hi".to_vec()), ("only.png", solid(4, 4, [0; 3]))]);
    let empty = folder(&[("readme.txt", b"hi".to_vec())]);
    for (path, resolution, words) in [
        (set.path().join("missing"), 8, "cannot read"),
        (set.path().join("readme.txt"), 8, "neither a folder nor a zip"),
        (set.path().join("only.png"), 8, "neither a folder nor a zip"),
        (empty.path().to_owned(), 8, "there is no image in it"),
        (set.path().to_owned(), 48, "power of two"),
        (set.path().to_owned(), 2048, "power of two"),
    ] {
        let message = open(&path, resolution, &options()).unwrap_err();
        assert!(message.contains(words), "{message}");
    }
    assert!(matches!(Dataset::portraits(0, 4), Err(DataError::Resolution(4))));
    let other = folder(&[("a.png", bmp())]);
    let message = open(other.path(), 8, &options()).unwrap().image(0).unwrap_err().to_string();
    assert_eq!(message, "a.png: it is no PNG, JPEG or WebP image");
    // WebP by its contents, whatever it is called.
    let mut webp = Cursor::new(Vec::new());
    let pixels = RgbImage::from_pixel(8, 8, Rgb([1, 200, 3]));
    pixels.write_to(&mut webp, ImageFormat::WebP).unwrap();
    let webp = folder(&[("a.png", webp.into_inner())]);
    assert_eq!(open(webp.path(), 8, &options()).unwrap().image(0).unwrap().pixels[64], 200);
}

/// The head of a JPEG with another size in it.
fn jpeg_of(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = jpeg(&RgbImage::new(16, 16));
    let frame = bytes.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

/// Images that mean harm or were damaged: name, bytes, and words of the error (none: it may load).
fn hostile() -> Vec<(&'static str, Vec<u8>, Option<&'static str>)> {
    let whole = jpeg(&RgbImage::from_fn(64, 64, |x, y| Rgb([(x * 37 % 256) as u8, (y * 91 % 256) as u8, 3])));
    let noise = png(DynamicImage::ImageRgb8(RgbImage::from_fn(64, 64, |x, y| Rgb([(x * y * 37 % 256) as u8; 3]))));
    let huge = png_of(65_535, 65_535, 1 << 16, None);
    assert!(huge.len() < 1024, "{}", huge.len());
    vec![
        ("png_65535.png", huge, Some("it is damaged")),
        // Within the sides, beyond the memory.
        ("png_16384.png", png_of(16_384, 16_384, 1 << 17, None), Some("16384x16384 pixels cannot be used")),
        ("png_without_rows.png", png_of(4096, 4096, 10, None), Some("it is damaged")),
        ("png_0.png", png_of(0, 0, 0, None), Some("it is damaged")),
        ("png_truncated.png", noise[..noise.len() / 2].to_vec(), Some("it is damaged")),
        ("png_signature.png", noise[..8].to_vec(), Some("it is damaged")),
        ("ztxt_bomb.png", png_of(8, 8, 72, Some((b"zTXt", named_zeros(300 << 20)))), None),
        ("iccp_bomb.png", png_of(8, 8, 72, Some((b"iCCP", named_zeros(300 << 20)))), None),
        ("jpeg_truncated.jpg", whole[..whole.len() / 2].to_vec(), None),
        ("jpeg_head.jpg", whole[..30].to_vec(), Some("it is damaged")),
        ("jpeg_0.jpg", jpeg_of(0, 0), Some("")),
        ("jpeg_65535.jpg", jpeg_of(65_535, 65_535), Some("")),
        ("jpeg_16000.jpg", jpeg_of(16_000, 16_000), Some("16000x16000 pixels cannot be used")),
        ("webp_head.webp", b"RIFF\xff\xff\xff\xffWEBPVP8L\xff\xff\xff\xff\x2f\xff\xff\xff\xff".to_vec(), Some("")),
        ("text.png", b"<svg/>".to_vec(), Some("no PNG, JPEG or WebP")),
        ("empty.png", Vec::new(), Some("the file is empty")),
    ]
}

#[test]
fn hostile_images_are_errors_with_their_names() {
    let cases = hostile();
    let files: Vec<_> = cases.iter().map(|(name, bytes, _)| (*name, bytes.clone())).collect();
    let set = folder(&files);
    let dataset = open(set.path(), 8, &options()).unwrap();
    assert_eq!(dataset.len(), Some(cases.len() as u64));
    let mut wrong = Vec::new();
    for index in 0..cases.len() as u64 {
        let name = dataset.name(index);
        let (_, _, words) = cases.iter().find(|(case, ..)| *case == name).unwrap();
        let right = match (dataset.image(index), words) {
            (Ok(picture), None) => picture.pixels.len() == 3 * 64,
            (Ok(_), Some(_)) => false,
            (Err(error), words) => {
                let message = error.to_string();
                message.starts_with(&format!("{name}: ")) && message.contains(words.unwrap_or("damaged"))
            }
        };
        if !right {
            wrong.push(format!("{name}: {:?}", dataset.image(index).map(|picture| picture.pixels.len())));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn cmyk_becomes_colours() {
    let set = folder(&[("a.jpg", cmyk_jpeg())]);
    let picture = open(set.path(), 8, &options()).unwrap().image(0).unwrap();
    // Half of the light of half of the ink.
    assert!(picture.pixels.iter().all(|v| v.abs_diff(64) <= 2), "{:?}", &picture.pixels[..8]);
}

#[test]
fn hostile_zips_neither_grow_nor_leave_their_place() {
    let image = solid(8, 8, [1, 2, 3]);
    let names = ["../x.png", "C:\\x.png", "/etc/x.png", "a/../../x.png"];
    let options = options();
    let entry = || zip::write::SimpleFileOptions::default();
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for name in names {
        writer.start_file(name, entry()).unwrap();
        writer.write_all(&image).unwrap();
    }
    writer.add_symlink("link.png", "/etc/passwd", entry()).unwrap();
    let odd = writer.finish().unwrap().into_inner();
    let place = tempfile::tempdir().unwrap();
    fs::create_dir(place.path().join("inner")).unwrap();
    let path = place.path().join("inner/odd.zip");
    fs::write(&path, &odd).unwrap();
    let dataset = open(&path, 8, &options).unwrap();
    assert_eq!(dataset.len(), Some(4), "the link is none");
    assert!((0..4).all(|index| dataset.image(index).unwrap().pixels[64] == 2));
    assert_eq!(
        (fs::read_dir(place.path()).unwrap().count(), fs::read_dir(path.parent().unwrap()).unwrap().count()),
        (1, 1)
    );

    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..100_000 {
        writer.start_file(format!("{index}.png"), entry()).unwrap();
    }
    let many = Dataset::from_zip(writer.finish().unwrap().into_inner(), 8, &options).unwrap();
    assert_eq!(many.len(), Some(100_000));
    assert!(matches!(many.image(99_999), Err(DataError::Image { problem: ImageProblem::EmptyFile, .. })));

    let bomb = zip(&[("bomb.png", vec![0; 65 << 20])]);
    assert!(bomb.len() < 1 << 20);
    let refused = Dataset::from_zip(bomb.clone(), 8, &options).unwrap().image(0);
    assert!(matches!(refused, Err(DataError::Image { problem: ImageProblem::TooLarge(64), .. })));
    // The same, where the archive claims that it unfolds to 100 bytes (in the directory: 24 bytes behind its mark).
    let mut liar = bomb;
    let directory = liar.windows(4).rposition(|mark| mark == b"PK\x01\x02").unwrap();
    liar[directory + 24..directory + 28].copy_from_slice(&100u32.to_le_bytes());
    assert!(matches!(Dataset::from_zip(liar, 8, &options).unwrap().image(0), Err(DataError::Image { .. })));

    for cut in [10, odd.len() / 2, odd.len() - 5] {
        let cut = Dataset::from_zip(odd[..cut].to_vec(), 8, &options);
        assert!(matches!(cut, Err(DataError::Zip { .. } | DataError::Empty { .. })), "{cut:?}");
    }
}

fn look(path: &Path, resolution: Option<usize>) -> Result<Report, DataError> {
    check(path, resolution, &options(), &mut |_, _| ControlFlow::Continue(()))
}

#[test]
fn checking_says_what_is_there_and_what_training_would_do() {
    let labels = r#"{"labels": [["a.png", 0], ["b.png", 0], ["c.png", 2], ["d.png", 2], ["gone.png", 1]]}"#;
    let alpha = RgbaImage::from_pixel(16, 16, Rgba([1, 2, 3, 4]));
    let set = folder(&[
        ("a.png", solid(16, 16, [5; 3])),
        ("b.png", solid(64, 32, [6; 3])),
        ("c.png", png(DynamicImage::ImageRgba8(alpha))),
        ("d.png", solid(16, 16, [5; 3])),
        ("notes.txt", b"x".to_vec()),
        ("dataset.json", labels.into()),
    ]);
    let report = look(set.path(), Some(32)).unwrap();
    assert!(report.is_usable());
    assert_eq!((report.images, report.others, report.duplicates), (4, 1, 1));
    assert_eq!(report.same, [("d.png".to_owned(), "a.png".to_owned())]);
    assert_eq!((report.sizes[&(16, 16)], report.sizes[&(64, 32)]), (3, 1));
    assert_eq!((report.modes["RGB"], report.modes["RGB with transparency"]), (3, 1));
    assert_eq!(report.labels, LabelReport::Classes { counts: vec![2, 0, 2], missing: vec![] });
    let training = report.training.unwrap();
    assert_eq!((training.kept, training.enlarged, training.not_square, training.bytes), (0, 3, 1, 4 * 3 * 32 * 32));
    let text = report.to_string();
    for words in [
        "2 sizes: 16x16 (3), 64x32 (1).",
        "1 image has the same pixels as another: d.png = a.png.",
        "3 classes, with images: 0 (2), 1 (0), 2 (2).",
        "1 class has no image",
        "3 images are smaller than 32 pixels",
        "1 image is not square: the square in the middle is used.",
    ] {
        assert!(text.contains(words), "{words} in:\n{text}");
    }
    assert_eq!(look(set.path(), None).unwrap().training.unwrap().resolution, 16, "what enlarges none");

    let mut told = Vec::new();
    let cancelled = check(set.path(), None, &options(), &mut |done, total| {
        told.push((done, total));
        ControlFlow::Break(())
    });
    assert!(matches!(cancelled, Err(DataError::Cancelled)));
    assert_eq!(told, [(1, 4)]);
    assert!(matches!(look(set.path(), Some(33)), Err(DataError::Resolution(33))));
}

/// Runs the binary: exit code, standard output and standard error.
fn stylescope(arguments: &[&str], folder: &Path) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stylescope"));
    command.args(arguments).current_dir(folder).env_remove("DISPLAY").env_remove("STYLESCOPE_LOG");
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_program_checks_and_names_what_is_broken() {
    let cases = hostile();
    let set: Vec<_> = cases.iter().map(|(name, bytes, _)| (*name, bytes.clone())).collect();
    let set = folder(&set);
    let (code, out, err) = stylescope(&["dataset", "check", ".", "--resolution", "64"], set.path());
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(err.trim_end().lines().last().unwrap().starts_with("error: . cannot be trained on as it is"), "{err}");
    assert!(out.starts_with("16 images.\n"), "{out}");
    for (name, ..) in cases.iter().filter(|(.., words)| words.is_some()) {
        assert!(out.contains(&format!("  {name}: ")), "{name} in\n{out}");
    }
    let good = folder(&[("a.png", solid(16, 16, [5; 3])), ("b.png", solid(16, 16, [6; 3]))]);
    let (code, out, err) = stylescope(&["dataset", "check", "."], good.path());
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("Training at 16x16") && out.contains("2 images are used as they are"), "{out}");
    assert_eq!(stylescope(&["dataset", "check", "missing"], good.path()).0, Some(1));
    assert_eq!(stylescope(&["dataset", "check"], good.path()).0, Some(2));
}

#[test]
fn the_program_draws_portraits_with_their_factors() {
    let place = tempfile::tempdir().unwrap();
    let words = "dataset portraits --count 5 --size 16 --out set --seed 3 --grid 3x2 sheet.png";
    let run = |words: &str| stylescope(&words.split(' ').collect::<Vec<_>>(), place.path());
    let (code, out, err) = run(words);
    assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
    assert!(err.starts_with("5 portraits in ") && err.contains("set, sheet.png"), "{err}");
    let expected = Dataset::portraits(3, 16).unwrap();
    let table = fs::read_to_string(place.path().join("set/factors.csv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!((rows.len(), rows[0][0]), (6, "file"));
    let sheet = image::open(place.path().join("sheet.png")).unwrap().into_rgba8();
    assert_eq!(sheet.dimensions(), (48, 32));
    for index in 0..5u32 {
        let picture = image::open(place.path().join(format!("set/{index:08}.png"))).unwrap().into_rgb8();
        assert_eq!(picture.as_raw(), &expected.image(u64::from(index)).unwrap().interleaved());
        let cell = sheet.get_pixel(index % 3 * 16 + 5, index / 3 * 16 + 7);
        assert_eq!(cell.0[..3], picture.get_pixel(5, 7).0);
        let row = &rows[index as usize + 1];
        let factors = serde_json::to_value(expected.factors(u64::from(index)).unwrap()).unwrap();
        assert_eq!((row.len(), row[0]), (33, &*format!("{index:08}.png")));
        for (name, value) in rows[0].iter().zip(row).skip(1) {
            match factors[name].as_f64() {
                Some(number) => assert!((value.parse::<f64>().unwrap() - number).abs() < 1e-6, "{name} {value}"),
                None => assert_eq!(factors[name], *value, "{name}"),
            }
        }
    }
    // The folder can be trained on, and is not written to again.
    assert_eq!(open(&place.path().join("set"), 16, &options()).unwrap().len(), Some(5));
    let (code, _, err) = run("dataset portraits --count 5 --out set");
    assert!(code == Some(1) && err.contains("set is not empty"), "{err}");
    assert_eq!(run("dataset portraits --grid 2x2 only.png --size 8").0, Some(0));
    for (words, code) in [
        ("dataset portraits --count 5", 2),
        ("dataset portraits --count 0 --out a", 2),
        ("dataset portraits --grid 2 a.png", 2),
        ("dataset portraits --count 5 --size 48 --out a", 1),
    ] {
        assert_eq!(run(words).0, Some(code), "{words}");
    }
    assert!(!place.path().join("a").exists());
}
