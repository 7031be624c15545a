//! What is fuzzed: functions of bytes that may fail in no way but by the error that they return.
//!
//! `tests/fuzz_replay.rs` runs the same functions over the corpora.

use stylescope::{
    checkpoint::{
        open_bytes,
        pickle::{self, Limits, Value},
    },
    data::{Dataset, DatasetOptions},
    session::{PoseRecord, Settings, png, record},
};

/// A name, its function, and what to call the folder of its corpus.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 8] = [
    ("pickle", pickle),
    ("torch_zip", torch_zip),
    ("tensorflow_pickle", tensorflow_pickle),
    ("safetensors", safetensors),
    ("png_metadata", png_metadata),
    ("session_json", session_json),
    ("dataset_zip", dataset_zip),
    ("dataset_labels", dataset_labels),
];

/// Opens a model file and reads everything in it.
fn open(bytes: &[u8]) {
    let Ok(file) = open_bytes("fuzzed", bytes.to_vec()) else { return };
    for line in file.details() {
        assert!(line.len() < 4096, "a line of {} bytes", line.len());
    }
    for (index, network) in file.networks().iter().enumerate() {
        let _ = file.load_raw(index);
        if network.generator().is_some() {
            let _ = file.load_generator(index);
        }
        if network.discriminator().is_some() {
            let _ = file.load_discriminator(index);
        }
    }
}

/// A pickle, as the machine reads it and as a file.
pub fn pickle(bytes: &[u8]) {
    if let Ok(pickle) = pickle::parse(bytes, Limits::for_len(bytes.len())) {
        assert!(pickle.end() <= bytes.len());
        let root = pickle.root();
        let _ = (pickle.value(root).kind(), pickle.call(root), pickle.pairs(root), pickle.elements(root));
        for id in pickle.persistent() {
            let _ = pickle.elements(id);
        }
        for (module, name) in pickle.globals() {
            assert!(module.len() + name.len() <= 2 * bytes.len());
        }
        if let Value::Blob = pickle.value(root) {
            assert!(pickle.part(root).is_some_and(|part| part.len() <= bytes.len()));
        }
    }
    open(bytes);
}

/// A zip archive; and the same bytes as the pickle of an archive that is in order otherwise, since checksums keep chance
/// from getting that far.
pub fn torch_zip(bytes: &[u8]) {
    open(bytes);
    open(&archive(&[("a/data.pkl", bytes), ("a/data/0", &[0x3d; 4096]), ("a/data/1", &[0; 64])]));
}

/// A pickle of TensorFlow networks.
pub fn tensorflow_pickle(bytes: &[u8]) {
    open(bytes);
}

/// A safetensors file; and the same bytes as the header of one whose length is right.
pub fn safetensors(bytes: &[u8]) {
    open(bytes);
    let mut file = (bytes.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(bytes);
    file.resize(file.len() + 4096, 0x3d);
    open(&file);
    // Without the rest that no honest header leaves.
    file.truncate(8 + bytes.len() + 64);
    open(&file);
}

/// A PNG that may carry a pose; and the same bytes as its text, with the right checksum.
pub fn png_metadata(bytes: &[u8]) {
    let check = |record: PoseRecord| assert_eq!(record.pose, record.pose.sanitized());
    if let Ok(record) = png::read_pose(bytes) {
        check(record);
    }
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"iTXt", [b"stylescope\0", bytes].concat()), (b"IEND", Vec::new())] {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(&data);
        file.extend_from_slice(&(data.len() as u32).to_be_bytes());
        file.extend_from_slice(kind);
        file.extend_from_slice(&data);
        file.extend_from_slice(&crc.sum().to_be_bytes());
    }
    if let Ok(record) = png::read_pose(&file) {
        check(record);
    }
}

/// Text as a pose and as settings.
pub fn session_json(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Ok(pose) = record::pose_from_text(text)
    {
        assert_eq!(pose, pose.sanitized());
        let written = record::pose_to_text(&pose, "").expect("what was read can be written");
        assert_eq!(record::pose_from_text(&written).expect("what was written can be read"), pose);
    }
    if let Ok(settings) = serde_json::from_slice::<Settings>(bytes) {
        let settings = settings.sanitized();
        assert_eq!(settings.sanitized(), settings);
        serde_json::to_vec(&settings).expect("what was read can be written");
    }
}

/// A zip of images; and the same bytes as an image of a zip that is in order otherwise.
pub fn dataset_zip(bytes: &[u8]) {
    dataset(bytes.to_vec());
    dataset(archive(&[("a.png", bytes)]));
}

/// The labels of two images.
pub fn dataset_labels(bytes: &[u8]) {
    dataset(archive(&[("a.png", &[]), ("b/c.png", &[]), ("dataset.json", bytes)]));
}

/// Opens a zip of images, and looks at the first of them.
fn dataset(zip: Vec<u8>) {
    let options = DatasetOptions { memory: 0, x_flip: true, ..DatasetOptions::default() };
    let Ok(dataset) = Dataset::from_zip(zip, 8, &options) else { return };
    let len = dataset.len().expect("files have an end");
    assert!(len > 0 && dataset.image(len).is_err() && dataset.label(len).is_err());
    for index in (0..len.min(3)).chain([len - 1]) {
        assert!(!dataset.name(index).is_empty());
        let label = dataset.label(index).expect("all images of a dataset with labels have one");
        assert!(label.len() == dataset.label_dim() && label.iter().all(|number| number.is_finite()));
        if let Ok(picture) = dataset.image(index) {
            assert_eq!((picture.channels, picture.height, picture.width, picture.pixels.len()), (3, 8, 8, 192));
        }
    }
}

/// A zip archive of stored entries.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in entries {
        let offset = file.len() as u32;
        let mut common = vec![20, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        common.extend_from_slice(&crc32fast::hash(data).to_le_bytes());
        common.extend_from_slice(&(data.len() as u32).to_le_bytes());
        common.extend_from_slice(&(data.len() as u32).to_le_bytes());
        common.extend_from_slice(&(name.len() as u16).to_le_bytes());
        common.extend_from_slice(&[0, 0]);
        for part in [b"PK\x03\x04", common.as_slice(), name.as_bytes(), data] {
            file.extend_from_slice(part);
        }
        for part in [b"PK\x01\x02\x14\0", common.as_slice(), &[0; 10], &offset.to_le_bytes(), name.as_bytes()] {
            directory.extend_from_slice(part);
        }
    }
    let (start, count) = (file.len() as u32, entries.len() as u16);
    file.extend_from_slice(&directory);
    file.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    for half in [count, count] {
        file.extend_from_slice(&half.to_le_bytes());
    }
    for word in [directory.len() as u32, start] {
        file.extend_from_slice(&word.to_le_bytes());
    }
    file.extend_from_slice(&[0, 0]);
    file
}
