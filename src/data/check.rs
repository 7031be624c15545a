//! What is in a folder or zip, and what training would make of it.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    ops::ControlFlow,
    path::Path,
    sync::{
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
};

use image::ColorType;
use sha2::{Digest, Sha256};

use super::{
    dataset::{DatasetOptions, check_resolution},
    decode::{self, Channels, Fit},
    error::{DataError, ImageProblem},
    labels::Labels,
    source::Source,
};
use crate::base::worker;

/// Files that are read at the same time: each may take some hundred MiB.
const MAX_THREADS: usize = 4;
/// Names that a list of the report holds.
const MAX_NAMES: usize = 1000;
/// Names that a sentence tells.
const TOLD: usize = 5;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Files with an image's name.
    pub images: u64,
    /// Other files, and names that are not Unicode.
    pub others: u64,
    /// Links that are not followed.
    pub links: u64,
    /// Number of images of each (width, height) in pixels.
    pub sizes: BTreeMap<(u32, u32), u64>,
    /// Number of images of each kind of colours, e.g. `RGB`.
    pub modes: BTreeMap<&'static str, u64>,
    /// How many images cannot be read.
    pub unreadable: u64,
    /// The first thousand of them: name, and what is wrong.
    pub problems: Vec<(String, String)>,
    /// How many images have the pixels of another that comes before them.
    pub duplicates: u64,
    /// The first thousand of them, with the name of the first such image.
    pub same: Vec<(String, String)>,
    /// What `dataset.json` says.
    pub labels: LabelReport,
    /// What training would do at the resolution asked for, else at the one that suits the sizes; `None` if no image can
    /// be read.
    pub training: Option<TrainingReport>,
}

/// What `dataset.json` says about the images.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LabelReport {
    /// There is none, or it is not used.
    #[default]
    None,
    /// It cannot be used: why.
    Broken(String),
    /// A class for each image: images of each class up to the largest, and images without a label.
    Classes {
        /// Number of images of each class.
        counts: Vec<u64>,
        /// Images without one.
        missing: Vec<String>,
    },
    /// A vector for each image.
    Vectors {
        /// Numbers of a vector.
        dim: usize,
        /// Images without one.
        missing: Vec<String>,
    },
}

/// What becomes of the images that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrainingReport {
    /// Side in pixels.
    pub resolution: usize,
    /// Whether the resolution was asked for; otherwise it is the largest at which at most one in twenty is enlarged.
    pub asked: bool,
    /// Images that are not changed in size or shape.
    pub kept: u64,
    /// Images that are enlarged, and so blurred.
    pub enlarged: u64,
    /// Images that are not square: cut or bordered, see [`Fit`].
    pub not_square: u64,
    /// How those that are not square are fitted.
    pub fit: Fit,
    /// Bytes of all prepared images.
    pub bytes: u64,
}

/// Reads every image of a folder or zip.
///
/// - `resolution`: what to train at, a power of two from 4 to 1024
/// - `progress`: is told the images looked at and how many there are, and says whether to go on
///
/// Broken images and labels are part of the report.
///
/// # Errors
/// If the folder or zip itself cannot be used, for a resolution that is not possible, and when it was cancelled.
pub fn check(
    path: &Path,
    resolution: Option<usize>,
    options: &DatasetOptions,
    progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>,
) -> Result<Report, DataError> {
    resolution.map_or(Ok(()), |resolution| check_resolution(resolution, 4))?;
    let source = Source::open(path)?;
    let mut report = Report {
        images: source.len() as u64,
        others: source.others,
        links: source.links,
        labels: if options.labels { labels_of(&source) } else { LabelReport::None },
        ..Report::default()
    };
    let found = read_all(&source, progress)?;
    let mut first: HashMap<[u8; 16], usize> = HashMap::new();
    for (index, found) in found.into_iter().enumerate() {
        match found {
            Ok(image) => {
                *report.sizes.entry((image.width, image.height)).or_default() += 1;
                *report.modes.entry(mode(image.color)).or_default() += 1;
                let earlier = *first.entry(image.hash).or_insert(index);
                if earlier != index {
                    report.duplicates += 1;
                    remember(&mut report.same, source.name(index), || source.name(earlier).to_owned());
                }
            }
            Err(problem) => {
                report.unreadable += 1;
                remember(&mut report.problems, source.name(index), || problem);
            }
        }
    }
    report.training = training(&report.sizes, resolution, options);
    Ok(report)
}

struct Image {
    width: u32,
    height: u32,
    color: ColorType,
    hash: [u8; 16],
}

/// An image, or what is wrong with it.
type Found = Result<Image, String>;

fn remember(list: &mut Vec<(String, String)>, name: &str, what: impl FnOnce() -> String) {
    if list.len() < MAX_NAMES {
        list.push((name.to_owned(), what()));
    }
}

/// Reads the images on a few threads, while this one tells how far they are.
fn read_all(source: &Source, progress: &mut dyn FnMut(u64, u64) -> ControlFlow<()>) -> Result<Vec<Found>, DataError> {
    let count = source.len();
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get()).clamp(1, MAX_THREADS).min(count);
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let (sender, receiver) = mpsc::sync_channel(64);
    let mut found: Vec<Option<Found>> = Vec::new();
    found.resize_with(count, || None);
    std::thread::scope(|scope| {
        // Dropped on any way out of here, so that no thread waits to send for ever.
        let receiver = receiver;
        for _ in 0..threads {
            let (sender, next, stop) = (sender.clone(), &next, &stop);
            let read = move || {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count || sender.send((index, read(source, index))).is_err() {
                        return;
                    }
                }
            };
            std::thread::Builder::new()
                .name("check".to_owned())
                .spawn_scoped(scope, read)
                .map_err(DataError::Thread)?;
        }
        // The threads have clones: the loop ends with the last of them.
        drop(sender);
        let mut done = 0;
        for (index, image) in &receiver {
            found[index] = Some(image);
            done += 1;
            if progress(done, count as u64).is_break() {
                stop.store(true, Ordering::Relaxed);
                return Err(DataError::Cancelled);
            }
        }
        Ok(())
    })?;
    Ok(found.into_iter().map(|image| image.unwrap_or_else(|| Err("it was not read".to_owned()))).collect())
}

fn read(source: &Source, index: usize) -> Found {
    let told = |problem: ImageProblem| problem.to_string();
    let bytes = source.read(index).map_err(|error| match error {
        DataError::Image { problem, .. } => told(problem),
        other => other.to_string(),
    })?;
    // A decoder that breaks down on one file is no reason to know nothing of the others.
    let decoded = worker::catch(|| decode::decode(&bytes)).map_err(|panic| told(ImageProblem::Decode(panic)))?;
    let (image, header) = decoded.map_err(told)?;
    let mut hash = Sha256::new();
    hash.update(image.width().to_le_bytes());
    hash.update([image.color().channel_count()]);
    hash.update(image.as_bytes());
    let mut short = [0; 16];
    short.iter_mut().zip(hash.finalize()).for_each(|(to, from)| *to = from);
    Ok(Image { width: header.width, height: header.height, color: header.color, hash: short })
}

fn labels_of(source: &Source) -> LabelReport {
    let labels =
        match source.labels().map(|bytes| bytes.and_then(|bytes| Labels::parse(&bytes, |name| source.has(name)))) {
            None | Some(Ok(None)) => return LabelReport::None,
            Some(Err(error)) => return LabelReport::Broken(error.to_string()),
            Some(Ok(Some(labels))) => labels,
        };
    let names = || (0..source.len()).map(|index| source.name(index));
    let missing = names().filter(|name| !labels.has(name)).map(str::to_owned).collect();
    match &labels {
        Labels::Vectors(dim, _) => LabelReport::Vectors { dim: *dim, missing },
        Labels::Classes(dim, classes) => {
            let mut counts = vec![0; *dim];
            for class in names().filter_map(|name| classes.get(name)) {
                if let Some(count) = counts.get_mut(*class as usize) {
                    *count += 1;
                }
            }
            LabelReport::Classes { counts, missing }
        }
    }
}

fn mode(color: ColorType) -> &'static str {
    match color {
        ColorType::L8 => "grey",
        ColorType::La8 => "grey with transparency",
        ColorType::Rgb8 => "RGB",
        ColorType::Rgba8 => "RGB with transparency",
        ColorType::L16 => "grey in 16 bits",
        ColorType::La16 => "grey with transparency in 16 bits",
        ColorType::Rgb16 => "RGB in 16 bits",
        ColorType::Rgba16 => "RGB with transparency in 16 bits",
        _ => "other colours",
    }
}

fn training(
    sizes: &BTreeMap<(u32, u32), u64>,
    resolution: Option<usize>,
    options: &DatasetOptions,
) -> Option<TrainingReport> {
    let images: u64 = sizes.values().sum();
    // The side that is scaled to the resolution.
    let side = |(width, height): (u32, u32)| match options.fit {
        Fit::Crop => width.min(height) as usize,
        Fit::Whole => width.max(height) as usize,
    };
    let count = |wanted: &dyn Fn((u32, u32)) -> bool| {
        sizes.iter().filter(|(size, _)| wanted(**size)).map(|(_, count)| count).sum::<u64>()
    };
    if images == 0 {
        return None;
    }
    let enlarged = |resolution: usize| count(&|size| side(size) < resolution);
    let suits = |resolution: &usize| enlarged(*resolution) * 20 <= images;
    let suggested = || (2..=10).rev().map(|power| 1 << power).find(suits).unwrap_or(4);
    let n = resolution.unwrap_or_else(suggested);
    let mirrored = 1 + u64::from(options.x_flip);
    Some(TrainingReport {
        resolution: n,
        asked: resolution.is_some(),
        kept: count(&|(w, h)| (w as usize, h as usize) == (n, n)),
        enlarged: enlarged(n),
        not_square: count(&|(w, h)| w != h),
        fit: options.fit,
        bytes: images * mirrored * (options.channels.count() * n * n) as u64,
    })
}

impl Report {
    /// Whether training can begin: every image can be read, and the labels used.
    pub fn is_usable(&self) -> bool {
        let labelled = match &self.labels {
            LabelReport::None => true,
            LabelReport::Broken(_) => false,
            LabelReport::Classes { missing, .. } | LabelReport::Vectors { missing, .. } => missing.is_empty(),
        };
        self.unreadable == 0 && labelled
    }

    /// All of it in plain sentences, what matters most at the end.
    pub fn sentences(&self, channels: Channels) -> Vec<String> {
        let mut said = vec![format!("{}.", counted(self.images, "image"))];
        if self.others > 0 {
            said.push(format!("{} that {} no image.", counted(self.others, "other file"), is(self.others)));
        }
        if self.links > 0 {
            said.push(format!("{} that {} not followed.", counted(self.links, "link"), is(self.links)));
        }
        said.extend(self.sizes_said());
        said.extend(self.modes_said(channels));
        if self.duplicates > 0 {
            let pairs = self.same.iter().map(|(name, first)| format!("{name} = {first}"));
            said.push(format!(
                "{} the same pixels as another: {}. What is there twice is seen twice as often.",
                have(self.duplicates, "image"),
                told(pairs, self.duplicates)
            ));
        }
        said.extend(self.labels.said());
        said.extend(self.training.iter().flat_map(TrainingReport::said));
        if self.unreadable > 0 {
            said.push(format!("{} cannot be read, and training would stop there:", counted(self.unreadable, "image")));
            said.extend(self.problems.iter().map(|(name, problem)| format!("  {name}: {problem}")));
            let rest = self.unreadable - self.problems.len() as u64;
            if rest > 0 {
                said.push(format!("  and {rest} more"));
            }
        }
        said
    }

    fn sizes_said(&self) -> Option<String> {
        let mut sizes: Vec<_> = self.sizes.iter().collect();
        sizes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let size = |(w, h): (u32, u32)| format!("{w}x{h}");
        match sizes.as_slice() {
            [] => None,
            [(one, _)] => Some(format!("All are {} pixels.", size(**one))),
            many => {
                let list = many.iter().map(|(wh, count)| format!("{} ({count})", size(**wh)));
                Some(format!("{} sizes: {}.", many.len(), told(list, many.len() as u64)))
            }
        }
    }

    fn modes_said(&self, channels: Channels) -> Option<String> {
        let list: Vec<_> = self.modes.iter().map(|(mode, count)| format!("{mode} ({count})")).collect();
        let becomes = match channels {
            Channels::Grey => "all become grey",
            Channels::Rgb => "all become RGB; what is transparent becomes white",
            Channels::Rgba => "all become RGB with transparency",
        };
        (!list.is_empty()).then(|| format!("Colours: {}; {becomes}.", list.join(", ")))
    }
}

impl LabelReport {
    fn said(&self) -> Vec<String> {
        let (mut said, missing) = match self {
            Self::None => return Vec::new(),
            Self::Broken(why) => {
                return vec![format!("The labels cannot be used, and training would not begin: {why}.")];
            }
            Self::Vectors { dim, missing } => (vec![format!("Labels of {}.", counted(*dim as u64, "number"))], missing),
            Self::Classes { counts, missing } => (classes_said(counts), missing),
        };
        if !missing.is_empty() {
            let count = missing.len() as u64;
            let names = told(missing.iter().cloned(), count);
            said.push(format!("{} no label, and training would not begin: {names}.", have(count, "image")));
        }
        said
    }
}

fn classes_said(counts: &[u64]) -> Vec<String> {
    let list = counts.iter().enumerate().map(|(class, count)| format!("{class} ({count})"));
    let shown = told(list, counts.len() as u64);
    let mut said = vec![format!("{}, with images: {shown}.", counted(counts.len() as u64, "class"))];
    let (least, most) = (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    let empty = counts.iter().filter(|count| **count == 0).count() as u64;
    if empty > 0 {
        said.push(format!("{} no image: the network would learn nothing for it.", have(empty, "class")));
    } else if most > 10 * least {
        said.push(format!("The largest class has {most} images and the smallest {least}: it will be learned worse."));
    }
    said
}

impl TrainingReport {
    fn said(&self) -> Vec<String> {
        let n = self.resolution;
        let memory = self.bytes.div_ceil(1 << 20);
        let why = if self.asked { "" } else { ", the largest resolution that suits these sizes" };
        let mut said = vec![format!("Training at {n}x{n}{why}, holds up to {memory} MiB of prepared images.")];
        if self.not_square > 0 {
            let fit = match self.fit {
                Fit::Crop => "the square in the middle is used",
                Fit::Whole => "borders are added",
            };
            said.push(format!("{} not square: {fit}.", are(self.not_square, "image")));
        }
        if self.enlarged > 0 {
            said.push(format!(
                "{} smaller than {n} pixels and would be enlarged: the network learns the blur.",
                are(self.enlarged, "image")
            ));
        }
        if self.kept > 0 {
            said.push(format!("{} used as {} pixel by pixel.", are(self.kept, "image"), they(self.kept)));
        }
        said
    }
}

impl fmt::Display for Report {
    /// The sentences for training in RGB, a line each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentences(Channels::Rgb).join("\n"))
    }
}

fn counted(count: u64, what: &str) -> String {
    let ending = if what.ends_with('s') { "es" } else { "s" };
    format!("{count} {what}{}", if count == 1 { "" } else { ending })
}

fn is(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

fn they(count: u64) -> &'static str {
    if count == 1 { "it is" } else { "they are" }
}

fn are(count: u64, what: &str) -> String {
    format!("{} {}", counted(count, what), is(count))
}

fn have(count: u64, what: &str) -> String {
    format!("{} {}", counted(count, what), if count == 1 { "has" } else { "have" })
}

/// The first of a list of `count`.
fn told(list: impl Iterator<Item = String>, count: u64) -> String {
    let shown = list.take(TOLD).collect::<Vec<_>>().join(", ");
    if count > TOLD as u64 { format!("{shown} and {} more", count - TOLD as u64) } else { shown }
}
