//! Zip archives as PyTorch writes them: stored entries that are borrowed from the file.
//!
//! Anything that two readers could understand differently is refused: entries that overlap, that occur twice, whose two
//! headers disagree, or data before and behind the archive. Compressed entries are refused as well: PyTorch never writes
//! them, and so no archive can grow when it is read.

use std::{cell::Cell, collections::BTreeMap, ops::Range};

use super::error::{Fault, shown};

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

/// Entries of an archive by name.
pub(super) struct ZipArchive<'a> {
    file: &'a [u8],
    entries: BTreeMap<&'a str, Entry>,
}

struct Entry {
    data: Range<usize>,
    crc: u32,
    /// The checksum was compared: many tensors may share an entry.
    checked: Cell<bool>,
}

impl<'a> ZipArchive<'a> {
    pub fn open(file: &'a [u8]) -> Result<Self, Fault> {
        let (count, directory) = directory(file)?;
        if count > MAX_ENTRIES {
            return Err(Fault::damaged("the zip directory", format!("{count} entries are more than a checkpoint has")));
        }
        let mut entries = BTreeMap::new();
        let mut ranges = Vec::with_capacity(count);
        let mut position = directory.start;
        for index in 0..count {
            let (name, whole, entry) = entry(file, &directory, &mut position, index)?;
            ranges.push(whole);
            if entries.insert(name, entry).is_some() {
                return Err(Fault::damaged(format!("zip entry {}", shown(name)), "the archive has it twice"));
            }
        }
        if position != directory.end {
            return Err(Fault::damaged("the zip directory", "it is longer than its entries"));
        }
        ranges.sort_by_key(|range| range.start);
        if ranges.first().is_some_and(|first| first.start != 0) {
            return Err(Fault::damaged("byte 0", "there is something before the zip archive"));
        }
        if ranges.array_windows().any(|[first, second]| first.end > second.start) {
            return Err(Fault::damaged("the zip directory", "two entries overlap"));
        }
        Ok(Self { file, entries })
    }

    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.entries.keys().copied()
    }

    /// Position of an entry's data in the file, checked against its checksum.
    pub fn entry(&self, name: &str) -> Result<Option<Range<usize>>, Fault> {
        let Some(entry) = self.entries.get(name) else { return Ok(None) };
        let data = self.file.get(entry.data.clone()).unwrap_or_default();
        if !entry.checked.get() && crc32fast::hash(data) != entry.crc {
            return Err(Fault::damaged(format!("zip entry {}", shown(name)), "its checksum is wrong"));
        }
        entry.checked.set(true);
        Ok(Some(entry.data.clone()))
    }
}

/// Number of entries and position of the central directory.
fn directory(file: &[u8]) -> Result<(usize, Range<usize>), Fault> {
    let missing =
        || Fault::damaged("the end of the file", "the zip directory is not there; was the download complete?");
    // The comment at the end may have 65535 bytes, and must end with the file.
    let lowest = file.len().saturating_sub(END_LEN + usize::from(u16::MAX));
    let end = (lowest..=file.len().saturating_sub(END_LEN))
        .rev()
        .find(|&at| {
            has(file, at, END) && number(file, at + 20, 2).is_some_and(|comment| at + END_LEN + comment == file.len())
        })
        .ok_or_else(missing)?;
    let field = |offset, size| number(file, end + offset, size).ok_or_else(missing);
    let mut count = field(10, 2)?;
    let mut size = field(12, 4)?;
    let mut start = field(16, 4)?;
    let mut limit = end;
    let locator = end.checked_sub(LOCATOR64_LEN).filter(|at| has(file, *at, LOCATOR64));
    if let Some(locator) = locator {
        let at = number(file, locator + 8, 8).filter(|at| has(file, *at, END64)).ok_or_else(missing)?;
        if at.checked_add(END64_LEN).is_none_or(|end| end > locator) {
            return Err(missing());
        }
        let field = |offset| number(file, at + offset, 8).ok_or_else(missing);
        (count, size, start, limit) = (field(32)?, field(40)?, field(48)?, at);
    }
    let stop = start.checked_add(size).filter(|stop| *stop == limit);
    let stop = stop.ok_or_else(|| Fault::damaged("the zip directory", "it is not where the archive says"))?;
    // Each entry takes room in the directory, so that its number is believed only as far as that goes.
    if count > size / CENTRAL_LEN {
        return Err(Fault::damaged("the zip directory", "it has room for fewer entries than it promises"));
    }
    Ok((count, start..stop))
}

/// Name, whole extent and data of the entry whose central header is at `position`, which moves on.
fn entry<'a>(
    file: &'a [u8],
    directory: &Range<usize>,
    position: &mut usize,
    index: usize,
) -> Result<(&'a str, Range<usize>, Entry), Fault> {
    let at = *position;
    let broken = |cause: &str| Fault::damaged(format!("zip entry number {index}"), cause);
    let cut = || broken("its header cannot be read");
    if !has(file, at, CENTRAL) || at + CENTRAL_LEN > directory.end {
        return Err(cut());
    }
    let field = |offset, size| number(file, at + offset, size).ok_or_else(cut);
    let (flags, method) = (field(8, 2)?, field(10, 2)?);
    let (name_len, extra_len, comment_len) = (field(28, 2)?, field(30, 2)?, field(32, 2)?);
    let crc = field(16, 4)? as u32;
    let name_at = at + CENTRAL_LEN;
    let name = file.get(name_at..name_at + name_len).and_then(|name| std::str::from_utf8(name).ok()).ok_or_else(cut)?;
    let broken = |cause: &str| Fault::damaged(format!("zip entry {}", shown(name)), cause);
    let extra_at = name_at + name_len;
    *position = extra_at + extra_len + comment_len;
    if *position > directory.end {
        return Err(cut());
    }
    let mut sizes = [field(24, 4)?, field(20, 4)?, field(42, 4)?];
    if sizes.contains(&(u32::MAX as usize)) {
        zip64(file.get(extra_at..extra_at + extra_len).unwrap_or_default(), &mut sizes)
            .ok_or_else(|| broken("its 64-bit sizes are missing"))?;
    }
    let [size, compressed, local] = sizes;
    if flags & 0x2041 != 0 {
        return Err(broken("it is encrypted"));
    }
    if method != 0 || size != compressed {
        return Err(broken(
            "it is compressed, which PyTorch never does; unpack the archive and pack it again uncompressed",
        ));
    }
    if !has(file, local, LOCAL) {
        return Err(broken("its data is not where the directory says"));
    }
    let (local_name, local_extra) =
        (number(file, local + 26, 2).ok_or_else(cut)?, number(file, local + 28, 2).ok_or_else(cut)?);
    let start = local + LOCAL_LEN + local_name + local_extra;
    let local_name = file.get(local + LOCAL_LEN..local + LOCAL_LEN + local_name);
    if local_name != Some(name.as_bytes()) || number(file, local + 8, 2) != Some(method) {
        return Err(broken("its two headers disagree"));
    }
    let end = start.checked_add(size).filter(|end| *end <= directory.start);
    let end = end.ok_or_else(|| broken("it reaches past the end of the data"))?;
    Ok((name, local..end, Entry { data: start..end, crc, checked: Cell::new(false) }))
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

fn has(file: &[u8], at: usize, signature: &[u8]) -> bool {
    file.get(at..).is_some_and(|rest| rest.starts_with(signature))
}

/// A little-endian number of `size` bytes.
fn number(file: &[u8], at: usize, size: usize) -> Option<usize> {
    let bytes = file.get(at..at.checked_add(size)?)?;
    let mut raw = [0u8; 8];
    raw.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    usize::try_from(u64::from_le_bytes(raw)).ok()
}
