//! Broadcasting over rank-4 arrays, as few nested loops as it takes.

/// One loop: how many steps, and how far a step goes in each of `K` arrays (0 where the array is broadcast).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis<const K: usize> {
    pub len: usize,
    pub steps: [usize; K],
}

/// The shape that `a` and `b` broadcast to.
///
/// # Panics
/// If an axis differs and is 1 in neither.
pub(super) fn broadcast(a: [usize; 4], b: [usize; 4]) -> [usize; 4] {
    std::array::from_fn(|d| {
        assert!(a[d] == b[d] || a[d] == 1 || b[d] == 1, "{a:?} and {b:?} do not broadcast");
        if a[d] == 1 { b[d] } else { a[d] }
    })
}

/// The steps of a contiguous array of shape `own` under loops over `dims`.
///
/// # Panics
/// If an axis of `own` is neither that of `dims` nor 1.
pub(super) fn steps(own: [usize; 4], dims: [usize; 4]) -> [usize; 4] {
    let mut step = 1;
    let mut steps = [0; 4];
    for d in (0..4).rev() {
        assert!(own[d] == dims[d] || own[d] == 1, "{own:?} does not broadcast to {dims:?}");
        steps[d] = if own[d] == 1 { 0 } else { step };
        step *= own[d];
    }
    steps
}

/// The loops over `dims`, outermost first, neighbours merged where every array allows it. The last one always exists.
pub(super) fn merge<const K: usize>(dims: [usize; 4], steps: [[usize; 4]; K]) -> Vec<Axis<K>> {
    let mut axes: Vec<Axis<K>> = Vec::with_capacity(4);
    for d in (0..4).rev().filter(|&d| dims[d] != 1) {
        let axis = Axis { len: dims[d], steps: steps.map(|own| own[d]) };
        match axes.last_mut() {
            Some(inner) if (0..K).all(|k| axis.steps[k] == inner.steps[k] * inner.len) => inner.len *= axis.len,
            _ => axes.push(axis),
        }
    }
    if axes.is_empty() {
        axes.push(Axis { len: 1, steps: [1; K] });
    }
    axes.reverse();
    axes
}

/// Where the `index`-th round of the loops `axes` begins in each array.
pub(super) fn offsets<const K: usize>(axes: &[Axis<K>], mut index: usize) -> [usize; K] {
    let mut offsets = [0; K];
    for axis in axes.iter().rev() {
        let at = index % axis.len;
        index /= axis.len;
        for (offset, step) in offsets.iter_mut().zip(axis.steps) {
            *offset += at * step;
        }
    }
    offsets
}

/// Rounds of the loops `axes`.
pub(super) fn rounds<const K: usize>(axes: &[Axis<K>]) -> usize {
    axes.iter().map(|axis| axis.len).product()
}
