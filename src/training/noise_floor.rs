//! A floor under the strength of the finest noise.
//!
//! Strengths begin at 0 and are learned (StyleGAN, arXiv 1812.04948, appendix A). In a training of some hundred thousand images they
//! stay there: a strength is worth its gradient only once the layers behind it put the noise where the images are random. With a
//! floor those layers learn to do so from the beginning.

use burn::tensor::Tensor;

use crate::model::trainable::{Params, in_block};

/// Names of the noise strengths that act on the finest two resolutions of images of `resolution` pixels: on texture, not on
/// shapes.
pub(super) fn fine_strengths<'a>(names: impl Iterator<Item = &'a str>, resolution: usize) -> Vec<String> {
    let fine = |(side, weight): (usize, &str)| side >= resolution / 2 && weight.ends_with(".noise_strength");
    names.filter(|name| in_block(name).is_some_and(fine)).map(str::to_owned).collect()
}

/// Moves every strength of these names that is closer to 0 than `floor` out to it, on its own side of 0.
pub(super) fn hold(params: &mut Params, names: &[String], floor: f64) {
    for name in names {
        if let Some(param) = params.0.get_mut(name) {
            param.value = held(param.value.clone(), floor);
        }
    }
}

fn held(value: Tensor<4>, floor: f64) -> Tensor<4> {
    let negative = value.clone().lower_elem(0.0);
    value.clone().clamp_min(floor).mask_where(negative, value.clamp_max(-floor))
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    #[test]
    fn the_finest_two_resolutions_are_held() {
        let names = [
            "mapping.fc0.weight",
            "synthesis.b16.conv1.noise_strength",
            "synthesis.b32.conv0.noise_strength",
            "synthesis.b32.conv0.noise_const",
            "synthesis.b64.conv1.noise_strength",
            "synthesis.b64.torgb.weight",
        ];
        let held = ["synthesis.b32.conv0.noise_strength", "synthesis.b64.conv1.noise_strength"];
        assert_eq!(fine_strengths(names.into_iter(), 64), held);
    }

    #[test]
    fn strengths_keep_their_side() {
        let value = Tensor::<4>::from_data([[[[0.5f32, 0.0, 0.01, -0.01, -0.5]]]], &Device::flex());
        let held = held(value, 0.125).try_into_vec_as::<f32>().unwrap();
        assert_eq!(held, [0.5, 0.125, 0.125, -0.125, -0.5]);
    }
}
