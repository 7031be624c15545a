//! Where the files of a dataset come from: a folder, or a zip that is never unpacked.
//!
//! Names within an archive are labels and nothing else: no path is ever made of them, so `../x` or `C:\x` lead nowhere.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use rawzip::{CompressionMethod, RECOMMENDED_BUFFER_SIZE, ReaderAt, ZipArchive, ZipArchiveEntryWayfinder, ZipLocator};

use super::error::{DataError, ImageProblem};
use crate::base::regular_file::open_regular;

/// Images of a dataset.
const MAX_IMAGES: usize = 10_000_000;
/// Entries of an archive that are walked over, images or not.
const MAX_ENTRIES: usize = 20_000_000;
/// Folders within folders.
const MAX_DEPTH: usize = 32;
/// Bytes of one image's file.
const MAX_FILE: u64 = 64 << 20;
/// Bytes of `dataset.json`.
const MAX_LABELS: u64 = 64 << 20;
/// The file with the labels.
pub(super) const LABELS_FILE: &str = "dataset.json";
const EXTENSIONS: [&str; 4] = ["png", "jpg", "jpeg", "webp"];

/// The files of a dataset, images sorted by name.
pub(super) struct Source {
    path: PathBuf,
    kind: Kind,
    files: Vec<File>,
    labels: Option<File>,
    /// What lies there but is no image.
    pub others: u64,
    /// Symbolic links in an archive, and folders that are links.
    pub links: u64,
    /// Changes when a file is replaced, also by one of the same size.
    pub version: u64,
}

enum Kind {
    Folder,
    Zip(Box<ZipArchive<Box<dyn ReaderAt + Send + Sync>>>),
}

/// One file: its name within the dataset with `/`, its size and, in an archive, its place.
struct File {
    name: Box<str>,
    size: u64,
    packed: Option<Packed>,
}

struct Packed {
    place: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
    crc: u32,
}

impl Source {
    /// A folder, or a zip.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let read = |source| DataError::Read { path: path.to_owned(), source };
        let metadata = fs::metadata(path).map_err(read)?;
        if metadata.is_dir() {
            return Self::folder(path);
        }
        let not_a_dataset = || DataError::NotADataset { path: path.to_owned() };
        let (mut file, len) = open_regular(path).map_err(read)?.ok_or_else(not_a_dataset)?;
        let mut magic = [0; 4];
        // Also the mark of an archive without entries.
        let is_zip = file.read_exact(&mut magic).is_ok() && (magic == *b"PK\x03\x04" || magic == *b"PK\x05\x06");
        if !is_zip {
            return Err(not_a_dataset());
        }
        let mut source = Self::zip(path, Box::new(rawzip::FileReader::from(file)), len)?;
        source.version = time_of(&metadata);
        Ok(source)
    }

    /// A zip in memory.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, DataError> {
        let len = bytes.len() as u64;
        Self::zip(Path::new("(memory)"), Box::new(bytes), len)
    }

    fn new(path: &Path, kind: Kind) -> Self {
        Self { path: path.to_owned(), kind, files: Vec::new(), labels: None, others: 0, links: 0, version: 0 }
    }

    fn folder(path: &Path) -> Result<Self, DataError> {
        let mut source = Self::new(path, Kind::Folder);
        let mut waiting = vec![(path.to_owned(), String::new(), 0)];
        while let Some((folder, prefix, depth)) = waiting.pop() {
            let read = |source| DataError::Read { path: folder.clone(), source };
            for entry in fs::read_dir(&folder).map_err(read)? {
                let entry = entry.map_err(read)?;
                let Ok(name) = entry.file_name().into_string() else {
                    source.others += 1;
                    continue;
                };
                let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
                // Links to images are followed, links to folders might lead in circles.
                let Ok(metadata) = fs::metadata(entry.path()) else {
                    source.others += 1;
                    continue;
                };
                let name = format!("{prefix}{name}");
                if metadata.is_dir() && is_link {
                    source.links += 1;
                } else if metadata.is_dir() && depth < MAX_DEPTH {
                    waiting.push((entry.path(), format!("{name}/"), depth + 1));
                } else if metadata.is_file() {
                    // A sum, because folders list their files in any order.
                    source.version = source.version.wrapping_add(time_of(&metadata));
                    source.add(name, metadata.len(), None)?;
                } else {
                    source.others += 1;
                }
            }
        }
        source.sorted()
    }

    fn zip(path: &Path, reader: Box<dyn ReaderAt + Send + Sync>, len: u64) -> Result<Self, DataError> {
        let zip = |source| DataError::Zip { path: path.to_owned(), source };
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let archive = ZipLocator::new().locate_in_reader(reader, &mut buffer, len).map_err(|(_, error)| zip(error))?;
        let mut source = Self::new(path, Kind::Folder);
        // The number of entries that the archive claims is not believed: they are counted.
        let mut count = 0;
        // A record has three texts of at most 64 KiB.
        let mut buffer = vec![0; rawzip::MAX_CENTRAL_DIRECTORY_RECORD_SIZE];
        let mut entries = archive.entries(&mut buffer);
        while let Some(entry) = entries.next_entry().map_err(zip)? {
            count += 1;
            if count > MAX_ENTRIES {
                return Err(source.too_many("entries", MAX_ENTRIES));
            }
            if entry.is_dir() {
                continue;
            }
            if entry.mode().is_symlink() {
                source.links += 1;
                continue;
            }
            let Ok(name) = std::str::from_utf8(entry.file_path().as_bytes()).map(str::to_owned) else {
                source.others += 1;
                continue;
            };
            let (place, method, crc) = (entry.wayfinder(), entry.compression_method(), entry.crc32());
            let packed = Some(Packed { place, method, crc });
            source.add(name, entry.uncompressed_size_hint(), packed)?;
        }
        source.kind = Kind::Zip(Box::new(archive));
        source.sorted()
    }

    fn add(&mut self, name: String, size: u64, packed: Option<Packed>) -> Result<(), DataError> {
        let base = name.rsplit('/').next().unwrap_or_default();
        let extension = base.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        let is_image = extension.is_some_and(|extension| EXTENSIONS.contains(&extension.as_str()));
        if name == LABELS_FILE {
            self.labels = Some(File { name: name.into(), size, packed });
        } else if !is_image || base.starts_with('.') || name.starts_with("__MACOSX/") {
            self.others += 1;
        } else if self.files.len() >= MAX_IMAGES {
            return Err(self.too_many("images", MAX_IMAGES));
        } else {
            self.files.push(File { name: name.into(), size, packed });
        }
        Ok(())
    }

    fn too_many(&self, what: &'static str, limit: usize) -> DataError {
        DataError::TooMany { path: self.path.clone(), what, limit }
    }

    fn sorted(mut self) -> Result<Self, DataError> {
        if self.files.is_empty() {
            return Err(DataError::Empty { path: self.path });
        }
        self.files.sort_by(|a, b| a.name.cmp(&b.name));
        self.files.shrink_to_fit();
        Ok(self)
    }

    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Name of an image within the dataset; empty if there is none.
    pub fn name(&self, index: usize) -> &str {
        self.files.get(index).map_or("", |file| &file.name)
    }

    /// Whether there is an image of this name.
    pub fn has(&self, name: &str) -> bool {
        self.files.binary_search_by(|file| (*file.name).cmp(name)).is_ok()
    }

    /// Size of an image's file in bytes, as the folder or the archive says.
    pub fn size(&self, index: usize) -> u64 {
        self.files.get(index).map_or(0, |file| file.size)
    }

    /// The checksum that an archive has for an image; 0 in a folder.
    pub fn checksum(&self, index: usize) -> u32 {
        self.files.get(index).and_then(|file| file.packed.as_ref()).map_or(0, |packed| packed.crc)
    }

    /// The bytes of an image's file.
    pub fn read(&self, index: usize) -> Result<Vec<u8>, DataError> {
        let len = self.files.len() as u64;
        let file = self.files.get(index).ok_or(DataError::Index { index: index as u64, len })?;
        self.bytes(file, MAX_FILE).map_err(|problem| DataError::Image { file: file.name.to_string(), problem })
    }

    /// The bytes of `dataset.json`, if there is one.
    pub fn labels(&self) -> Option<Result<Vec<u8>, DataError>> {
        let file = self.labels.as_ref()?;
        let name = LABELS_FILE.to_owned();
        Some(
            self.bytes(file, MAX_LABELS)
                .map_err(|problem| DataError::Labels { file: name, cause: problem.to_string() }),
        )
    }

    fn bytes(&self, file: &File, limit: u64) -> Result<Vec<u8>, ImageProblem> {
        let failed = |error: &dyn std::fmt::Display| ImageProblem::Read(error.to_string());
        if file.size > limit {
            return Err(ImageProblem::TooLarge(limit >> 20));
        }
        let mut bytes = Vec::new();
        // One more than allowed tells that there is more: the size that an archive claims is not believed.
        let mut read = |reader: &mut dyn Read| reader.take(limit + 1).read_to_end(&mut bytes).map_err(|e| failed(&e));
        match (&self.kind, &file.packed) {
            (Kind::Zip(archive), Some(Packed { place, method, .. })) => {
                let entry = archive.get_entry(*place).map_err(|e| failed(&e))?;
                match *method {
                    CompressionMethod::STORE => read(&mut entry.verifying_reader(entry.reader()))?,
                    CompressionMethod::DEFLATE => {
                        let inflated = flate2::read::DeflateDecoder::new(entry.reader());
                        read(&mut entry.verifying_reader(inflated))?
                    }
                    _ => return Err(ImageProblem::Packing),
                }
            }
            _ => {
                let path = self.path.join(&*file.name);
                let opened = open_regular(&path).map_err(|e| failed(&e))?;
                let (mut image, _) = opened.ok_or_else(|| failed(&"it is no regular file"))?;
                read(&mut image)?
            }
        };
        if bytes.len() as u64 > limit {
            return Err(ImageProblem::TooLarge(limit >> 20));
        }
        Ok(bytes)
    }
}

fn time_of(metadata: &fs::Metadata) -> u64 {
    let time = metadata.modified().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    super::random::mix(time.map_or(0, |time| time.as_nanos() as u64) ^ metadata.len())
}
