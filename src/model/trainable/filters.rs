//! The resampling steps of StyleGAN2's networks, made once.

use burn::tensor::Device;

use crate::{
    grad::{Fir, Var},
    ops::{Filter, UpFirDn, modulated_conv, resample},
};

/// What a filter becomes at the places where the networks resample.
#[derive(Debug, Clone)]
pub(super) struct Filters {
    /// An image to twice its size.
    pub up: Fir,
    /// An image to half its size.
    pub down: Fir,
    /// After a 3x3 transposed convolution of stride 2.
    pub after_up: Fir,
    /// Before a 3x3 convolution of stride 2.
    pub before_down: Fir,
}

impl Filters {
    pub fn new(taps: &[f32], device: &Device) -> Self {
        let filter = Filter::separable(taps, device);
        let fir = |options| Fir { filter: filter.clone(), options };
        Self {
            up: fir(resample::upsampling(&filter)),
            down: fir(resample::downsampling(&filter)),
            after_up: fir(modulated_conv::smoothing(&filter, 3)),
            before_down: fir(resample::before_stride(&filter, 3)),
        }
    }
}

/// A blur that keeps the size; `None` for the single tap that does nothing.
pub(super) fn blur(taps: &[f32], device: &Device) -> Option<Fir> {
    let filter = Filter::separable(taps, device);
    (taps.len() > 1).then(|| Fir { options: resample::filtering(&filter), filter })
}

/// Every pixel becomes four equal ones.
pub(super) fn nearest_up(x: &Var) -> Var {
    let options = UpFirDn { up: 2, pad: [1, 0, 1, 0], gain: 4.0, ..Default::default() };
    x.fir(&Fir::new(&[1.0, 1.0], options, &x.device()))
}

/// Four pixels become their mean.
pub(super) fn average_down(x: &Var) -> Var {
    let options = UpFirDn { down: 2, ..Default::default() };
    x.fir(&Fir::new(&[1.0, 1.0], options, &x.device()))
}
