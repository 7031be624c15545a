//! State dicts: names to arrays, alone or several in one file, as the community and plain PyTorch saves have them.

use std::collections::BTreeMap;

use super::{
    checkpoint::{Lineage, Parsed},
    error::{Fault, shown},
    names::{Hints, discriminator, generator},
    network::{NetworkConfig, NetworkEntry, Role, num_parameters},
    pickle::{Id, Pickle, Value},
    source::Section,
    tensor::NamedTensors,
    torch::{Storages, tensor},
};

/// More than any state dict has.
const MAX_ARRAYS: usize = 4096;
/// What may stand before all names of a network: of wrappers for several devices, of the file's other networks, of
/// encoders that carry a generator along. The longest match wins.
const PREFIXES: [&str; 13] = [
    "",
    "module.",
    "G_ema.",
    "G.",
    "D.",
    "g_ema.",
    "g.",
    "d.",
    "generator.",
    "discriminator.",
    "g_running.",
    "decoder.",
    "params.",
];

/// Role of a generator by its name in the file.
pub(super) fn role_of(key: &str) -> Role {
    match key.to_ascii_lowercase().as_str() {
        "g_ema" | "gs" | "g_running" | "params_ema" | "ema" => Role::GeneratorEma,
        _ => Role::Generator,
    }
}

/// The networks of a PyTorch save.
pub(super) fn read_torch(pickle: &Pickle<'_>, storages: &dyn Storages, file: Section<'_>) -> Result<Parsed, Fault> {
    let root = pickle.root();
    let pairs = pickle.pairs(root).ok_or_else(|| match pickle.call(root) {
        Some((module, name, _)) => {
            Fault::unsupported(format!("a PyTorch save of a {}.{} and not of weights", shown(module), shown(name)))
        }
        None => Fault::unsupported(format!("a PyTorch save of {}", pickle.value(root).kind())),
    })?;
    let mut budget = MAX_ARRAYS;
    // Arrays directly in the file, and the state dicts that it holds.
    let mut loose = NamedTensors::new();
    let mut groups: Vec<(String, NamedTensors)> = Vec::new();
    let mut keys = Vec::new();
    for (key, value) in pairs {
        let Some(key) = pickle.str(*key) else { continue };
        if keys.len() < 12 {
            keys.push(shown(key));
        }
        if let Some(view) = tensor(pickle, *value, storages, None)? {
            spend(&mut budget)?;
            loose.insert(key.to_owned(), view);
        } else if is_model_key(key) {
            let tensors = state_dict(pickle, *value, storages, &mut budget)?;
            if !tensors.is_empty() {
                groups.push((key.to_owned(), tensors));
            }
        }
    }
    let average = loose.get("latent_avg").cloned();
    if groups.is_empty() {
        groups.push((String::new(), loose));
    }
    if let Some(average) = average {
        for (_, tensors) in &mut groups {
            tensors.entry("latent_avg".to_owned()).or_insert_with(|| average.clone());
        }
    }
    let parsed = read(groups, &Hints::default(), file)?;
    if parsed.networks.is_empty() {
        let keys = if keys.is_empty() { "nothing".to_owned() } else { keys.join(", ") };
        return Err(Fault::unsupported(format!("a PyTorch save of no network that is known; it holds {keys}")));
    }
    Ok(parsed)
}

/// Optimizers hold many arrays, none of a network.
fn is_model_key(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    !(key.contains("optim") || key.contains("sched") || key == "args" || key == "opts")
}

fn spend(budget: &mut usize) -> Result<(), Fault> {
    *budget = budget.checked_sub(1).ok_or_else(|| {
        Fault::damaged("the pickle", format!("more than {MAX_ARRAYS} arrays, which no checkpoint has"))
    })?;
    Ok(())
}

fn state_dict(pickle: &Pickle<'_>, id: Id, storages: &dyn Storages, budget: &mut usize) -> Result<NamedTensors, Fault> {
    let mut tensors = NamedTensors::new();
    for (key, value) in pickle.pairs(id).unwrap_or_default() {
        let (Some(key), Value::Object(_)) = (pickle.str(*key), pickle.value(*value)) else { continue };
        if let Some(view) = tensor(pickle, *value, storages, None)? {
            spend(budget)?;
            tensors.insert(key.to_owned(), view);
        }
    }
    Ok(tensors)
}

/// The networks among groups of arrays, each with its name in the file.
pub(super) fn read(groups: Vec<(String, NamedTensors)>, hints: &Hints, file: Section<'_>) -> Result<Parsed, Fault> {
    let mut parsed = Parsed::new(Lineage::Community);
    let mut other = None;
    for (key, tensors) in groups {
        other = other.or_else(|| other_network(&tensors));
        // One group may hold several networks under prefixes of their own.
        for prefix in PREFIXES {
            let inner = without_prefix(&tensors, prefix);
            if inner.is_empty() {
                continue;
            }
            let name = match (key.as_str(), prefix.trim_end_matches('.')) {
                ("", "" | "module" | "params") => "generator".to_owned(),
                ("", prefix) => prefix.to_owned(),
                (key, _) => key.to_owned(),
            };
            let entry = if let Some(recognised) = generator(&name, &inner, hints, file)? {
                parsed.lineage = recognised.lineage;
                parsed.note(&recognised.notes);
                let config = NetworkConfig::Generator(recognised.config);
                NetworkEntry {
                    role: role_of(&name),
                    name,
                    config,
                    num_parameters: num_parameters(&inner),
                    class_name: String::new(),
                    tensors: inner,
                    plan: recognised.plan,
                }
            } else if let Some(found) = discriminator(&name, &inner, hints, file)? {
                let name = if name == "generator" { "discriminator".to_owned() } else { name };
                parsed.note(&found.notes);
                NetworkEntry {
                    role: Role::Discriminator,
                    name,
                    config: found.config,
                    num_parameters: num_parameters(&inner),
                    class_name: String::new(),
                    tensors: inner,
                    plan: found.plan,
                }
            } else {
                continue;
            };
            parsed.networks.push(entry);
        }
    }
    match other {
        Some(other) if parsed.networks.is_empty() => Err(Fault::unsupported(other)),
        _ => Ok(parsed),
    }
}

/// Networks of other kinds that people take for StyleGAN's, by names that only they have.
fn other_network(tensors: &NamedTensors) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 5] = [
        ("synthesis.input.freqs", "a StyleGAN3 network"),
        ("model.diffusion_model.", "a diffusion model"),
        ("time_embed.0.weight", "a diffusion model"),
        ("lm_head.weight", "a language model"),
        ("backbone.synthesis.", "an EG3D network"),
    ];
    let known = |name: &str| KNOWN.iter().find(|(part, _)| name.contains(part)).map(|(_, what)| *what);
    tensors.keys().find_map(|name| known(name))
}

/// The arrays whose names begin with `prefix`, without it. An average `w` is shared by all.
fn without_prefix(tensors: &NamedTensors, prefix: &str) -> NamedTensors {
    if prefix.is_empty() {
        return tensors.clone();
    }
    let mut inner: NamedTensors = tensors
        .range(prefix.to_owned()..)
        .take_while(|(name, _)| name.starts_with(prefix))
        .map(|(name, view)| (name[prefix.len()..].to_owned(), view.clone()))
        .collect();
    if !inner.is_empty()
        && let Some(average) = tensors.get("latent_avg")
    {
        inner.entry("latent_avg".to_owned()).or_insert_with(|| average.clone());
    }
    inner
}

/// Groups for arrays that lie in a file without a dictionary around them.
pub(super) fn single_group(tensors: BTreeMap<String, super::tensor::TensorView>) -> Vec<(String, NamedTensors)> {
    vec![(String::new(), tensors)]
}
