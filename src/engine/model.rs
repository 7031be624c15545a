//! Opened models, shared by the render thread and the jobs.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
};

use crate::{
    base::mailbox::lock,
    checkpoint::{Checkpoint, NetworkEntry, Progress, Role, SnapshotFile},
    engine::{
        message::{ModelId, ModelSummary, NetworkChoice},
        open::OpenError,
    },
    latent::LatentStatistics,
    model::{Generator, ModelError, Placement, config::GeneratorConfig, state_dict::StateDict},
};

/// An opened model.
#[derive(Debug)]
pub struct OpenModel {
    /// What the window knows of it.
    pub summary: Arc<ModelSummary>,
    /// The network.
    pub generator: Generator,
    /// Tells this network from others in a saved pose.
    pub fingerprint: String,
    /// Number of its weights.
    pub num_values: usize,
    /// The spread of its latents, once it was worked out.
    pub statistics: OnceLock<Arc<LatentStatistics>>,
}

impl OpenModel {
    /// Builds a generator of a file: the one of this name, or the one that the explorer shows. Its arrays are read here, one
    /// after the other, and given back as the network takes them.
    ///
    /// # Errors
    /// [`OpenError`] if the file has no such generator, its weights do not fit, or `progress` cancelled the reading.
    pub fn build(
        id: ModelId,
        checkpoint: Checkpoint,
        network: Option<&str>,
        placement: &Placement,
        progress: &dyn Progress,
    ) -> Result<Self, OpenError> {
        let index = checkpoint.generator_named(network)?;
        let (config, weights) = checkpoint.load_generator_with(index, progress)?;
        let networks = checkpoint.generators().map(network_choice).collect();
        let network = checkpoint.networks().get(index).map(|network| network.name.clone()).unwrap_or_default();
        let (path, details) = (checkpoint.path.clone(), checkpoint.details());
        let snapshot = SnapshotFile::of(&path);
        let notice = match &snapshot {
            // What a training notes in its snapshots is no warning.
            Some(_) => None,
            None => (!checkpoint.notes.is_empty()).then(|| checkpoint.notes.join(" ")),
        };
        drop(checkpoint);
        // A snapshot is named after its run: the number of images is told beside it.
        let named = snapshot.as_ref().and_then(|snapshot| snapshot.run()?.file_name()).or_else(|| path.file_stem());
        let name = named.unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let nimg = snapshot.map(|snapshot| snapshot.nimg);
        let origin = Origin { path: Some(path), name, nimg, network, networks, details, notice };
        Ok(Self::from_weights(id, origin, config, weights, placement)?)
    }

    /// Builds a network that is in memory already.
    ///
    /// # Errors
    /// [`ModelError`] if the weights do not fit the configuration, or the device refuses.
    pub fn from_weights(
        id: ModelId,
        origin: Origin,
        config: GeneratorConfig,
        weights: StateDict,
        placement: &Placement,
    ) -> Result<Self, ModelError> {
        let (fingerprint, num_values) = (fingerprint(&config, &weights), weights.num_values());
        let generator = Generator::from_state_dict(config, weights, placement)?;
        let Origin { path, name, nimg, network, networks, details, notice } = origin;
        let (config, layers) = (generator.config().clone(), generator.layers().to_vec());
        let summary = ModelSummary { id, path, name, nimg, network, networks, details, notice, config, layers };
        Ok(Self { summary: Arc::new(summary), generator, fingerprint, num_values, statistics: OnceLock::new() })
    }
}

/// What is known of a model besides its network; the fields are those of [`ModelSummary`].
#[derive(Debug, Clone, Default)]
#[allow(missing_docs, reason = "explained there")]
pub struct Origin {
    pub path: Option<PathBuf>,
    pub name: String,
    pub nimg: Option<u64>,
    pub network: String,
    pub networks: Vec<NetworkChoice>,
    pub details: Vec<String>,
    pub notice: Option<String>,
}

fn network_choice(network: &NetworkEntry) -> NetworkChoice {
    let what = match network.role {
        Role::GeneratorEma => "moving average",
        _ => "as trained",
    };
    NetworkChoice { name: network.name.clone(), what }
}

/// The models that requests may name.
#[derive(Debug, Clone, Default)]
pub struct Models(Arc<Mutex<Vec<Arc<OpenModel>>>>);

impl Models {
    /// Adds a model, as the newest of them.
    pub fn add(&self, model: Arc<OpenModel>) {
        let mut models = lock(&self.0);
        models.retain(|known| known.summary.id != model.summary.id);
        models.push(model);
    }

    /// The model with this id.
    pub fn get(&self, id: ModelId) -> Option<Arc<OpenModel>> {
        lock(&self.0).iter().find(|model| model.summary.id == id).cloned()
    }

    /// Lets go of models that were added before `id`, but for `kept`.
    pub fn forget_before(&self, id: ModelId, kept: Option<ModelId>) {
        let mut models = lock(&self.0);
        let Some(at) = models.iter().position(|model| model.summary.id == id) else { return };
        let newer = models.split_off(at);
        let older = std::mem::replace(&mut *models, newer);
        let (wanted, forgotten) = older.into_iter().partition::<Vec<_>, _>(|model| Some(model.summary.id) == kept);
        models.splice(0..0, wanted);
        drop(models);
        // Dropped without the lock: giving back a network's memory takes a while.
        drop(forgotten);
    }
}

/// Values of each weight that go into the fingerprint: enough to tell two trainings apart at any size of the network.
const FINGERPRINT_VALUES: usize = 64;

/// Sixteen hexadecimal digits that depend on the configuration and on samples of every weight: FNV-1a (64 bits) over
/// names, shapes and evenly spaced values. It recognises a model; it does not protect against forgery.
pub fn fingerprint(config: &GeneratorConfig, weights: &StateDict) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    let mut add = |bytes: &[u8]| {
        for &byte in bytes {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    };
    add(config.family_name().as_bytes());
    for size in [config.resolution(), config.img_channels(), config.label_dim()] {
        add(&(size as u64).to_le_bytes());
    }
    for (name, tensor) in &weights.0 {
        add(name.as_bytes());
        for &length in &tensor.shape {
            add(&(length as u64).to_le_bytes());
        }
        let step = tensor.data.len().div_ceil(FINGERPRINT_VALUES).max(1);
        for value in tensor.data.iter().step_by(step) {
            add(&value.to_bits().to_le_bytes());
        }
    }
    format!("{hash:016x}")
}
