//! PyTorch files since 1.6: a zip archive with a pickle and one entry a storage.

use super::{
    error::{Fault, shown},
    pickle::{Limits, Pickle, parse},
    tensor::{DType, Storage},
    torch::Storages,
    zip_archive::ZipArchive,
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
        Ok(Storage { start: data.start, len: data.len(), dtype, big_endian: self.big_endian })
    }
}

pub(super) fn read(file: &[u8]) -> Result<TorchZip<'_>, Fault> {
    let archive = ZipArchive::open(file)?;
    let is_pickle = |name: &&str| *name == "data.pkl" || name.ends_with("/data.pkl");
    let pickles: Vec<&str> = archive.names().filter(is_pickle).take(2).collect();
    let name = *pickles.first().ok_or_else(|| {
        let scripted = archive.names().any(|name| name.ends_with("constants.pkl"));
        Fault::unsupported(if scripted {
            "a TorchScript program"
        } else {
            "a zip archive without a PyTorch checkpoint"
        })
    })?;
    if pickles.len() > 1 {
        return Err(Fault::damaged("the zip directory", "the archive has two data.pkl"));
    }
    let folder = name.strip_suffix("data.pkl").unwrap_or_default().to_owned();
    let data = archive.entry(name)?.unwrap_or_default();
    let big_endian = match archive.entry(&format!("{folder}byteorder"))? {
        Some(order) => file.get(order) == Some(b"big"),
        None => false,
    };
    let bytes = file.get(data.clone()).unwrap_or_default();
    let place = format!("zip entry {} (from byte {})", shown(name), data.start);
    let pickle = parse(bytes, Limits::for_len(bytes.len())).map_err(Fault::pickle(place))?;
    if pickle.end() != bytes.len() {
        return Err(Fault::damaged(format!("zip entry {}", shown(name)), "something follows the pickle"));
    }
    Ok(TorchZip { pickle, archive, folder, big_endian })
}
