//! PyTorch files from before 1.6, and the storages inside of official snapshots: five pickles, then the data.

use std::collections::BTreeMap;

use super::{
    error::{Fault, shown},
    pickle::{Limits, Pickle, Value, parse},
    source::Section,
    tensor::{DType, Storage},
    torch::{Reference, Storages},
};

/// The number 0x1950a86a20f9469cfc6c as a pickle has it: PROTO 2, LONG1 of 10 bytes, STOP.
pub(super) const MAGIC: [u8; 15] =
    [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];
const PROTOCOL: i64 = 1001;

/// A parsed file.
pub(super) struct Legacy<'a> {
    /// The fourth pickle: what was saved.
    pub pickle: Pickle<'a>,
    storages: BTreeMap<String, Storage>,
}

impl Storages for Legacy<'_> {
    fn storage(&self, key: &str, dtype: DType) -> Result<Storage, Fault> {
        let place = || format!("storage {}", shown(key));
        let storage = self.storages.get(key).ok_or_else(|| Fault::damaged(place(), "the file does not have it"))?;
        if storage.dtype != dtype {
            return Err(Fault::damaged(place(), "it is used with two types"));
        }
        Ok(*storage)
    }
}

/// Reads a file of this format, or a part of a file.
pub(super) fn read(section: Section<'_>) -> Result<Legacy<'_>, Fault> {
    let start = section.start();
    if !section.has(0, &MAGIC)? {
        return Err(Fault::damaged(format!("byte {start}"), "a PyTorch save does not begin with its magic number"));
    }
    let mut position = MAGIC.len();
    let mut next = |what: &str| -> Result<(Pickle<'_>, usize), Fault> {
        let rest = section.rest(position);
        let pickle = parse(rest, Limits::for_len(rest.len()))
            .map_err(Fault::pickle(format!("{what} at byte {}", start + position)))?;
        position += pickle.end();
        Ok((pickle, position))
    };
    let (protocol, _) = next("the protocol of a PyTorch save")?;
    if protocol.int(protocol.root()) != Some(PROTOCOL) {
        return Err(Fault::damaged(format!("byte {}", start + MAGIC.len()), "a PyTorch save of an unknown protocol"));
    }
    let (system, _) = next("the system of a PyTorch save")?;
    let little = system.get(system.root(), "little_endian").map(|id| system.value(id));
    let big_endian = matches!(little, Some(Value::Bool(false)));
    let (pickle, _) = next("the pickle of a PyTorch save")?;
    let (keys, mut position) = next("the list of storages of a PyTorch save")?;

    let mut kinds = BTreeMap::new();
    for id in pickle.persistent() {
        let reference = Reference::read(&pickle, id)?;
        kinds.insert(reference.key.to_owned(), reference.dtype);
    }
    let unreadable = || Fault::damaged(format!("byte {}", start + position), "the list of storages cannot be read");
    let keys: Vec<&str> = keys
        .elements(keys.root())
        .and_then(|ids| ids.iter().map(|id| keys.str(*id)).collect())
        .ok_or_else(unreadable)?;
    let mut storages = BTreeMap::new();
    for key in keys {
        let damaged = |cause| Fault::damaged(format!("storage {} at byte {}", shown(key), start + position), cause);
        let dtype = *kinds.get(key).ok_or_else(|| damaged("nothing uses it"))?;
        let count = section.array(position)?.map(i64::from_le_bytes);
        let count = count.ok_or_else(|| damaged("the file ends before it"))?;
        let len = usize::try_from(count).ok().and_then(|count| count.checked_mul(dtype.size()));
        let data = position + 8;
        let end = len.and_then(|len| data.checked_add(len)).filter(|end| *end <= section.len());
        let end = end.ok_or_else(|| damaged("the file ends within it"))?;
        let storage = Storage { start: start + data, len: end - data, dtype, big_endian };
        if storages.insert(key.to_owned(), storage).is_some() {
            return Err(damaged("the file has it twice"));
        }
        position = end;
    }
    Ok(Legacy { pickle, storages })
}

/// The one storage of a save that holds nothing else.
pub(super) fn single_storage(section: Section<'_>) -> Result<Storage, Fault> {
    let legacy = read(section)?;
    let Value::Persistent(id) = legacy.pickle.value(legacy.pickle.root()) else {
        let place = format!("byte {}", section.start());
        return Err(Fault::damaged(place, "a PyTorch save that should be a storage is none"));
    };
    let reference = Reference::read(&legacy.pickle, id)?;
    legacy.storage(reference.key, reference.dtype)
}
