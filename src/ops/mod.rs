//! Operations of style-based networks on burn tensors; each custom kernel has a plain-tensor twin.
//!
//! Everything here is made of differentiable tensor operations, so the same functions serve the explorer and
//! training. Layout is NCHW, weights are OIHW. Shapes are asserted on entry: a wrong shape is a bug of the caller,
//! what comes from files is checked before it gets here.

pub mod adain;
pub mod bias_act;
pub mod cpu;
pub mod gpu;
pub mod minibatch_stddev;
pub mod modulated_conv;
pub mod normalize;
pub mod resample;
pub mod rgb_layer;
pub mod synthesis_layer;
pub mod upfirdn2d;

pub use adain::adain;
pub use bias_act::{Activation, bias_act, bias_act_reference};
pub use minibatch_stddev::minibatch_stddev;
pub use modulated_conv::{modulated_conv, modulated_conv_reference};
pub use normalize::normalize_second_moment;
pub use resample::{Resize, conv2d_resample, downsample2d, filter2d, upsample_nearest, upsample2d};
pub use rgb_layer::{rgb_layer, rgb_layer_reference};
pub use synthesis_layer::{LayerNoise, SynthesisLayer, synthesis_layer, synthesis_layer_reference};
pub use upfirdn2d::{Filter, UpFirDn, upfirdn2d, upfirdn2d_reference};

#[cfg(test)]
pub(crate) mod testing;
