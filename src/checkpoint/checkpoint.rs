//! A model file that was opened: what it is and which networks it holds.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Mutex,
};

use super::{
    error::{CheckpointError, Fault, shown},
    folder,
    names::Hints,
    network::{NetworkEntry, Role},
    official_pickle,
    pickle::{Limits, Pickle, parse},
    progress::Progress,
    safetensors,
    source::{Section, Source},
    state_dicts, tensorflow_pickle, torch_legacy, torch_zip,
};
use crate::base::regular_file::open_regular;
use crate::model::{config::GeneratorConfig, discriminator_config::DiscriminatorConfig, state_dict::StateDict};

/// More than any checkpoint has, optimizers included.
const MAX_FILE: u64 = 16 << 30;
/// Bytes that tell the format.
const HEAD: usize = 512;

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

/// An open model file. Its index is in memory; the arrays of a network are read when it is loaded.
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
    source: Source,
    networks: Vec<NetworkEntry>,
}

/// Opens a model file, or the newest snapshot of a training run's folder. The format is decided by the contents. Of the
/// file, its index is read, and whatever has a checksum; the arrays are read when a network is loaded.
///
/// # Errors
/// [`CheckpointError`]: what is wrong, where, and what can be opened instead.
pub fn open(path: &Path, progress: &dyn Progress) -> Result<Checkpoint, CheckpointError> {
    let path = if path.is_dir() { folder::newest_snapshot(path)? } else { path.to_owned() };
    let source = open_file(&path)?;
    parse_file(source, path, progress)
}

/// Reads a model file that is in memory already, e.g. one that is part of the program.
///
/// # Errors
/// As [`open`]; `name` stands for the path.
pub fn open_bytes(name: &str, bytes: Vec<u8>) -> Result<Checkpoint, CheckpointError> {
    parse_file(Source::Memory(bytes), PathBuf::from(name), &())
}

fn open_file(path: &Path) -> Result<Source, CheckpointError> {
    let read_error = |source| CheckpointError::Read { path: path.to_owned(), source };
    let not_a_model = |what: &str| CheckpointError::NotAModelFile { path: path.to_owned(), what: what.to_owned() };
    let opened = open_regular(path).map_err(read_error)?;
    let (file, len) = opened.ok_or_else(|| not_a_model("is no regular file"))?;
    if len == 0 {
        return Err(not_a_model("is empty"));
    }
    let len = usize::try_from(len).ok().filter(|len| *len as u64 <= MAX_FILE);
    let len = len.ok_or_else(|| not_a_model("is larger than 16 GiB"))?;
    Ok(Source::File { file: Mutex::new(file), len })
}

fn parse_file(source: Source, path: PathBuf, progress: &dyn Progress) -> Result<Checkpoint, CheckpointError> {
    let len = source.section().len();
    if progress.cancelled() {
        return Err(CheckpointError::Cancelled { path });
    }
    let parsed = parse_format(source.section(), progress).and_then(|(format, parsed)| {
        parsed.networks.iter().try_for_each(|network| not_larger(network, len))?;
        Ok((format, parsed))
    });
    progress.advance(len as u64, len as u64);
    let (format, Parsed { lineage, networks, notes }) = parsed.map_err(|fault| fault.in_file(&path))?;
    Ok(Checkpoint { path, format, lineage, notes, source, networks })
}

/// A small file may not describe a large network by sharing its data, nor a slow one by spreading it out.
fn not_larger(network: &NetworkEntry, len: usize) -> Result<(), Fault> {
    const MOST_SPREAD: u128 = 16;
    let values: u128 = network.tensors.values().map(|view| view.num_elements() as u128).sum();
    let spread: u128 = network.tensors.values().map(|view| view.extent().1 as u128).sum();
    if values > len as u128 || spread > MOST_SPREAD * len as u128 {
        return Err(Fault::damaged(format!("network {}", network.name), "its arrays share their data"));
    }
    Ok(())
}

fn parse_format(file: Section<'_>, progress: &dyn Progress) -> Result<(FileFormat, Parsed), Fault> {
    let head = file.get(0, file.len().min(HEAD)).map_err(|cause| cause.into_fault(0))?;
    if head.starts_with(b"PK\x03\x04") || head.starts_with(b"PK\x05\x06") {
        let zip = torch_zip::read(file, progress)?;
        let parsed = state_dicts::read_torch(&zip.pickle, &zip, file)?;
        return Ok((FileFormat::TorchZip, with_globals(parsed, &zip.pickle)));
    }
    if head.starts_with(&torch_legacy::MAGIC) {
        let legacy = torch_legacy::read(file)?;
        let parsed = state_dicts::read_torch(&legacy.pickle, &legacy, file)?;
        return Ok((FileFormat::TorchLegacy, with_globals(parsed, &legacy.pickle)));
    }
    // The length that a safetensors file begins with may have a pickle's first byte as its lowest; what follows that
    // byte in a pickle is never so small a number.
    let length = head.first_chunk::<8>().map(|chunk| u64::from_le_bytes(*chunk));
    let length_fits = length.is_some_and(|length| length <= file.len() as u64);
    if head.first() == Some(&0x80) && !(length_fits && safetensors::looks_like(&head)) {
        return read_pickle(file).map(|parsed| (FileFormat::Pickle, parsed));
    }
    if safetensors::looks_like(&head) {
        return read_safetensors(file).map(|parsed| (FileFormat::Safetensors, parsed));
    }
    Err(Fault::unsupported(folder::guess(&head)))
}

fn read_pickle(file: Section<'_>) -> Result<Parsed, Fault> {
    let pickle = parse(file, Limits::for_len(file.len())).map_err(Fault::pickle("the pickle"))?;
    if pickle.end() != file.len() {
        return Err(Fault::damaged(format!("byte {}", pickle.end()), "something follows the pickle"));
    }
    let parsed = match official_pickle::read(&pickle, file)? {
        Some(parsed) => Some(parsed),
        None => tensorflow_pickle::read(&pickle, file)?,
    };
    let parsed = parsed.ok_or_else(|| Fault::unsupported(folder::describe_pickle(&pickle)))?;
    Ok(with_globals(parsed, &pickle))
}

fn read_safetensors(source: Section<'_>) -> Result<Parsed, Fault> {
    let file = safetensors::index(source)?;
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
    let mut parsed = state_dicts::read(state_dicts::single_group(file.tensors), &hints, source)?;
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
        parsed.notes.extend(others.map(|(key, value)| format!("{}: {}", shown(key), shown(value))));
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
        let name = shown(&format!("{module}.{name}"));
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

    /// Index of the generator of this name; without a name, of the one to show.
    ///
    /// # Errors
    /// The file has no such generator; the error says which it has.
    pub fn generator_named(&self, name: Option<&str>) -> Result<usize, CheckpointError> {
        let Some(name) = name else { return self.preferred_generator() };
        let is_it = |network: &NetworkEntry| network.name == name && network.generator().is_some();
        self.networks.iter().position(is_it).ok_or_else(|| CheckpointError::NoSuchNetwork {
            path: self.path.clone(),
            name: shown(name),
            known: self.generators().map(|network| shown(&network.name)).collect::<Vec<_>>().join(", "),
        })
    }

    /// The generators that can be loaded, in the file's order.
    pub fn generators(&self) -> impl Iterator<Item = &NetworkEntry> {
        self.networks.iter().filter(|network| network.generator().is_some())
    }

    /// Index of the discriminator, if the file has one that can be loaded.
    pub fn discriminator(&self) -> Option<usize> {
        self.networks.iter().position(|network| network.discriminator().is_some())
    }

    /// Configuration and weights of a generator, the weights under the official names of its family. Only this network
    /// is read.
    ///
    /// # Errors
    /// There is no generator of this index, or its arrays cannot be read.
    pub fn load_generator(&self, index: usize) -> Result<(GeneratorConfig, StateDict), CheckpointError> {
        self.load_generator_with(index, &())
    }

    /// As [`Self::load_generator`]; `progress` is told, and asked whether to go on.
    ///
    /// # Errors
    /// As [`Self::load_generator`], and when it was cancelled.
    pub fn load_generator_with(
        &self,
        index: usize,
        progress: &dyn Progress,
    ) -> Result<(GeneratorConfig, StateDict), CheckpointError> {
        let network = self.network(index)?;
        let Some(config) = network.generator() else {
            return Err(Fault::unsupported(format!("a {}", network.role)).in_file(&self.path));
        };
        Ok((config.clone(), self.weights(network, progress)?))
    }

    /// Configuration and weights of a discriminator, the weights under the official names of its family
    /// ([`DiscriminatorConfig`] has them).
    ///
    /// # Errors
    /// There is no discriminator of this index that can be loaded, or its arrays cannot be read.
    pub fn load_discriminator(&self, index: usize) -> Result<(DiscriminatorConfig, StateDict), CheckpointError> {
        let network = self.network(index)?;
        let Some(config) = network.discriminator() else {
            return Err(Fault::unsupported(format!("a {}", network.role)).in_file(&self.path));
        };
        Ok((config.clone(), self.weights(network, &())?))
    }

    fn weights(&self, network: &NetworkEntry, progress: &dyn Progress) -> Result<StateDict, CheckpointError> {
        network.load(self.source.section(), progress).map_err(|fault| fault.in_file(&self.path))
    }

    /// The arrays of a network, generator or not, as the file has them: its own names, layouts and factors.
    ///
    /// # Errors
    /// There is no network of this index, or its arrays cannot be read.
    pub fn load_raw(&self, index: usize) -> Result<StateDict, CheckpointError> {
        self.network(index)?.load_raw(self.source.section()).map_err(|fault| fault.in_file(&self.path))
    }

    fn network(&self, index: usize) -> Result<&NetworkEntry, CheckpointError> {
        let missing =
            || Fault::unsupported(format!("a file with {} networks", self.networks.len())).in_file(&self.path);
        self.networks.get(index).ok_or_else(missing)
    }

    /// Length of the file in bytes.
    pub fn file_len(&self) -> usize {
        self.source.section().len()
    }
}
