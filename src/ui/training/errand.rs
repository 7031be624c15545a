//! What the training panel has done on threads of its own: reading images, decoding pictures, writing files.

use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use image::{DynamicImage, RgbaImage, imageops};

use super::form::DataChoice;
use crate::{
    base::{error_chain::error_chain, worker},
    data::{Channels, DataError, Dataset, DatasetOptions, Picture, check},
    gpu::separate::SeparateDevice,
    training::{
        measure,
        run_folder::{self, RunFile},
    },
};

/// Images that stand for a dataset.
pub const THUMBNAILS: usize = 8;
/// Their side in pixels, at most.
const THUMBNAIL_SIDE: usize = 64;
/// Side of the shown grid of samples in pixels, at most: the file may be far larger.
const SAMPLE_SIDE: u32 = 1024;
/// Longest picture of samples that is read, in bytes.
const MAX_SAMPLE_BYTES: u64 = 1 << 30;

/// A picture for the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Width and height in pixels.
    pub size: [usize; 2],
    /// RGBA, row by row.
    pub rgba: Vec<u8>,
}

impl Tile {
    fn of(image: RgbaImage) -> Self {
        Self { size: [image.width() as usize, image.height() as usize], rgba: image.into_raw() }
    }
}

/// What came back.
#[derive(Debug)]
pub enum TrainingAnswer {
    /// Some images of a dataset and their classes, for the look with this number.
    Images(u64, Images),
    /// What is in a folder or zip, for the look with this number.
    Report(u64, Result<DataReport, String>),
    /// The picture of the grid.
    Sample(PathBuf, Result<Tile, String>),
    /// What a run is.
    Run(PathBuf, Result<Box<RunFile>, String>),
    /// Operations of training a second on this machine.
    Speed(Result<f64, String>),
    /// A file was written.
    Written(PathBuf, Result<(), String>),
}

/// What is seen of a dataset at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    /// Its first images.
    pub tiles: Result<Vec<Tile>, String>,
    /// Numbers of a label; 0 if there are none. Not asked of the built-in images.
    pub label_dim: Result<usize, String>,
}

/// What `dataset check` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataReport {
    /// In plain sentences.
    pub sentences: Vec<String>,
    /// Whether training can begin.
    pub usable: bool,
}

/// How far the check of a dataset is; also what stops it.
#[derive(Debug, Default)]
pub struct CheckProgress {
    done: AtomicU64,
    total: AtomicU64,
    cancelled: AtomicBool,
}

impl CheckProgress {
    /// Images looked at, and how many there are; 0 while that is not known.
    pub fn get(&self) -> (u64, u64) {
        (self.done.load(Ordering::Relaxed), self.total.load(Ordering::Relaxed))
    }

    /// Nobody wants the answer any more.
    pub fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
    }
}

fn options(mirror: bool) -> DatasetOptions {
    DatasetOptions { x_flip: mirror, labels: false, ..DatasetOptions::default() }
}

/// The first images of a dataset, small, and its classes.
pub fn images(data: &DataChoice, resolution: usize, seed: u64) -> Images {
    let label_dim = match data {
        DataChoice::Portraits => Ok(0),
        DataChoice::Path(path) => {
            let labelled = Dataset::open(path, resolution, &DatasetOptions::default());
            labelled.map(|dataset| dataset.label_dim()).map_err(|error| error_chain(&error))
        }
    };
    Images { tiles: thumbnails(data, resolution, seed), label_dim }
}

fn thumbnails(data: &DataChoice, resolution: usize, seed: u64) -> Result<Vec<Tile>, String> {
    let side = resolution.min(THUMBNAIL_SIDE);
    let read = || -> Result<Vec<Tile>, DataError> {
        let dataset = match data {
            // They cannot be drawn smaller than this.
            DataChoice::Portraits => Dataset::portraits(seed, side.max(8))?,
            DataChoice::Path(path) => Dataset::open(path, side, &options(false))?,
        };
        let count = dataset.len().map_or(THUMBNAILS as u64, |len| len.min(THUMBNAILS as u64));
        (0..count).map(|index| dataset.image(index).map(|picture| tile(&picture))).collect()
    };
    read().map_err(|error| error_chain(&error))
}

fn tile(picture: &Picture) -> Tile {
    let plane = picture.width * picture.height;
    let at = |channel: usize, i: usize| picture.pixels.get(channel * plane + i).copied().unwrap_or(0);
    let rgb = if picture.channels < 3 { [0; 3] } else { [0, 1, 2] };
    let pixel = |i: usize| [at(rgb[0], i), at(rgb[1], i), at(rgb[2], i), 255];
    Tile { size: [picture.width, picture.height], rgba: (0..plane).flat_map(pixel).collect() }
}

/// What is in a folder or zip; `None` when it was cancelled.
pub fn report(
    path: &Path,
    resolution: usize,
    mirror: bool,
    progress: &Arc<CheckProgress>,
) -> Option<Result<DataReport, String>> {
    let mut tell = |done, total| {
        progress.done.store(done, Ordering::Relaxed);
        progress.total.store(total, Ordering::Relaxed);
        if progress.cancelled.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    match check::check(path, Some(resolution), &options(mirror), &mut tell) {
        Ok(report) => Some(Ok(DataReport { sentences: report.sentences(Channels::Rgb), usable: report.is_usable() })),
        Err(DataError::Cancelled) => None,
        Err(error) => Some(Err(error_chain(&error))),
    }
}

/// The picture of the grid, no larger than the screen needs it.
pub fn sample(path: &Path) -> Result<Tile, String> {
    let read = || -> Result<DynamicImage, String> {
        let length = std::fs::metadata(path).map_err(|error| error.to_string())?.len();
        if length > MAX_SAMPLE_BYTES {
            return Err("it is larger than a grid of samples can be".into());
        }
        let mut reader = image::ImageReader::open(path).map_err(|error| error.to_string())?;
        reader.no_limits();
        reader.decode().map_err(|error| error.to_string())
    };
    let image = read().map_err(|cause| format!("{} cannot be read: {cause}", path.display()))?.into_rgba8();
    let larger = image.width().max(image.height());
    if larger <= SAMPLE_SIDE {
        return Ok(Tile::of(image));
    }
    let scaled = |side: u32| (u64::from(side) * u64::from(SAMPLE_SIDE) / u64::from(larger)).max(1) as u32;
    Ok(Tile::of(imageops::thumbnail(&image, scaled(image.width()), scaled(image.height()))))
}

/// What a run is.
pub fn run(folder: &Path) -> Result<Box<RunFile>, String> {
    run_folder::read_run(folder).map(Box::new).map_err(|error| error_chain(&error))
}

/// How many operations of training this machine does in a second.
pub fn speed(device: &SeparateDevice) -> Result<f64, String> {
    let compute = device.get().map_err(|error| error_chain(&error))?;
    worker::catch(|| measure::flops_per_second(&compute.device))
        .and_then(|speed| speed.map_err(|error| error_chain(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dataset_is_looked_at() {
        let tiles = thumbnails(&DataChoice::Portraits, 16, 0).unwrap();
        assert_eq!((tiles.len(), tiles[0].size, tiles[0].rgba.len()), (THUMBNAILS, [16, 16], 16 * 16 * 4));
        assert_ne!(tiles[0], tiles[1]);

        let folder = tempfile::tempdir().unwrap();
        RgbaImage::from_pixel(20, 30, image::Rgba([200, 10, 0, 255])).save(folder.path().join("a.png")).unwrap();
        let data = DataChoice::Path(folder.path().to_owned());
        let tiles = thumbnails(&data, 8, 0).unwrap();
        assert_eq!((tiles.len(), &tiles[0].rgba[..4]), (1, &[200, 10, 0, 255][..]));
        let progress = Arc::new(CheckProgress::default());
        let found = report(folder.path(), 8, true, &progress).unwrap().unwrap();
        assert!(found.usable && found.sentences.iter().any(|s| s.contains("20x30")), "{found:?}");
        assert_eq!(progress.get(), (1, 1));

        std::fs::write(folder.path().join("b.png"), "no image").unwrap();
        let found = report(folder.path(), 8, false, &progress).unwrap().unwrap();
        assert!(!found.usable && found.sentences.iter().any(|s| s.contains("b.png")), "{found:?}");
        progress.cancel();
        assert_eq!(report(folder.path(), 8, false, &progress), None);
        assert!(thumbnails(&DataChoice::Path("/nowhere".into()), 8, 0).is_err());
    }

    #[test]
    fn a_large_grid_is_shown_small() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("000000008.png");
        RgbaImage::from_pixel(2048, 2048, image::Rgba([7, 8, 9, 255])).save(&path).unwrap();
        let tile = sample(&path).unwrap();
        assert_eq!((tile.size, &tile.rgba[..4]), ([1024, 1024], &[7, 8, 9, 255][..]));
        std::fs::write(&path, "torn").unwrap();
        assert!(sample(&path).unwrap_err().contains("000000008.png"));
    }
}
