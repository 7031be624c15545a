//! Batches prepared ahead of training, on a thread of their own.
//!
//! A batch is a function of the run's seed and of how many images were shown before it. A run that is resumed at
//! `shown` images gets exactly the batches that it would have got.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::{dataset::Dataset, error::DataError, order::shuffled, random::mix_all};
use crate::base::worker::Worker;

/// How long a loader that is dropped waits for its thread; one image is never in the way for as long.
const END: Duration = Duration::from_secs(5);
const ORDER: u64 = 0x6f72646572;

/// What a loader prepares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoaderOptions {
    /// Images of a batch.
    pub batch: usize,
    /// The run's seed.
    pub seed: u64,
    /// Images shown before the first batch (`cur_nimg`).
    pub shown: u64,
    /// Batches that may be ready before they are asked for.
    pub ahead: usize,
}

/// Images for one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// `[N, channels, resolution, resolution]`, each value `byte / 127.5 - 1`, so -1 to 1.
    pub images: Vec<f32>,
    /// `[N, label_dim]`.
    pub labels: Vec<f32>,
    /// The images' numbers in the dataset.
    pub indices: Vec<u64>,
    /// Images shown before this batch.
    pub shown: u64,
}

impl Batch {
    /// Number of images, N.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

/// The number of the image that is shown after `shown` others: files in a new shuffled order each epoch, portraits one
/// after another, because all of them are random.
pub fn index_at(dataset: &Dataset, seed: u64, shown: u64) -> u64 {
    match dataset.len() {
        None => shown,
        Some(0) => 0,
        Some(len) => shuffled(mix_all(&[seed, ORDER]), shown / len, shown % len, len),
    }
}

/// Prepares the batch that follows `shown` images, on this thread.
///
/// # Errors
/// Which image cannot be used and why.
pub fn batch_at(dataset: &Dataset, seed: u64, shown: u64, batch: usize) -> Result<Batch, DataError> {
    prepare(dataset, seed, shown, batch, &AtomicBool::new(false))
}

fn prepare(dataset: &Dataset, seed: u64, shown: u64, n: usize, stop: &AtomicBool) -> Result<Batch, DataError> {
    let values = dataset.channels() * dataset.resolution() * dataset.resolution();
    let mut batch = Batch {
        images: Vec::with_capacity(n * values),
        labels: Vec::with_capacity(n * dataset.label_dim()),
        indices: Vec::with_capacity(n),
        shown,
    };
    for i in 0..n as u64 {
        if stop.load(Ordering::Relaxed) {
            return Err(DataError::Ended);
        }
        let index = index_at(dataset, seed, shown.wrapping_add(i));
        let picture = dataset.image(index)?;
        batch.images.extend(picture.pixels.iter().map(|&byte| f32::from(byte) / 127.5 - 1.0));
        batch.labels.extend(dataset.label(index)?);
        batch.indices.push(index);
    }
    Ok(batch)
}

/// A thread that prepares batches, one after another. It ends when the loader is dropped, or after an error.
pub struct Loader {
    batches: Option<Receiver<Result<Batch, DataError>>>,
    stop: Arc<AtomicBool>,
    worker: Option<Worker>,
    waited: Duration,
}

impl Loader {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`DataError::Thread`] if the system refuses another one.
    pub fn start(dataset: Dataset, options: LoaderOptions) -> Result<Self, DataError> {
        // The thread holds one batch more while it waits for room.
        let (sender, batches) = bounded(options.ahead.max(1));
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, on_panic) = (Arc::clone(&stop), sender.clone());
        let work = move || run(&dataset, options, &sender, &stopped);
        let told = move |message| drop(on_panic.send(Err(DataError::Panic(message))));
        let worker = Worker::once("data", work, told).map_err(DataError::Thread)?;
        Ok(Self { batches: Some(batches), stop, worker: Some(worker), waited: Duration::ZERO })
    }

    /// The next batch; waits until it is ready.
    ///
    /// # Errors
    /// Which image cannot be used and why; after that, [`DataError::Ended`].
    pub fn next_batch(&mut self) -> Result<Batch, DataError> {
        let Some(batches) = &self.batches else { return Err(DataError::Ended) };
        let start = Instant::now();
        let batch = batches.recv().unwrap_or(Err(DataError::Ended));
        self.waited += start.elapsed();
        batch
    }

    /// How long [`Loader::next_batch`] has waited since the loader began; it stays near 0 while preparation keeps up.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

impl Drop for Loader {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // A thread that waits for room wakes up when nobody can take its batch any more.
        drop(self.batches.take());
        if let Some(worker) = self.worker.take() {
            worker.join(END);
        }
    }
}

fn run(dataset: &Dataset, options: LoaderOptions, sender: &Sender<Result<Batch, DataError>>, stop: &AtomicBool) {
    let batch = options.batch.max(1);
    let mut shown = options.shown;
    loop {
        let prepared = prepare(dataset, options.seed, shown, batch, stop);
        let ends = prepared.is_err();
        if sender.send(prepared).is_err() || ends {
            return;
        }
        shown = shown.wrapping_add(batch as u64);
    }
}
