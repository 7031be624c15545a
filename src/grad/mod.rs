//! Gradients of any order over burn tensors.
//!
//! Training needs second derivatives: R1 and path length are gradients that are themselves part of a loss. burn's own
//! automatic differentiation is of first order, so this module keeps a graph of its own: a [`Var`] is a tensor that knows
//! the operation it came from, and [`gradients`] walks the graph backwards with operations on `Var`s, whose result can
//! again be differentiated. The set of operations is closed: the gradient of each is made of operations of the set.
//!
//! Every `Var` has four axes, NCHW. A vector is `[1, C, 1, 1]`, a batch of latents `[N, C, 1, 1]`, the weight of a fully
//! connected layer `[O, I, 1, 1]` -- it is a 1x1 convolution.
//!
//! The values come from [`primitive`], which runs each operation on the CPU's kernels or, elsewhere, on burn's tensors.

mod backward;
mod functions;
mod op;
pub mod primitive;
mod var;

#[cfg(test)]
pub(crate) mod tally;
#[cfg(test)]
pub(crate) mod tests;

pub use backward::gradients;
pub use op::{Act, AffineMap, Fir};
pub use var::{Dims, Var, no_graph, with_graph};
