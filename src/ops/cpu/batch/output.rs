//! Memory of results.

/// A vector of `len` values to be overwritten.
pub(super) fn fresh(len: usize) -> Vec<f32> {
    vec![0.0; len]
}
