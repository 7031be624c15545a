//! PyTorch files since 1.6: a zip archive with a pickle and one entry a storage.

use super::{
    error::{Fault, shown},
    pickle::{Limits, Pickle, parse},
    progress::Progress,
    source::Section,
    tensor::{DType, Storage},
    torch::Storages,
    zip_archive::{ZipArchive, other_archive},
};

/// A parsed file.
pub(super) struct TorchZip<'a> {
    /// What was saved.
    pub pickle: Pickle<'a>,
    archive: ZipArchive<'a>,
    /// Folder of the archive that everything is in, with its slash.
    folder: String,
    big_endian: bool,
}

impl Storages for TorchZip<'_> {
    fn storage(&self, key: &str, dtype: DType) -> Result<Storage, Fault> {
        let entry = format!("{}data/{key}", self.folder);
        let place = || format!("zip entry {}", shown(&entry));
        let data =
            self.archive.entry(&entry)?.ok_or_else(|| Fault::damaged(place(), "the archive does not have it"))?;
        Ok(Storage { start: data.start(), len: data.len(), dtype, big_endian: self.big_endian })
    }
}

/// Reads an archive. `progress` is told how much of it was checked.
pub(super) fn read<'a>(file: Section<'a>, progress: &'a dyn Progress) -> Result<TorchZip<'a>, Fault> {
    let archive = ZipArchive::open(file, progress)?;
    let is_pickle = |name: &&str| *name == "data.pkl" || name.ends_with("/data.pkl");
    let mut pickles = archive.names().filter(is_pickle).map(str::to_owned);
    let (first, second) = (pickles.next(), pickles.next());
    drop(pickles);
    let name = first.as_deref().ok_or_else(|| {
        let scripted = archive.names().any(|name| name.ends_with("constants.pkl"));
        Fault::unsupported(match archive.names().next() {
            _ if scripted => "a TorchScript program".to_owned(),
            Some(name) => other_archive(name),
            None => "an empty zip archive".to_owned(),
        })
    })?;
    if second.is_some() {
        return Err(Fault::damaged("the zip directory", "the archive has two data.pkl"));
    }
    let folder = name.strip_suffix("data.pkl").unwrap_or_default().to_owned();
    let missing = || Fault::damaged(format!("zip entry {}", shown(name)), "the archive does not have it");
    let data = archive.entry(name)?.ok_or_else(missing)?;
    let big_endian = match archive.entry(&format!("{folder}byteorder"))? {
        Some(order) => order.len() == 3 && order.has(0, b"big")?,
        None => false,
    };
    let place = format!("zip entry {} (from byte {})", shown(name), data.start());
    let pickle = parse(data, Limits::for_len(data.len())).map_err(Fault::pickle(place))?;
    if pickle.end() != data.len() {
        return Err(Fault::damaged(format!("zip entry {}", shown(name)), "something follows the pickle"));
    }
    Ok(TorchZip { pickle, archive, folder, big_endian })
}
