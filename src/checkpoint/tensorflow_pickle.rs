//! Pickles of the official TensorFlow code: networks as their build code (never run) and a list of named arrays.

use super::{
    checkpoint::{Lineage, Parsed},
    error::{Fault, shown},
    names::{Hints, Recognised, TensorFlowHints, discriminator, stylegan1_tensorflow, stylegan2_tensorflow},
    network::{NetworkConfig, NetworkEntry, Role, num_parameters},
    numpy,
    pickle::{Id, Pickle, Value},
    source::Section,
    tensor::NamedTensors,
};
use crate::model::config::MAX_RESOLUTION;

/// Components nest once.
const MAX_DEPTH: usize = 4;
/// More arrays than any network has.
const MAX_ARRAYS: usize = 4096;

/// Fields of a network; `None` if `id` is none.
fn network(pickle: &Pickle<'_>, id: Id) -> Option<Id> {
    let (module, "Network", _) = pickle.call(id)? else { return None };
    let Value::Object(object) = pickle.value(id) else { return None };
    matches!(module, "dnnlib.tflib.network" | "dnnlib.tflib" | "tfutil").then_some(object.state)?
}

/// The networks of the pickle; `None` if it is something else. `file` is the whole file.
pub(super) fn read(pickle: &Pickle<'_>, file: Section<'_>) -> Result<Option<Parsed>, Fault> {
    let single = [pickle.root()];
    let roots = match pickle.elements(pickle.root()) {
        Some(elements) => elements,
        None => &single,
    };
    if roots.is_empty() || roots.len() > 8 || !roots.iter().all(|id| network(pickle, *id).is_some()) {
        return Ok(None);
    }
    let mut parsed = Parsed::new(Lineage::OfficialTensorFlow);
    let mut others = Vec::new();
    for (index, id) in roots.iter().enumerate() {
        let Some(state) = network(pickle, *id) else { continue };
        // A triple is (G, D, Gs); a lone network is a generator.
        let (key, role) = match (roots.len(), index) {
            (3, 0) => ("G", Role::Generator),
            (3, 1) => ("D", Role::Discriminator),
            (3, 2) => ("Gs", Role::GeneratorEma),
            _ => ("G", Role::Generator),
        };
        let mut tensors = NamedTensors::new();
        collect(pickle, state, &mut tensors, 0)?;
        let hints = hints(pickle, state, &tensors, file)?;
        let recognised: Option<Recognised> = if tensors.contains_key("4x4/Conv/mod_weight") {
            Some(stylegan2_tensorflow(key, &tensors, &hints)?)
        } else if tensors.contains_key("4x4/Const/StyleMod/weight") {
            Some(stylegan1_tensorflow(key, &tensors, &hints)?)
        } else {
            None
        };
        let (role, config, plan) = match recognised {
            Some(recognised) => {
                parsed.note(&recognised.notes);
                (role, NetworkConfig::Generator(recognised.config), recognised.plan)
            }
            None => match discriminator(key, &tensors, &hints.common, file)? {
                Some(found) => {
                    parsed.note(&found.notes);
                    (Role::Discriminator, found.config, found.plan)
                }
                None => {
                    let name = pickle.get(state, "name").and_then(|id| pickle.str(id)).unwrap_or("without a name");
                    let progressive = tensors.contains_key("4x4/Dense/weight");
                    others.push(format!("{}{}", shown(name), if progressive { " (Progressive GAN)" } else { "" }));
                    continue;
                }
            },
        };
        let class_name =
            pickle.get(state, "build_func_name").and_then(|id| pickle.str(id)).unwrap_or_default().to_owned();
        let num_parameters = num_parameters(&tensors);
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
    if parsed.networks.iter().all(|network| network.generator().is_none()) {
        return Err(Fault::unsupported(format!("a TensorFlow pickle with the networks {}", others.join(", "))));
    }
    parsed.notes.extend(others.into_iter().map(|other| format!("The network {other} is left out.")));
    Ok(Some(parsed))
}

/// Adds the arrays of a network and of its components, whose names never clash.
fn collect(pickle: &Pickle<'_>, state: Id, tensors: &mut NamedTensors, depth: usize) -> Result<(), Fault> {
    let damaged = |cause: &str| Fault::damaged("a TensorFlow network", cause);
    if depth > MAX_DEPTH {
        return Err(damaged("its components are nested deeper than those of any network"));
    }
    let variables = pickle.get(state, "variables").and_then(|id| pickle.elements(id)).unwrap_or_default();
    for variable in variables {
        let Some([name, value]) = pickle.elements(*variable) else {
            return Err(damaged("a variable is no pair of name and value"));
        };
        let name = pickle.str(*name).ok_or_else(|| damaged("a variable's name is no text"))?;
        if tensors.len() >= MAX_ARRAYS || name.len() > 256 {
            return Err(damaged("it has more or longer names than any network"));
        }
        if let Some(view) = numpy::array(pickle, *value)?
            && tensors.insert(name.to_owned(), view).is_some()
        {
            return Err(Fault::damaged(format!("array {}", shown(name)), "the network has it twice"));
        }
    }
    let components = pickle.get(state, "components").and_then(|id| pickle.pairs(id)).unwrap_or_default();
    for (_, component) in components.iter().take(16) {
        let state = network(pickle, *component).ok_or_else(|| damaged("a component is no network"))?;
        collect(pickle, state, tensors, depth + 1)?;
    }
    Ok(())
}

/// What the keyword arguments say, of the network and of its components.
fn hints(pickle: &Pickle<'_>, state: Id, tensors: &NamedTensors, file: Section<'_>) -> Result<TensorFlowHints, Fault> {
    let components = pickle.get(state, "components").and_then(|id| pickle.pairs(id)).unwrap_or_default();
    let states = components.iter().take(16).filter_map(|(_, component)| network(pickle, *component));
    let kwargs: Vec<Id> = states
        .chain([state])
        .filter_map(|state| pickle.get(state, "static_kwargs"))
        .map(|id| fields(pickle, id))
        .collect();
    let find = |name: &str| kwargs.iter().find_map(|id| pickle.get(*id, name));
    let number = |name: &str| match pickle.value(find(name)?) {
        Value::Int(value) => Some(value as f64),
        Value::Float(value) if value.is_finite() => Some(value),
        Value::Object(_) => numpy::scalar(pickle, find(name)?),
        _ => None,
    };
    // Variants that the program cannot run must not pass for the one that it can.
    let expected =
        [("use_pixel_norm", false), ("use_styles", true), ("use_instance_norm", true), ("const_input_layer", true)];
    for (name, usual) in expected {
        if find(name).is_some_and(|id| matches!(pickle.value(id), Value::Bool(value) if value != usual)) {
            return Err(Fault::unsupported(format!("a network trained with {name} = {}", !usual)));
        }
    }
    let resample_filter = find("resample_kernel").and_then(|id| pickle.elements(id)).and_then(|taps| {
        let tap = |id: &Id| match pickle.value(*id) {
            Value::Int(value) => Some(value as f32),
            Value::Float(value) => Some(value as f32),
            _ => None,
        };
        taps.iter().take(32).map(tap).collect()
    });
    let fused_scale = find("fused_scale").and_then(|id| match pickle.value(id) {
        Value::Bool(value) => Some(value),
        _ => None,
    });
    let lod = match tensors.get("lod") {
        Some(view) if view.num_elements() == 1 => view.read(file)?.first().copied().unwrap_or(0.0),
        _ => 0.0,
    };
    Ok(TensorFlowHints {
        common: Hints {
            lr_multiplier: number("mapping_lrmul"),
            w_avg_beta: number("dlatent_avg_beta"),
            conv_clamp: Some(number("conv_clamp")),
            resample_filter,
            mbstd_group_size: number("mbstd_group_size")
                .filter(|size| (1.0..=4096.0).contains(size))
                .map(|n| Some(n as usize)),
            fused_from: fused_scale.map(|always| if always { 8 } else { 2 * MAX_RESOLUTION }),
            ..Hints::default()
        },
        fused_scale,
        lod: if lod.is_finite() { lod.clamp(0.0, 8.0) } else { 0.0 },
    })
}

/// The dictionary inside of keyword arguments, which are one themselves or an object that is (its items or its state).
fn fields(pickle: &Pickle<'_>, id: Id) -> Id {
    match pickle.value(id) {
        Value::Object(object) if pickle.pairs(id).is_none_or(<[_]>::is_empty) => object.state.unwrap_or(id),
        _ => id,
    }
}
