//! A model file that was opened: what it is and which networks it holds.

use std::{
    fmt,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    error::{CheckpointError, Fault},
    folder,
    names::Hints,
    network::{NetworkEntry, Role},
    official_pickle,
    pickle::{Limits, Pickle, parse},
    safetensors, state_dicts, tensorflow_pickle, torch_legacy, torch_zip,
};
use crate::model::{config::GeneratorConfig, state_dict::StateDict};

/// More than any checkpoint has, optimizers included.
const MAX_FILE: u64 = 16 << 30;
/// Bytes between two reports of progress.
const CHUNK: usize = 4 << 20;

/// Who wants to know how far the reading is, and may stop it.
pub trait Progress {
    /// `done` of `total` bytes are read.
    fn advance(&self, done: u64, total: u64);
    /// Whether to stop.
    fn cancelled(&self) -> bool;
}

/// No reports, never cancelled.
impl Progress for () {
    fn advance(&self, _: u64, _: u64) {}

    fn cancelled(&self) -> bool {
        false
    }
}

/// The container that the networks are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// A plain pickle.
    Pickle,
    /// A PyTorch save since 1.6.
    TorchZip,
    /// A PyTorch save from before 1.6.
    TorchLegacy,
    /// Safetensors.
    Safetensors,
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pickle => "pickle",
            Self::TorchZip => "PyTorch zip",
            Self::TorchLegacy => "PyTorch (before 1.6)",
            Self::Safetensors => "safetensors",
        })
    }
}

/// Whose code the names and numbers are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lineage {
    /// The official PyTorch code, or its names.
    OfficialTorch,
    /// The official TensorFlow code.
    OfficialTensorFlow,
    /// The community ports.
    Community,
    /// This program.
    Stylescope,
}

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OfficialTorch => "official PyTorch",
            Self::OfficialTensorFlow => "official TensorFlow",
            Self::Community => "community port",
            Self::Stylescope => "Stylescope",
        })
    }
}

/// What the readers of formats find.
pub(super) struct Parsed {
    pub lineage: Lineage,
    pub networks: Vec<NetworkEntry>,
    pub notes: Vec<String>,
}

impl Parsed {
    pub fn new(lineage: Lineage) -> Self {
        Self { lineage, networks: Vec::new(), notes: Vec::new() }
    }

    /// Adds notes on a network, each one once: several networks of a file share most of them.
    pub fn note(&mut self, notes: &[String]) {
        for note in notes {
            if !self.notes.contains(note) {
                self.notes.push(note.clone());
            }
        }
    }
}

/// An open model file. It keeps the file in memory, and no network beside it until one is loaded.
#[derive(Debug)]
pub struct Checkpoint {
    /// The file; in a folder, the one that was chosen.
    pub path: PathBuf,
    /// Its container.
    pub format: FileFormat,
    /// Whose networks they are.
    pub lineage: Lineage,
    /// What the user should know, one sentence each.
    pub notes: Vec<String>,
    bytes: Vec<u8>,
    networks: Vec<NetworkEntry>,
}

/// Opens a model file, or the newest snapshot of a training run's folder. The format is decided by the contents.
///
/// # Errors
/// [`CheckpointError`]: what is wrong, where, and what can be opened instead.
pub fn open(path: &Path, progress: &dyn Progress) -> Result<Checkpoint, CheckpointError> {
    let path = if path.is_dir() { folder::newest_snapshot(path)? } else { path.to_owned() };
    let bytes = read_file(&path, progress)?;
    parse_file(bytes).map(|checkpoint| Checkpoint { path: path.clone(), ..checkpoint }).map_err(|f| f.in_file(&path))
}

/// Reads a model file that is in memory already, e.g. one that is part of the program.
///
/// # Errors
/// As [`open`]; `name` stands for the path.
pub fn open_bytes(name: &str, bytes: Vec<u8>) -> Result<Checkpoint, CheckpointError> {
    let path = PathBuf::from(name);
    parse_file(bytes).map(|checkpoint| Checkpoint { path: path.clone(), ..checkpoint }).map_err(|f| f.in_file(&path))
}

fn read_file(path: &Path, progress: &dyn Progress) -> Result<Vec<u8>, CheckpointError> {
    let read_error = |source| CheckpointError::Read { path: path.to_owned(), source };
    let not_a_model = |what: &str| CheckpointError::NotAModelFile { path: path.to_owned(), what: what.to_owned() };
    // Opening a pipe would wait for its other end.
    let metadata = std::fs::metadata(path).map_err(read_error)?;
    if !metadata.is_file() {
        return Err(not_a_model("is no regular file"));
    }
    let total = metadata.len();
    if total == 0 {
        return Err(not_a_model("is empty"));
    }
    if total > MAX_FILE {
        return Err(not_a_model("is larger than 16 GiB"));
    }
    let mut file = File::open(path).map_err(read_error)?;
    let mut bytes = Vec::new();
    let reserved = usize::try_from(total).ok().and_then(|total| bytes.try_reserve_exact(total).ok());
    reserved.ok_or_else(|| not_a_model("does not fit into memory"))?;
    // A file that grows meanwhile is read up to the length that was promised.
    while (bytes.len() as u64) < total {
        if progress.cancelled() {
            return Err(CheckpointError::Cancelled { path: path.to_owned() });
        }
        let part = (total - bytes.len() as u64).min(CHUNK as u64);
        let read = file.by_ref().take(part).read_to_end(&mut bytes).map_err(read_error)?;
        if read == 0 {
            break;
        }
        progress.advance(bytes.len() as u64, total);
    }
    Ok(bytes)
}

fn parse_file(bytes: Vec<u8>) -> Result<Checkpoint, Fault> {
    let (format, parsed) = parse_format(&bytes)?;
    let Parsed { lineage, networks, notes } = parsed;
    // A small file may not describe a large network by sharing its data.
    for network in &networks {
        let values: u128 = network.tensors.values().map(|view| view.num_elements() as u128).sum();
        if values > bytes.len() as u128 {
            return Err(Fault::damaged(format!("network {}", network.name), "its arrays share their data"));
        }
    }
    Ok(Checkpoint { path: PathBuf::new(), format, lineage, notes, bytes, networks })
}

fn parse_format(bytes: &[u8]) -> Result<(FileFormat, Parsed), Fault> {
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        let zip = torch_zip::read(bytes)?;
        let parsed = state_dicts::read_torch(&zip.pickle, &zip, bytes)?;
        return Ok((FileFormat::TorchZip, with_globals(parsed, &zip.pickle)));
    }
    if bytes.starts_with(&torch_legacy::MAGIC) {
        let legacy = torch_legacy::read(bytes, 0)?;
        let parsed = state_dicts::read_torch(&legacy.pickle, &legacy, bytes)?;
        return Ok((FileFormat::TorchLegacy, with_globals(parsed, &legacy.pickle)));
    }
    // The length that a safetensors file begins with may have a pickle's first byte as its lowest; what follows that
    // byte in a pickle is never so small a number.
    let length = bytes.first_chunk::<8>().map(|chunk| u64::from_le_bytes(*chunk));
    let length_fits = length.is_some_and(|length| length <= bytes.len() as u64);
    if bytes.first() == Some(&0x80) && !(length_fits && safetensors::looks_like(bytes)) {
        return read_pickle(bytes).map(|parsed| (FileFormat::Pickle, parsed));
    }
    if safetensors::looks_like(bytes) {
        return read_safetensors(bytes).map(|parsed| (FileFormat::Safetensors, parsed));
    }
    Err(Fault::unsupported(folder::guess(bytes)))
}

fn read_pickle(bytes: &[u8]) -> Result<Parsed, Fault> {
    let pickle = parse(bytes, Limits::for_len(bytes.len())).map_err(Fault::pickle("the pickle"))?;
    if pickle.end() != bytes.len() {
        return Err(Fault::damaged(format!("byte {}", pickle.end()), "something follows the pickle"));
    }
    let parsed = match official_pickle::read(&pickle, bytes)? {
        Some(parsed) => Some(parsed),
        None => tensorflow_pickle::read(&pickle, bytes)?,
    };
    let parsed = parsed.ok_or_else(|| Fault::unsupported(folder::describe_pickle(&pickle)))?;
    Ok(with_globals(parsed, &pickle))
}

fn read_safetensors(bytes: &[u8]) -> Result<Parsed, Fault> {
    let file = safetensors::index(bytes)?;
    let is_ours = file.metadata.get(safetensors::FORMAT_KEY).map(String::as_str) == Some(safetensors::FORMAT);
    let config = match file.metadata.get(safetensors::CONFIG_KEY) {
        Some(json) if is_ours => {
            let unreadable =
                |error: serde_json::Error| Fault::damaged("the configuration in the metadata", error.to_string());
            Some(serde_json::from_str::<GeneratorConfig>(json).map_err(unreadable)?)
        }
        _ => None,
    };
    let hints = Hints { all_blocks: is_ours, ..Hints::default() };
    let mut parsed = state_dicts::read(state_dicts::single_group(file.tensors), &hints, bytes)?;
    if parsed.networks.is_empty() {
        return Err(Fault::unsupported("a safetensors file without a network that is known"));
    }
    if let Some(config) = config {
        config.validate().map_err(|source| Fault::Config { network: "generator".into(), source })?;
        let [network] = parsed.networks.as_mut_slice() else {
            return Err(Fault::damaged("the metadata", "it has one configuration for several networks"));
        };
        network.adopt(config)?;
        parsed.lineage = Lineage::Stylescope;
        parsed.notes = Vec::new();
        let ours = [safetensors::FORMAT_KEY, safetensors::CONFIG_KEY, "format_version"];
        let others = file.metadata.iter().filter(|(key, _)| !ours.contains(&key.as_str())).take(16);
        parsed
            .notes
            .extend(others.map(|(key, value)| format!("{}: {}", super::error::shown(key), super::error::shown(value))));
    }
    Ok(parsed)
}

/// Adds a note on names in the pickle that no model file needs. They are never called.
fn with_globals(mut parsed: Parsed, pickle: &Pickle<'_>) -> Parsed {
    const USUAL: [&str; 9] =
        ["torch", "collections", "numpy", "argparse", "torch_utils", "dnnlib", "builtins", "training", "_codecs"];
    // Of the builtins, only types of data are usual.
    let usual = |module: &str, name: &str| {
        let root = module.split('.').next().unwrap_or(module);
        USUAL.contains(&root) && (root != "builtins" || matches!(name, "set" | "frozenset" | "slice" | "complex"))
    };
    let odd = pickle.globals().find(|(module, name)| !usual(module, name));
    if let Some((module, name)) = odd {
        let name = super::error::shown(&format!("{module}.{name}"));
        parsed
            .notes
            .push(format!("The file names {name}, which has no place in a model. Nothing of a file is ever run."));
    }
    parsed
}

impl Checkpoint {
    /// The networks, in the file's order.
    pub fn networks(&self) -> &[NetworkEntry] {
        &self.networks
    }

    /// Index of the generator to show: the moving average if there is one.
    ///
    /// # Errors
    /// The file has no generator.
    pub fn preferred_generator(&self) -> Result<usize, CheckpointError> {
        let find =
            |role| self.networks.iter().position(|network| network.role == role && network.generator().is_some());
        find(Role::GeneratorEma).or_else(|| find(Role::Generator)).ok_or_else(|| {
            let names: Vec<_> = self.networks.iter().map(|network| format!("a {}", network.role)).collect();
            Fault::unsupported(format!("a file with {} and no generator", names.join(" and "))).in_file(&self.path)
        })
    }

    /// Configuration and weights of a generator, the weights under the official names of its family. Only this network
    /// is read.
    ///
    /// # Errors
    /// There is no generator of this index, or its arrays cannot be read.
    pub fn load_generator(&self, index: usize) -> Result<(GeneratorConfig, StateDict), CheckpointError> {
        let network = self.network(index)?;
        let Some(config) = network.generator() else {
            return Err(Fault::unsupported(format!("a {}", network.role)).in_file(&self.path));
        };
        Ok((config.clone(), network.load(&self.bytes).map_err(|fault| fault.in_file(&self.path))?))
    }

    /// The arrays of a network, generator or not, as the file has them: its own names, layouts and factors.
    ///
    /// # Errors
    /// There is no network of this index, or its arrays cannot be read.
    pub fn load_raw(&self, index: usize) -> Result<StateDict, CheckpointError> {
        self.network(index)?.load_raw(&self.bytes).map_err(|fault| fault.in_file(&self.path))
    }

    fn network(&self, index: usize) -> Result<&NetworkEntry, CheckpointError> {
        let missing =
            || Fault::unsupported(format!("a file with {} networks", self.networks.len())).in_file(&self.path);
        self.networks.get(index).ok_or_else(missing)
    }

    /// Length of the file in bytes.
    pub fn file_len(&self) -> usize {
        self.bytes.len()
    }
}
