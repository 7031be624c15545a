//! Minibatch standard deviation (Progressive GAN, arXiv 1710.10196, section 3, in StyleGAN's grouped form).

use crate::grad::Var;

/// Appends `features` channels that hold the standard deviation over strided groups; see [`crate::ops::minibatch_stddev()`].
///
/// # Panics
/// If the batch is no multiple of the group or the channels none of `features`.
pub(super) fn minibatch_stddev(x: &Var, group_size: Option<usize>, features: usize) -> Var {
    let [batch, channels, height, width] = x.dims();
    let group = group_size.map_or(batch, |size| size.min(batch));
    assert!(group > 0 && batch.is_multiple_of(group), "a batch of {batch} in groups of {group}");
    assert!(features > 0 && channels.is_multiple_of(features), "{channels} channels in {features} parts");
    let (groups, len) = (batch / group, channels / features * height * width);
    let y = x.reshape([group, groups, features, len]);
    let y = y.sub(&y.mean_to([1, groups, features, len]));
    let deviation = y.square().mean_to([1, groups, features, len]).affine(1.0, 1e-8).power(0.5);
    let deviation = deviation.mean_to([1, groups, features, 1]).fit([group, groups, features, height * width]);
    Var::cat(&[x.clone(), deviation.reshape([batch, features, height, width])], 1)
}
