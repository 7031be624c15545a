//! The walk from a result back to what it depends on.

use std::collections::{BTreeMap, HashSet};

use super::var::{Var, no_graph};

/// The gradient of `output`, weighted by `seed` (of its shape), by each of `wrt`; `None` where it does not depend on it.
///
/// With `create_graph` the gradients can be differentiated again; otherwise they are constants. Only what lies between
/// `output` and `wrt` is walked.
///
/// # Panics
/// If `seed` has another shape than `output`.
pub fn gradients(output: &Var, seed: &Var, wrt: &[&Var], create_graph: bool) -> Vec<Option<Var>> {
    assert_eq!(output.dims(), seed.dims(), "a gradient has the shape of what it belongs to");
    if create_graph { walk(output, seed, wrt) } else { no_graph(|| walk(output, seed, wrt)) }
}

fn walk(output: &Var, seed: &Var, wrt: &[&Var]) -> Vec<Option<Var>> {
    let targets: HashSet<u64> = wrt.iter().map(|var| var.id()).collect();
    let nodes = between(output, &targets);
    let mut gradients = BTreeMap::from([(output.id(), seed.clone())]);
    let mut found: BTreeMap<u64, Var> = BTreeMap::new();
    // Children have higher numbers than their parents, so every gradient is complete when its turn comes.
    for (id, node) in nodes.iter().rev() {
        let Some(gradient) = gradients.remove(id) else { continue };
        if targets.contains(id) {
            found.insert(*id, gradient.clone());
        }
        let Some(op) = node.op() else { continue };
        for (index, parent) in op.parents().into_iter().enumerate() {
            if !nodes.contains_key(&parent.id()) {
                continue;
            }
            let part = op.gradient(index, node, &gradient);
            let sum = match gradients.remove(&parent.id()) {
                Some(sum) => sum.add(&part),
                None => part,
            };
            gradients.insert(parent.id(), sum);
        }
    }
    wrt.iter().map(|var| found.get(&var.id()).cloned()).collect()
}

/// The nodes on a path from `output` to one of `targets`, both included, by number.
fn between(output: &Var, targets: &HashSet<u64>) -> BTreeMap<u64, Var> {
    let mut reachable = BTreeMap::new();
    let mut stack = vec![output.clone()];
    while let Some(node) = stack.pop() {
        if !node.is_tracked() || reachable.contains_key(&node.id()) {
            continue;
        }
        if let Some(op) = node.op() {
            stack.extend(op.parents().into_iter().cloned());
        }
        reachable.insert(node.id(), node);
    }
    let mut kept: BTreeMap<u64, Var> = BTreeMap::new();
    for (id, node) in reachable {
        let leads = |node: &Var| node.op().is_some_and(|op| op.parents().iter().any(|p| kept.contains_key(&p.id())));
        if targets.contains(&id) || leads(&node) {
            kept.insert(id, node);
        }
    }
    kept
}
