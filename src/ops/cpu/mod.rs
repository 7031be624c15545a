//! The synthesis layers of StyleGAN2 and StyleGAN on the processor, for inference.
//!
//! A [`LayerKernel`] is a whole layer: style, 3x3 convolution (doubling the size or not), demodulation, noise, bias,
//! activation. It works on [`NhwcBuffer`]s with vectors over channels, by Winograd's minimal filtering for all but the
//! smallest images, so that most of the time goes to matrix products whose operands are in cache. The weights are
//! transformed once, when the layer is made; style and demodulation act on what flows in and out.
//!
//! [`reference`] is the same layer as the papers write it; the tests hold the two together on every instruction set.

pub mod batch;
mod buffer;
#[allow(clippy::needless_range_loop, reason = "the index also addresses what is not iterated over")]
mod direct;
mod epilogue;
mod filter;
mod layer;
#[allow(clippy::needless_range_loop, reason = "the index also addresses what is not iterated over")]
mod normalize;
mod product;
#[cfg(test)]
mod reference;
mod rgb;
mod runtime;
#[allow(unsafe_code, reason = "vector instructions have no safe interface")]
mod simd;
mod skip;
pub mod threads;
#[allow(clippy::needless_range_loop, reason = "the index also addresses what is not iterated over")]
mod upsample;
mod winograd;
mod workspace;

pub use buffer::{CHANNEL_ALIGNMENT, NhwcBuffer};
pub use epilogue::{Epilogue, NoiseStrength};
pub use filter::{Border, UpFilter};
pub use layer::LayerKernel;
pub use normalize::normalize;
pub use rgb::{Below, RgbKernel, RowImage};
pub use runtime::{KERNELS_VARIABLE, Runtime};
pub use simd::{InstructionSet, UnknownInstructionSet};
pub use skip::SkipKernel;
pub use threads::Threads;
pub use workspace::Workspace;
