//! Images to train on.
//!
//! ```no_run
//! use stylescope::data::{Dataset, DatasetOptions, Loader, LoaderOptions};
//!
//! // Endless portraits, or `Dataset::open(path, 64, &DatasetOptions::default())?` for a folder or zip.
//! let dataset = Dataset::portraits(0, 64)?;
//! let mut loader = Loader::start(dataset, LoaderOptions { batch: 8, seed: 1, shown: 0, ahead: 2 })?;
//! let batch = loader.next_batch()?; // images [8, 3, 64, 64] in -1..1, labels [8, 0]
//! # Ok::<(), stylescope::data::DataError>(())
//! ```
//!
//! - [`Dataset`]: images by number as bytes `[channels, resolution, resolution]`, labels, a fingerprint for resuming
//! - [`Loader`]: batches ahead of time; batch and order are a function of (seed, images shown)
//! - [`check`]: what is in a folder or zip, and what training would make of it
//! - [`portraits`]: the built-in set, drawn from known factors
//!
//! Whatever lies in a folder or zip is an image, or an error that names it: sizes are bounded before anything is
//! allocated, and names within an archive never become paths.

mod cache;
pub mod check;
pub mod dataset;
pub mod decode;
pub mod error;
mod labels;
pub mod loader;
pub mod order;
pub mod picture;
pub mod portraits;
pub mod random;
mod source;

pub use dataset::{Dataset, DatasetOptions};
pub use decode::{Channels, Fit};
pub use error::{DataError, ImageProblem};
pub use loader::{Batch, Loader, LoaderOptions};
pub use picture::Picture;
