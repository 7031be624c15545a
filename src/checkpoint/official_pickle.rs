//! Snapshots of the official PyTorch code: networks as persistent objects, each with its class name and its fields.

use super::{
    checkpoint::{Lineage, Parsed},
    error::{Fault, shown},
    names::{Hints, discriminator, filter_taps, generator},
    network::{NetworkConfig, NetworkEntry, Role, num_parameters},
    pickle::{Id, Pickle, Value},
    source::Section,
    state_dicts::role_of,
    tensor::NamedTensors,
    torch::{Embedded, tensor},
};
use crate::model::config::Architecture;

/// Networks nest about five deep.
const MAX_DEPTH: usize = 16;
/// More modules and arrays than any network has.
const MAX_PARTS: usize = 8192;

/// Class name and fields of a persistent object.
fn persistent<'p>(pickle: &'p Pickle<'_>, id: Id) -> Option<(&'p str, Id)> {
    let ("torch_utils.persistence", "_reconstruct_persistent_obj", [description]) = pickle.call(id)? else {
        return None;
    };
    let class_name = pickle.get(*description, "class_name").and_then(|id| pickle.str(id))?;
    Some((class_name, pickle.get(*description, "state")?))
}

/// The networks of the snapshot; `None` if the pickle is something else. `file` is the whole file.
pub(super) fn read(pickle: &Pickle<'_>, file: Section<'_>) -> Result<Option<Parsed>, Fault> {
    let mut roots = Vec::new();
    if persistent(pickle, pickle.root()).is_some() {
        roots.push(("G", pickle.root()));
    } else if let Some(pairs) = pickle.pairs(pickle.root()) {
        let entries = pairs.iter().filter_map(|(key, value)| Some((pickle.str(*key)?, *value)));
        roots.extend(entries.filter(|(_, value)| persistent(pickle, *value).is_some()));
    }
    if roots.is_empty() {
        return Ok(None);
    }
    let mut parsed = Parsed::new(Lineage::OfficialTorch);
    let mut others = Vec::new();
    for (key, id) in roots {
        let Some((class_name, _)) = persistent(pickle, id) else { continue };
        if class_name == "AugmentPipe" {
            continue;
        }
        let mut network = Network { pickle, embedded: Embedded::default(), parts: 0, module: Module::default() };
        network.walk(id, "", 0)?;
        let architecture = network.architecture()?;
        let Module { tensors, classes, conv_clamp, .. } = network.module;
        let get = |name: &str| network_attribute(pickle, id, name);
        if classes.iter().any(|class| class == "SynthesisInput") {
            others.push(format!("{} (StyleGAN3)", shown(key)));
            continue;
        }
        let mut hints = Hints { conv_clamp: Some(conv_clamp), architecture, ..Hints::default() };
        hints.w_avg_beta = get("mapping.w_avg_beta").and_then(|id| number(pickle, id));
        hints.lr_multiplier = get("mapping.fc0.bias_gain").and_then(|id| number(pickle, id));
        hints.mbstd_group_size = get("b4.mbstd.group_size").map(|id| group_size(pickle, id));
        let filters = ["synthesis.b4.resample_filter", "b8.resample_filter", "b4.resample_filter"];
        if let Some(filter) = filters.iter().find_map(|name| tensors.get(*name)) {
            hints.resample_filter = filter_taps(filter, file)?;
        }
        let (config, plan) = if let Some(recognised) = generator(key, &tensors, &hints, file)? {
            parsed.note(&recognised.notes);
            (NetworkConfig::Generator(recognised.config), recognised.plan)
        } else if let Some(found) = discriminator(key, &tensors, &hints, file)? {
            parsed.note(&found.notes);
            (found.config, found.plan)
        } else {
            others.push(format!("{} (class {})", shown(key), shown(class_name)));
            continue;
        };
        let role = match config {
            NetworkConfig::Generator(_) => role_of(key),
            NetworkConfig::Discriminator(_) => Role::Discriminator,
        };
        let (class_name, num_parameters) = (class_name.to_owned(), num_parameters(&tensors));
        parsed.networks.push(NetworkEntry {
            role,
            name: key.to_owned(),
            config,
            num_parameters,
            class_name,
            tensors,
            plan,
        });
    }
    if parsed.networks.iter().all(|network| network.generator().is_none()) && !others.is_empty() {
        return Err(Fault::unsupported(format!("a pickle with the networks {}", others.join(", "))));
    }
    parsed.notes.extend(others.into_iter().map(|other| format!("The network {other} is left out.")));
    Ok(Some(parsed))
}

#[derive(Default)]
struct Module {
    tensors: NamedTensors,
    classes: Vec<String>,
    conv_clamp: Option<f64>,
    architecture: Option<String>,
}

struct Network<'p, 'a> {
    pickle: &'p Pickle<'a>,
    embedded: Embedded,
    parts: usize,
    module: Module,
}

impl Network<'_, '_> {
    /// Collects the arrays below the module `id`, whose names begin with `prefix`.
    fn walk(&mut self, id: Id, prefix: &str, depth: usize) -> Result<(), Fault> {
        let place = || format!("module {}", shown(prefix));
        if depth > MAX_DEPTH {
            return Err(Fault::damaged(place(), "it is nested deeper than any network"));
        }
        let pickle = self.pickle;
        let Some((class_name, state)) = persistent(pickle, id) else { return Ok(()) };
        self.count(prefix)?;
        self.module.classes.push(class_name.to_owned());
        if let Some(clamp) = pickle.get(state, "conv_clamp").and_then(|id| number(pickle, id)) {
            self.module.conv_clamp = Some(clamp);
        }
        if let Some(architecture) = pickle.get(state, "architecture").and_then(|id| pickle.str(id)) {
            self.module.architecture = Some(architecture.to_owned());
        }
        for field in ["_parameters", "_buffers"] {
            let Some(pairs) = pickle.get(state, field).and_then(|id| pickle.pairs(id)) else { continue };
            for (name, value) in pairs {
                self.count(prefix)?;
                let name = pickle.str(*name).ok_or_else(|| Fault::damaged(place(), "a field whose name is no text"))?;
                let name = format!("{prefix}{name}");
                match tensor(pickle, *value, &self.embedded, Some(&self.embedded))? {
                    Some(view) => drop(self.module.tensors.insert(name, view)),
                    None if matches!(pickle.value(*value), Value::None) => {}
                    None => return Err(Fault::damaged(format!("array {}", shown(&name)), "it is no tensor")),
                }
            }
        }
        let modules = pickle.get(state, "_modules").and_then(|id| pickle.pairs(id)).unwrap_or_default();
        for (name, module) in modules {
            let name = pickle.str(*name).ok_or_else(|| Fault::damaged(place(), "a module whose name is no text"))?;
            self.walk(*module, &format!("{prefix}{name}."), depth + 1)?;
        }
        Ok(())
    }

    fn count(&mut self, prefix: &str) -> Result<(), Fault> {
        self.parts += 1;
        // Long names would multiply with the parts.
        if self.parts > MAX_PARTS || prefix.len() > 512 {
            return Err(Fault::damaged(format!("module {}", shown(prefix)), "it has more parts than any network"));
        }
        Ok(())
    }

    fn architecture(&self) -> Result<Option<Architecture>, Fault> {
        match self.module.architecture.as_deref() {
            None => Ok(None),
            Some("skip") => Ok(Some(Architecture::Skip)),
            Some("resnet") => Ok(Some(Architecture::Resnet)),
            Some("orig") => Ok(Some(Architecture::Orig)),
            Some(other) => Err(Fault::unsupported(format!("a network of the architecture {}", shown(other)))),
        }
    }
}

/// The field at a dotted path of module names below the module `id`.
fn network_attribute(pickle: &Pickle<'_>, id: Id, path: &str) -> Option<Id> {
    let (modules, field) = path.rsplit_once('.')?;
    let mut id = id;
    for name in modules.split('.') {
        let (_, state) = persistent(pickle, id)?;
        id = pickle.get(pickle.get(state, "_modules")?, name)?;
    }
    pickle.get(persistent(pickle, id)?.1, field)
}

/// Samples that share a standard deviation; `None`: all of a batch.
fn group_size(pickle: &Pickle<'_>, id: Id) -> Option<usize> {
    pickle.int(id).and_then(|size| usize::try_from(size).ok()).filter(|size| (1..=4096).contains(size))
}

/// A number, also in the form of a numpy scalar.
fn number(pickle: &Pickle<'_>, id: Id) -> Option<f64> {
    match pickle.value(id) {
        Value::Int(value) => Some(value as f64),
        Value::Float(value) => Some(value),
        Value::Object(_) => super::numpy::scalar(pickle, id),
        _ => None,
    }
    .filter(|value| value.is_finite())
}
