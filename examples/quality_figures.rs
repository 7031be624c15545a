//! Shows how good a network is that learned the portraits: three pictures, and numbers that anybody can work out again.
//!
//!     cargo run --example quality_figures -- [--model FILE] --out FOLDER
//!
//! - `NAME-quality.png`: 64 images of the data, 64 seeds at psi 0.7, 64 seeds at psi 1
//! - `NAME-neighbours.png`: seeds, each above the images of the data that are nearest to it
//! - `NAME-controls.png`: what coarse, middle and fine styles of a second seed and other noise do to a seed
//!
//! Every image of the data and every seed is taken in its order, none is chosen.

use std::{error::Error, path::Path, path::PathBuf, sync::Arc};

use image::{RgbaImage, imageops};
use stylescope::{
    base::atomic_file::write_atomic,
    checkpoint,
    data::Dataset,
    engine::{ModelId, bundled, model::OpenModel, save::render_picture},
    model::Placement,
    session::{
        MixPreset, Pose, PoseEdit,
        pose::{NoiseMode, SeedPosition},
    },
};

type Failure = Box<dyn Error>;

/// Seed of the portraits that the training has seen, the default of `stylescope train`.
const DATA_SEED: u64 = 0;
/// Images of the data that are searched for neighbours: the first ones that the training saw.
const SEARCHED: u64 = 10_000;
/// Index of the first image of the data that no training of less than ten million images has seen.
const HELD_OUT: u64 = 10_000_000;
/// Images on each side of the comparison of distances.
const COMPARED: usize = 256;
/// Seeds whose neighbours are shown, and neighbours of each.
const SHOWN: usize = 10;
const NEAREST: usize = 3;
/// Seeds whose controls are shown.
const SUBJECTS: u32 = 6;
/// Differences are shown this many times as strong.
const DIFFERENCE_GAIN: i32 = 4;
/// Space between images and groups of them, in pixels.
const GAP: u32 = 2;
const GROUP_GAP: u32 = 16;
const PAPER: image::Rgba<u8> = image::Rgba([255, 255, 255, 255]);

fn main() -> Result<(), Failure> {
    let (mut file, mut out) = (None, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments.next().ok_or_else(|| format!("{argument} needs a value"))?;
        match argument.as_str() {
            "--model" => file = Some(PathBuf::from(value)),
            "--out" => out = Some(PathBuf::from(value)),
            _ => return Err(format!("{argument} is not known; there are --model and --out").into()),
        }
    }
    let out = out.ok_or("--out FOLDER is missing")?;
    let placement = Placement::cpu();
    let model = Arc::new(match file {
        Some(file) => OpenModel::build(ModelId(1), checkpoint::open(&file, &())?, None, &placement, &())?,
        None => bundled::open(ModelId(1), &placement)?,
    });
    let name = model.summary.name.clone();
    let resolution = model.generator.config().resolution();
    let data = Dataset::portraits(DATA_SEED, resolution)?;
    let save = |kind: &str, picture: RgbaImage| save(&out.join(format!("{name}-{kind}.png")), &picture);
    save("quality", quality(&model, &data)?)?;
    save("controls", controls(&model)?)?;
    save("neighbours", neighbours(&model, &data)?)
}

fn save(path: &Path, picture: &RgbaImage) -> Result<(), Failure> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    // Without the alpha, which says nothing here.
    image::DynamicImage::ImageRgba8(picture.clone()).to_rgb8().write_to(&mut bytes, image::ImageFormat::Png)?;
    write_atomic(path, |file| file.write_all(bytes.get_ref()))?;
    println!("{}: {}x{}", path.display(), picture.width(), picture.height());
    Ok(())
}

fn generated(model: &Arc<OpenModel>, pose: &Pose) -> Result<RgbaImage, Failure> {
    let (bytes, [width, height]) = render_picture(model, pose)?;
    RgbaImage::from_raw(width, height, bytes).ok_or_else(|| "the image has another size than its bytes".into())
}

fn of_seed(seed: u32, psi: f32) -> Pose {
    let mut pose = Pose { seed: SeedPosition::of_seed(seed), ..Pose::default() };
    PoseEdit::Psi(psi).apply(&mut pose);
    pose
}

fn real(data: &Dataset, index: u64) -> Result<RgbaImage, Failure> {
    let picture = data.image(index)?;
    let rgba = picture.interleaved().chunks_exact(picture.channels).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
    RgbaImage::from_raw(picture.width as u32, picture.height as u32, rgba).ok_or_else(|| "not RGB".into())
}

/// Images in rows of `columns`.
fn sheet(images: &[RgbaImage], columns: u32) -> RgbaImage {
    let side = images.first().map_or(1, |image| image.width());
    let rows = (images.len() as u32).div_ceil(columns);
    let mut sheet = RgbaImage::from_pixel(columns * (side + GAP) - GAP, rows * (side + GAP) - GAP, PAPER);
    for (i, image) in (0..).zip(images) {
        let [x, y] = [i % columns, i / columns].map(|n| i64::from(n * (side + GAP)));
        imageops::replace(&mut sheet, image, x, y);
    }
    sheet
}

/// Sheets from left to right.
fn side_by_side(sheets: &[RgbaImage]) -> RgbaImage {
    let width = sheets.iter().map(|sheet| sheet.width() + GROUP_GAP).sum::<u32>().saturating_sub(GROUP_GAP);
    let height = sheets.iter().map(|sheet| sheet.height()).max().unwrap_or(1);
    let mut all = RgbaImage::from_pixel(width, height, PAPER);
    let mut x = 0;
    for sheet in sheets {
        imageops::replace(&mut all, sheet, i64::from(x), 0);
        x += sheet.width() + GROUP_GAP;
    }
    all
}

fn quality(model: &Arc<OpenModel>, data: &Dataset) -> Result<RgbaImage, Failure> {
    let seeds = |psi| (0..64).map(|seed| generated(model, &of_seed(seed, psi))).collect::<Result<Vec<_>, _>>();
    let reals = (0..64).map(|index| real(data, HELD_OUT + index)).collect::<Result<Vec<_>, _>>()?;
    Ok(side_by_side(&[sheet(&reals, 8), sheet(&seeds(0.7)?, 8), sheet(&seeds(1.0)?, 8)]))
}

/// A row a seed: itself, with coarse, middle, fine styles of the next subject, with two other draws of noise, and what the
/// noise changed.
fn controls(model: &Arc<OpenModel>) -> Result<RgbaImage, Failure> {
    let num_ws = model.generator.config().num_ws();
    let mut columns: [Vec<RgbaImage>; 3] = Default::default();
    let (mut largest, mut changed, mut pixels) = (0, 0u64, 0u64);
    for seed in 0..SUBJECTS {
        let pose = of_seed(seed, 0.7);
        let with = |edits: &[PoseEdit]| {
            let mut pose = pose.clone();
            edits.iter().for_each(|edit| edit.apply(&mut pose));
            generated(model, &pose)
        };
        columns[0].push(with(&[])?);
        for preset in [MixPreset::Coarse, MixPreset::Middle, MixPreset::Fine] {
            columns[1].push(with(&[PoseEdit::MixSeed(seed + SUBJECTS), PoseEdit::MixPreset(preset, num_ws)])?);
        }
        let noisy = |n| with(&[PoseEdit::NoiseMode(NoiseMode::Random), PoseEdit::NoiseSeed(n)]);
        let (a, b) = (noisy(1)?, noisy(2)?);
        let mut difference = a.clone();
        for (d, other) in difference.pixels_mut().zip(b.pixels()) {
            let by = [0, 1, 2].map(|c| (i32::from(d[c]) - i32::from(other[c])).abs());
            largest = largest.max(by.into_iter().max().unwrap_or(0));
            changed += by.iter().map(|by| *by as u64).sum::<u64>();
            pixels += 3;
            *d = image::Rgba([by[0], by[1], by[2], 63].map(|v| (DIFFERENCE_GAIN * v).min(255) as u8));
        }
        columns[2].extend([a, b, difference]);
    }
    println!(
        "other noise moves a value by {:.2} of 255 on average, by {largest} at most",
        changed as f64 / pixels.max(1) as f64
    );
    let [own, mixed, noise] = columns;
    Ok(side_by_side(&[sheet(&own, 1), sheet(&mixed, 3), sheet(&noise, 3)]))
}

/// Root of the mean squared difference of the bytes of two images.
fn distance(a: &RgbaImage, b: &RgbaImage) -> f64 {
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum();
    // The alpha is the same everywhere: three values a pixel.
    (sum as f64 / (3.0 * f64::from(a.width()) * f64::from(a.height()))).sqrt()
}

/// The images that came nearest so far, with their distances, nearest first.
struct Nearest(Vec<(f64, RgbaImage)>);

impl Nearest {
    fn offer(&mut self, distance: f64, image: &RgbaImage) {
        let place = self.0.partition_point(|(d, _)| *d <= distance);
        if place < NEAREST {
            self.0.insert(place, (distance, image.clone()));
            self.0.truncate(NEAREST);
        }
    }
}

fn neighbours(model: &Arc<OpenModel>, data: &Dataset) -> Result<RgbaImage, Failure> {
    let generated = (0..COMPARED as u32).map(|seed| generated(model, &of_seed(seed, 1.0)));
    let generated = generated.collect::<Result<Vec<_>, _>>()?;
    let unseen = (0..COMPARED as u64).map(|index| real(data, HELD_OUT + index)).collect::<Result<Vec<_>, _>>()?;
    let mut found: Vec<Nearest> = (0..2 * COMPARED).map(|_| Nearest(Vec::new())).collect();
    for index in 0..SEARCHED {
        let seen = real(data, index)?;
        for (nearest, image) in found.iter_mut().zip(generated.iter().chain(&unseen)) {
            nearest.offer(distance(image, &seen), &seen);
        }
    }
    let median = |found: &[Nearest]| {
        let mut distances: Vec<f64> = found.iter().filter_map(|nearest| Some(nearest.0.first()?.0)).collect();
        distances.sort_by(f64::total_cmp);
        [0, distances.len() / 2].map(|i| distances.get(i).copied().unwrap_or(f64::NAN))
    };
    let ([least, middle], [unseen_least, unseen_middle]) = (median(&found[..COMPARED]), median(&found[COMPARED..]));
    println!(
        "nearest of {SEARCHED} images of the data, in bytes a value: {COMPARED} seeds {middle:.1} as the median, {least:.1} at \
         least; {COMPARED} images that were never seen {unseen_middle:.1} and {unseen_least:.1}"
    );
    let mut rows: Vec<RgbaImage> = generated.iter().take(SHOWN).cloned().collect();
    for rank in 0..NEAREST {
        rows.extend(found.iter().take(SHOWN).filter_map(|nearest| Some(nearest.0.get(rank)?.1.clone())));
    }
    Ok(sheet(&rows, SHOWN as u32))
}
