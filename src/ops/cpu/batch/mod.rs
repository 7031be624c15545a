//! Operations on whole batches on the processor, forward and backward: what training stands on.
//!
//! Everything here takes and returns plain `f32` slices in NCHW (weights OIHW), so that a layer of automatic
//! differentiation can be put on top. Each function returns a vector and leaves its inputs alone; [`recycle`] takes
//! back the memory of a result.
//!
//! **Results depend on neither the number of threads nor on timing.** How the work is divided, and in which order every
//! sum is taken, follows from the shapes and the instruction set alone. A training that is resumed bit by bit where it
//! was interrupted rests on that. Small inputs stay on the calling thread, which costs less than waking another.
//!
//! Shapes are asserted on entry: a wrong one is a bug of the caller.

mod adam;
mod axes;
mod bias_act;
mod conv;
mod elementwise;
mod fir;
mod memory;
mod reduce;
mod scratch;
mod spread;
#[cfg(test)]
mod tests;

pub use adam::{AdamStep, Moments, adam, move_average};
pub use bias_act::{bias_act, bias_act_gradient};
pub use conv::{ConvShape, conv2d, conv2d_input_gradient, conv2d_weight_gradient};
pub use elementwise::{Binary, affine, binary};
pub use fir::{Fir, upfirdn2d};
pub use memory::{recycle, release};
pub use reduce::{mul_sum_to, sum_to};
