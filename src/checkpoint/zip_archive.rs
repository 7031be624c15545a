//! Zip archives as PyTorch writes them: stored entries, which are parts of the file.
//!
//! Anything that two readers could understand differently is refused: entries that overlap, that occur twice, whose two
//! headers disagree, or data before and behind the archive. Compressed entries are refused as well: PyTorch never writes
//! them, and so no archive can grow when it is read.

use std::{cell::Cell, collections::BTreeMap, ops::Range};

use super::{
    error::{Fault, shown},
    progress::Progress,
    source::Section,
};

const END: &[u8] = b"PK\x05\x06";
const END_LEN: usize = 22;
const END64: &[u8] = b"PK\x06\x06";
const END64_LEN: usize = 56;
const LOCATOR64: &[u8] = b"PK\x06\x07";
const LOCATOR64_LEN: usize = 20;
const CENTRAL: &[u8] = b"PK\x01\x02";
const CENTRAL_LEN: usize = 46;
const LOCAL: &[u8] = b"PK\x03\x04";
const LOCAL_LEN: usize = 30;
/// More than any checkpoint has.
const MAX_ENTRIES: usize = 65_535;
/// Longer than any checkpoint's, in bytes.
const MAX_DIRECTORY: usize = 64 << 20;

/// Entries of an archive by name.
pub(super) struct ZipArchive<'a> {
    file: Section<'a>,
    entries: BTreeMap<String, Entry>,
    progress: &'a dyn Progress,
    /// Bytes whose checksums were compared.
    checked: Cell<u64>,
}

struct Entry {
    data: Range<usize>,
    crc: u32,
    /// The checksum was compared: many tensors may share an entry.
    checked: Cell<bool>,
}

impl<'a> ZipArchive<'a> {
    /// Reads the directory. `progress` is told of checksums that are compared later.
    pub fn open(file: Section<'a>, progress: &'a dyn Progress) -> Result<Self, Fault> {
        let (count, extent) = directory(file)?;
        if count > MAX_ENTRIES {
            return Err(Fault::unsupported(format!("a zip archive of {count} files, more than any checkpoint has")));
        }
        let bytes = file.get(extent.start, extent.len()).map_err(|cause| cause.into_fault(extent.start))?;
        let mut directory = Directory { file, bytes: &bytes, start: extent.start, position: 0 };
        let mut entries = BTreeMap::new();
        let mut ranges = Vec::with_capacity(count);
        for index in 0..count {
            let (name, whole, entry) = directory.entry(index)?;
            ranges.push(whole);
            if entries.insert(name.to_owned(), entry).is_some() {
                return Err(Fault::damaged(format!("zip entry {}", shown(name)), "the archive has it twice"));
            }
        }
        if directory.position != bytes.len() {
            return Err(Fault::damaged("the zip directory", "it is longer than its entries"));
        }
        ranges.sort_by_key(|range| range.start);
        if ranges.first().is_some_and(|first| first.start != 0) {
            return Err(Fault::damaged("byte 0", "there is something before the zip archive"));
        }
        if ranges.array_windows().any(|[first, second]| first.end > second.start) {
            return Err(Fault::damaged("the zip directory", "two entries overlap"));
        }
        Ok(Self { file, entries, progress, checked: Cell::new(0) })
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// An entry's data, checked against its checksum.
    pub fn entry(&self, name: &str) -> Result<Option<Section<'a>>, Fault> {
        let Some(entry) = self.entries.get(name) else { return Ok(None) };
        let data = self.file.part(entry.data.clone());
        if !entry.checked.get() && self.checksum(data)? != entry.crc {
            return Err(Fault::damaged(format!("zip entry {}", shown(name)), "its checksum is wrong"));
        }
        entry.checked.set(true);
        Ok(Some(data))
    }

    fn checksum(&self, data: Section<'_>) -> Result<u32, Fault> {
        let mut crc = crc32fast::Hasher::new();
        data.look_through(|some| {
            crc.update(some);
            self.checked.set(self.checked.get() + some.len() as u64);
            self.progress.advance(self.checked.get(), self.file.len() as u64);
            if self.progress.cancelled() { Err(Fault::Cancelled) } else { Ok(()) }
        })?;
        Ok(crc.finalize())
    }
}

/// Number of entries and position of the central directory.
fn directory(file: Section<'_>) -> Result<(usize, Range<usize>), Fault> {
    let missing =
        || Fault::damaged("the end of the file", "the zip directory is not there, as after a download that broke off");
    // The comment at the end may have 65535 bytes, and must end with the file.
    let lowest = file.len().saturating_sub(END_LEN + LOCATOR64_LEN + usize::from(u16::MAX));
    let tail = file.get(lowest, file.len() - lowest).map_err(|cause| cause.into_fault(lowest))?;
    let end = (0..=tail.len().saturating_sub(END_LEN))
        .rev()
        .find(|&at| {
            has(&tail, at, END) && number(&tail, at + 20, 2).is_some_and(|comment| at + END_LEN + comment == tail.len())
        })
        .ok_or_else(missing)?;
    let field = |offset, size| number(&tail, end + offset, size).ok_or_else(missing);
    let mut count = field(10, 2)?;
    let mut size = field(12, 4)?;
    let mut start = field(16, 4)?;
    let mut limit = lowest + end;
    let locator = end.checked_sub(LOCATOR64_LEN).filter(|at| has(&tail, *at, LOCATOR64));
    if let Some(locator) = locator {
        let at = number(&tail, locator + 8, 8).ok_or_else(missing)?;
        if at.checked_add(END64_LEN).is_none_or(|end| end > lowest + locator) {
            return Err(missing());
        }
        let record = file.get(at, END64_LEN).map_err(|cause| cause.into_fault(at))?;
        if !has(&record, 0, END64) {
            return Err(missing());
        }
        let field = |offset| number(&record, offset, 8).ok_or_else(missing);
        (count, size, start, limit) = (field(32)?, field(40)?, field(48)?, at);
    }
    let stop = start.checked_add(size).filter(|stop| *stop == limit);
    let stop = stop.ok_or_else(|| Fault::damaged("the zip directory", "it is not where the archive says"))?;
    // Each entry takes room in the directory, so that its number is believed only as far as that goes.
    if count > size / CENTRAL_LEN {
        return Err(Fault::damaged("the zip directory", "it has room for fewer entries than it promises"));
    }
    if size > MAX_DIRECTORY {
        return Err(Fault::damaged("the zip directory", format!("{size} bytes are more than a checkpoint's has")));
    }
    Ok((count, start..stop))
}

/// The central directory, read entry by entry.
struct Directory<'a, 'b> {
    file: Section<'a>,
    bytes: &'b [u8],
    /// Its position in the file.
    start: usize,
    /// What comes next, in `bytes`.
    position: usize,
}

impl<'b> Directory<'_, 'b> {
    /// Name, whole extent and data of the next entry.
    fn entry(&mut self, index: usize) -> Result<(&'b str, Range<usize>, Entry), Fault> {
        let (at, bytes) = (self.position, self.bytes);
        let broken = |cause: &str| Fault::damaged(format!("zip entry number {index}"), cause);
        let cut = || broken("its header cannot be read");
        if !has(bytes, at, CENTRAL) || at + CENTRAL_LEN > bytes.len() {
            return Err(cut());
        }
        let field = |offset, size| number(bytes, at + offset, size).ok_or_else(cut);
        let (flags, method) = (field(8, 2)?, field(10, 2)?);
        let (name_len, extra_len, comment_len) = (field(28, 2)?, field(30, 2)?, field(32, 2)?);
        let crc = field(16, 4)? as u32;
        let name_at = at + CENTRAL_LEN;
        let name = bytes.get(name_at..name_at + name_len).and_then(|name| str::from_utf8(name).ok());
        let name = name.ok_or_else(cut)?;
        let broken = |cause: &str| Fault::damaged(format!("zip entry {}", shown(name)), cause);
        let extra_at = name_at + name_len;
        self.position = extra_at + extra_len + comment_len;
        if self.position > bytes.len() {
            return Err(cut());
        }
        let mut sizes = [field(24, 4)?, field(20, 4)?, field(42, 4)?];
        if sizes.contains(&(u32::MAX as usize)) {
            zip64(bytes.get(extra_at..extra_at + extra_len).unwrap_or_default(), &mut sizes)
                .ok_or_else(|| broken("its 64-bit sizes are missing"))?;
        }
        let [size, compressed, local] = sizes;
        if flags & 0x2041 != 0 {
            return Err(broken("it is encrypted"));
        }
        let is_torch = name.ends_with("data.pkl") || name.contains("/data/");
        if method != 0 && !is_torch {
            return Err(Fault::unsupported(other_archive(name)));
        }
        if method != 0 || size != compressed {
            return Err(broken(
                "it is compressed, which PyTorch never does; unpack the archive and pack it again uncompressed",
            ));
        }
        let start = self.data_start(name, local, method)?;
        let end = start.checked_add(size).filter(|end| *end <= self.start);
        let end = end.ok_or_else(|| broken("it reaches past the end of the data"))?;
        Ok((name, local..end, Entry { data: start..end, crc, checked: Cell::new(false) }))
    }

    /// Where the data of the entry with the local header at `local` begins. The two headers must agree.
    fn data_start(&self, name: &str, local: usize, method: usize) -> Result<usize, Fault> {
        let broken = |cause: &str| Fault::damaged(format!("zip entry {}", shown(name)), cause);
        let header = self.file.array::<LOCAL_LEN>(local)?.filter(|header| header.starts_with(LOCAL));
        let header = header.ok_or_else(|| broken("its data is not where the directory says"))?;
        let field = |offset| number(&header, offset, 2).unwrap_or_default();
        let (name_len, extra_len) = (field(26), field(28));
        let same_name = name_len == name.len() && self.file.has(local + LOCAL_LEN, name.as_bytes())?;
        if !same_name || field(8) != method {
            return Err(broken("its two headers disagree"));
        }
        Ok(local + LOCAL_LEN + name_len + extra_len)
    }
}

/// What an archive is that has an entry of this name and no checkpoint.
pub(super) fn other_archive(name: &str) -> String {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    if extension.is_some_and(|extension| ["png", "jpg", "jpeg", "webp"].contains(&extension.as_str())) {
        return "a zip archive of images and no model; `stylescope dataset check` says whether it can be trained on"
            .into();
    }
    format!("a zip archive without a PyTorch checkpoint (it has {}); if a model is in it, unpack it first", shown(name))
}

/// Replaces those of [size, compressed size, offset] that are marked by the values of the 64-bit extra field.
fn zip64(mut extra: &[u8], sizes: &mut [usize; 3]) -> Option<()> {
    loop {
        let kind = number(extra, 0, 2)?;
        let len = number(extra, 2, 2)?;
        let body = extra.get(4..4 + len)?;
        if kind == 1 {
            let mut at = 0;
            for size in sizes.iter_mut().filter(|size| **size == u32::MAX as usize) {
                *size = number(body, at, 8)?;
                at += 8;
            }
            return Some(());
        }
        extra = extra.get(4 + len..)?;
    }
}

fn has(bytes: &[u8], at: usize, signature: &[u8]) -> bool {
    bytes.get(at..).is_some_and(|rest| rest.starts_with(signature))
}

/// A little-endian number of `size` bytes.
fn number(bytes: &[u8], at: usize, size: usize) -> Option<usize> {
    let found = bytes.get(at..at.checked_add(size)?)?;
    let mut raw = [0u8; 8];
    raw.iter_mut().zip(found).for_each(|(to, from)| *to = *from);
    usize::try_from(u64::from_le_bytes(raw)).ok()
}
