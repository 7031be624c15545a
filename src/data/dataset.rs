//! The one type that training knows: images by number, with their labels.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use sha2::{Digest, Sha256};

use super::{
    cache::Cache,
    decode::{self, Channels, Fit},
    error::{DataError, ImageProblem},
    labels::Labels,
    picture::Picture,
    portraits::{self, Factors, Forbidden, factors::HairStyle},
    random::mix_all,
    source::Source,
};

/// How the user's own images are prepared.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetOptions {
    /// Colours of all images.
    pub channels: Channels,
    /// What becomes of images that are not square.
    pub fit: Fit,
    /// Also every image mirrored: twice as many, the mirrored ones behind.
    pub x_flip: bool,
    /// Whether the labels of `dataset.json` are used; otherwise `label_dim` is 0.
    pub labels: bool,
    /// Bytes of prepared images that may stay in memory.
    pub memory: u64,
    /// A folder for the prepared images that do not fit into memory, and bytes they may take there.
    pub cache: Option<(PathBuf, u64)>,
}

impl Default for DatasetOptions {
    /// RGB, the square in the middle, not mirrored, with labels, 512 MiB in memory and nothing on the disk.
    fn default() -> Self {
        let (channels, fit) = (Channels::default(), Fit::default());
        Self { channels, fit, x_flip: false, labels: true, memory: 512 << 20, cache: None }
    }
}

/// Images to train on: the built-in portraits, or a folder or zip of the user's.
///
/// All images have the same shape, `[channels, resolution, resolution]`. Clones share files and cache.
#[derive(Clone)]
pub struct Dataset {
    kind: Kind,
    resolution: usize,
    x_flip: bool,
    fingerprint: String,
}

#[derive(Clone)]
enum Kind {
    Portraits { seed: u64, forbidden: Arc<[Forbidden]>, labels: bool },
    Files(Arc<Files>),
}

struct Files {
    source: Source,
    labels: Option<Labels>,
    cache: Cache,
    options: DatasetOptions,
}

impl Dataset {
    /// The portraits of a seed: endless, RGB, without labels.
    ///
    /// # Errors
    /// [`DataError::Resolution`] unless it is a power of two from 8 to 1024.
    pub fn portraits(seed: u64, resolution: usize) -> Result<Self, DataError> {
        Self::portraits_without(seed, resolution, Vec::new(), false)
    }

    /// Portraits that never show certain combinations of factors; with `x_flip` a random half of them is mirrored.
    ///
    /// # Errors
    /// [`DataError::Resolution`], or [`DataError::Forbidden`] if the combinations leave next to nothing.
    pub fn portraits_without(
        seed: u64,
        resolution: usize,
        forbidden: Vec<Forbidden>,
        x_flip: bool,
    ) -> Result<Self, DataError> {
        check_resolution(resolution, *portraits::RESOLUTIONS.start())?;
        Forbidden::check(&forbidden)?;
        let rules: String = forbidden.iter().map(|rule| format!(" without {}", rule.text())).collect();
        let flip = if x_flip { " x-flip" } else { "" };
        let fingerprint = format!("portraits-{} seed {seed} at {resolution}{flip}{rules}", portraits::VERSION);
        Ok(Self {
            kind: Kind::Portraits { seed, forbidden: forbidden.into(), labels: false },
            resolution,
            x_flip,
            fingerprint,
        })
    }

    /// The same portraits with their hair style as the label; the user's images as they are.
    pub fn with_hair_styles(mut self) -> Self {
        if let Kind::Portraits { labels: labels @ false, .. } = &mut self.kind {
            *labels = true;
            self.fingerprint.push_str(" by hair style");
        }
        self
    }

    /// A folder (nested or flat) or a zip of images, with or without `dataset.json`. Lists the files, decodes none.
    ///
    /// # Errors
    /// What is wrong with the folder, the zip, or the labels: with labels in use every image needs one.
    pub fn open(path: &Path, resolution: usize, options: &DatasetOptions) -> Result<Self, DataError> {
        Self::new(Source::open(path)?, resolution, options)
    }

    /// A zip in memory.
    ///
    /// # Errors
    /// As [`Dataset::open`].
    pub fn from_zip(bytes: Vec<u8>, resolution: usize, options: &DatasetOptions) -> Result<Self, DataError> {
        Self::new(Source::from_bytes(bytes)?, resolution, options)
    }

    fn new(source: Source, resolution: usize, options: &DatasetOptions) -> Result<Self, DataError> {
        check_resolution(resolution, 4)?;
        let labels = match source.labels().filter(|_| options.labels) {
            Some(bytes) => Labels::parse(&bytes?, |name| source.has(name))?,
            None => None,
        };
        if let Some(labels) = &labels {
            // Found now rather than after hours.
            let unlabelled = (0..source.len()).find(|&i| !labels.has(source.name(i)));
            if let Some(index) = unlabelled {
                let file = source.name(index).to_owned();
                return Err(DataError::Image { file, problem: ImageProblem::NoLabel });
            }
        }
        let fingerprint = fingerprint(&source, labels.as_ref(), resolution, options);
        // Files that were replaced by others of the same size must not be answered from the cache.
        let name = format!("{fingerprint}-{:016x}", source.version);
        let record = options.channels.count() * resolution * resolution;
        let disk = options.cache.as_ref().map(|(folder, bytes)| (folder.as_path(), name.as_str(), *bytes));
        let cache = Cache::new(record, options.memory, disk);
        let files = Files { source, labels, cache, options: options.clone() };
        let x_flip = options.x_flip;
        Ok(Self { kind: Kind::Files(Arc::new(files)), resolution, x_flip, fingerprint })
    }

    /// Number of images, mirrored ones included; `None` if there is no end.
    pub fn len(&self) -> Option<u64> {
        match &self.kind {
            Kind::Portraits { .. } => None,
            Kind::Files(files) => Some(files.source.len() as u64 * (1 + u64::from(self.x_flip))),
        }
    }

    /// Whether there are no images; never the case for a dataset that could be opened.
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Side of all images in pixels.
    pub fn resolution(&self) -> usize {
        self.resolution
    }

    /// 1, 3 or 4.
    pub fn channels(&self) -> usize {
        match &self.kind {
            Kind::Portraits { .. } => 3,
            Kind::Files(files) => files.options.channels.count(),
        }
    }

    /// Numbers of a label; 0 if there are no labels.
    pub fn label_dim(&self) -> usize {
        match &self.kind {
            Kind::Portraits { labels, .. } => {
                if *labels {
                    HairStyle::ALL.len()
                } else {
                    0
                }
            }
            Kind::Files(files) => files.labels.as_ref().map_or(0, Labels::dim),
        }
    }

    /// Says which images these are and how they are prepared. Equal for equal names, sizes (in zips also checksums),
    /// labels and options, wherever the files lie: a run that is resumed compares it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Image `index`: `[channels, resolution, resolution]`.
    ///
    /// # Errors
    /// Which file cannot be used and why, or that there is no such image.
    pub fn image(&self, index: u64) -> Result<Picture, DataError> {
        match &self.kind {
            Kind::Portraits { seed, forbidden, .. } => {
                let factors = Self::factors_of(*seed, index, forbidden);
                let mut picture = portraits::draw(&factors, Factors::detail_seed(*seed, index), self.resolution);
                if self.x_flip && mix_all(&[*seed, index, FLIP]) & 1 == 1 {
                    picture.flip_x();
                }
                Ok(picture)
            }
            Kind::Files(files) => {
                let file = self.file_of(files, index)?;
                let mut picture = files.picture(file, self.resolution)?;
                if file as u64 != index {
                    picture.flip_x();
                }
                Ok(picture)
            }
        }
    }

    /// The label of image `index`: `label_dim` numbers, a class as 1 at its place.
    ///
    /// # Errors
    /// [`DataError::Index`] if there is no such image.
    pub fn label(&self, index: u64) -> Result<Vec<f32>, DataError> {
        let files = match &self.kind {
            Kind::Portraits { labels: false, .. } => return Ok(Vec::new()),
            Kind::Portraits { seed, forbidden, labels: true } => {
                let style = Self::factors_of(*seed, index, forbidden).hair_style;
                return Ok(HairStyle::ALL.iter().map(|other| if *other == style { 1.0 } else { 0.0 }).collect());
            }
            Kind::Files(files) => files,
        };
        let name = files.source.name(self.file_of(files, index)?);
        let Some(labels) = &files.labels else { return Ok(Vec::new()) };
        labels.vector(name).ok_or_else(|| DataError::Image { file: name.to_owned(), problem: ImageProblem::NoLabel })
    }

    /// Name of image `index` within its dataset, for messages.
    pub fn name(&self, index: u64) -> String {
        match &self.kind {
            Kind::Portraits { seed, .. } => format!("portrait {index} of seed {seed}"),
            Kind::Files(files) => {
                self.file_of(files, index).map_or_else(|_| String::new(), |i| files.source.name(i).to_owned())
            }
        }
    }

    /// The factors of portrait `index` (before it is mirrored); `None` for the user's images.
    pub fn factors(&self, index: u64) -> Option<Factors> {
        match &self.kind {
            Kind::Portraits { seed, forbidden, .. } => Some(Self::factors_of(*seed, index, forbidden)),
            Kind::Files(_) => None,
        }
    }

    fn factors_of(seed: u64, index: u64, forbidden: &[Forbidden]) -> Factors {
        Factors::sample_where(seed, index, |factors| !forbidden.iter().any(|rule| rule.matches(factors)))
    }

    /// The file of an image; mirrored images come behind all others.
    fn file_of(&self, files: &Files, index: u64) -> Result<usize, DataError> {
        let (count, len) = (files.source.len() as u64, self.len().unwrap_or(0));
        if index >= len {
            return Err(DataError::Index { index, len });
        }
        Ok((index % count) as usize)
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dataset({})", self.fingerprint)
    }
}

/// Separates the draws of mirroring from others.
const FLIP: u64 = 0x666c6970;

impl Files {
    fn picture(&self, file: usize, resolution: usize) -> Result<Picture, DataError> {
        let channels = self.options.channels;
        if let Some(pixels) = self.cache.get(file as u64) {
            return Ok(Picture { channels: channels.count(), height: resolution, width: resolution, pixels });
        }
        let bytes = self.source.read(file)?;
        let prepared = decode::prepare(&bytes, resolution, channels, self.options.fit);
        let picture =
            prepared.map_err(|problem| DataError::Image { file: self.source.name(file).to_owned(), problem })?;
        self.cache.put(file as u64, &picture.pixels);
        Ok(picture)
    }
}

pub(super) fn check_resolution(resolution: usize, smallest: usize) -> Result<(), DataError> {
    if resolution.is_power_of_two() && (smallest..=1024).contains(&resolution) {
        return Ok(());
    }
    Err(DataError::Resolution(resolution))
}

fn fingerprint(source: &Source, labels: Option<&Labels>, resolution: usize, options: &DatasetOptions) -> String {
    let mut hash = Sha256::new();
    let number = |hash: &mut Sha256, n: u64| hash.update(n.to_le_bytes());
    for i in 0..source.len() {
        let name = source.name(i);
        number(&mut hash, name.len() as u64);
        hash.update(name);
        number(&mut hash, source.size(i));
        number(&mut hash, u64::from(source.checksum(i)));
        for value in labels.and_then(|labels| labels.written(name)).unwrap_or_default() {
            hash.update(value.to_le_bytes());
        }
    }
    let label_dim = labels.map_or(0, Labels::dim) as u64;
    let flags =
        [options.channels.count() as u64, options.fit as u64, u64::from(options.x_flip), resolution as u64, label_dim];
    flags.into_iter().for_each(|flag| number(&mut hash, flag));
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}
