//! What can be wrong with a dataset.

use std::{io, path::PathBuf};

/// Why a dataset cannot be opened, or one of its images not be read. Every message says what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A resolution that nothing can be trained at.
    #[error("a resolution of {0} is not possible: choose a power of two from 4 to 1024, e.g. 64")]
    Resolution(usize),
    /// The folder or file could not be read.
    #[error("cannot read {}; does it exist, and may you read it?", .path.display())]
    Read {
        /// Folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Neither a folder nor a zip.
    #[error("{} is neither a folder nor a zip file of images", .path.display())]
    NotADataset {
        /// The file.
        path: PathBuf,
    },
    /// The archive is damaged.
    #[error("{}: the zip archive cannot be read; was the download complete?", .path.display())]
    Zip {
        /// The archive.
        path: PathBuf,
        /// Why.
        source: rawzip::Error,
    },
    /// More than is looked at.
    #[error("{}: it has more than {limit} {what}; split it into smaller datasets", .path.display())]
    TooMany {
        /// Folder or archive.
        path: PathBuf,
        /// What there is too much of.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// No images.
    #[error("{}: there is no image in it (PNG, JPEG or WebP)", .path.display())]
    Empty {
        /// Folder or archive.
        path: PathBuf,
    },
    /// `dataset.json` cannot be used.
    #[error("{file}: {cause}; expected {{\"labels\": [[\"image.png\", CLASS or [NUMBERS]], ...]}}")]
    Labels {
        /// The file.
        file: String,
        /// What is wrong.
        cause: String,
    },
    /// One image cannot be used.
    #[error("{file}: {problem}")]
    Image {
        /// Which, within its dataset.
        file: String,
        /// What is wrong.
        problem: ImageProblem,
    },
    /// There is no image of this number.
    #[error("there is no image number {index}: the dataset has {len}")]
    Index {
        /// The number asked for.
        index: u64,
        /// How many there are.
        len: u64,
    },
    /// A portrait that the generator's rules do not know.
    #[error(transparent)]
    Forbidden(#[from] super::portraits::forbidden::ForbiddenError),
    /// The thread that prepares images could not start.
    #[error("no thread can be started to prepare images; close other programs")]
    Thread(#[source] io::Error),
    /// The thread that prepares images broke down: a defect of this program.
    #[error("preparing images failed unexpectedly ({0}); please report this")]
    Panic(String),
    /// The user did not want to wait.
    #[error("checking was cancelled")]
    Cancelled,
    /// The thread that prepares images has ended.
    #[error("no more images are prepared, because an earlier one failed")]
    Ended,
}

/// What is wrong with one image.
#[derive(Debug, thiserror::Error)]
pub enum ImageProblem {
    /// It could not be read.
    #[error("it cannot be read ({0})")]
    Read(String),
    /// The file has no bytes.
    #[error("the file is empty")]
    EmptyFile,
    /// The file is larger than images are.
    #[error("the file is larger than {0} MiB; save it smaller")]
    TooLarge(u64),
    /// Not a known format.
    #[error("it is no PNG, JPEG or WebP image")]
    Format,
    /// No pixels, or too many of them.
    #[error(
        "{width}x{height} pixels cannot be used: it needs 1 to 16384 a side, and to be read in 256 MiB; save it smaller"
    )]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// Damaged, or of a kind that is not supported.
    #[error("it is damaged or of an unsupported kind ({0}); open and save it again, or remove it")]
    Decode(String),
    /// Compressed within the zip in a way that is not known.
    #[error("it is packed by an unknown method; pack the zip again with deflate or uncompressed")]
    Packing,
    /// No label where other images have one.
    #[error("dataset.json has no label for it; add one, or remove the image")]
    NoLabel,
}
