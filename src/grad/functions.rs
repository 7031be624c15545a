//! What can be done with a [`Var`].

use super::{
    op::{Act, AffineMap, ConvStep, Fir, Op},
    primitive::broadcast_dims,
    var::{Dims, Var},
};

impl Var {
    /// `self + other`, each broadcast to the other.
    ///
    /// # Panics
    /// Here and below, if the shapes do not agree.
    pub fn add(&self, other: &Var) -> Var {
        Var::of(Op::Add(self.clone(), other.clone()))
    }

    /// `self - other`, each broadcast to the other.
    pub fn sub(&self, other: &Var) -> Var {
        Var::of(Op::Sub(self.clone(), other.clone()))
    }

    /// `self * other`, each broadcast to the other.
    pub fn mul(&self, other: &Var) -> Var {
        self.mul_fit(other, broadcast_dims(self.dims(), other.dims()))
    }

    /// `self * other`, summed over the axes where `to` is 1 and repeated where the product's axis is 1.
    pub fn mul_fit(&self, other: &Var, to: Dims) -> Var {
        Var::of(Op::Mul(self.clone(), other.clone(), to))
    }

    /// Sums over the axes where `to` is 1, repeats along those where `self` is 1.
    pub fn fit(&self, to: Dims) -> Var {
        if self.dims() == to { self.clone() } else { Var::of(Op::Fit(self.clone(), to)) }
    }

    /// The sum of all values, [1, 1, 1, 1].
    pub fn sum(&self) -> Var {
        self.fit([1; 4])
    }

    /// The mean of all values, [1, 1, 1, 1].
    pub fn mean(&self) -> Var {
        self.mean_to([1; 4])
    }

    /// The mean over the axes where `to` is 1.
    pub fn mean_to(&self, to: Dims) -> Var {
        let count = self.dims().iter().zip(to).map(|(&len, to)| if to == 1 { len } else { 1 }).product::<usize>();
        self.fit(to).scale(1.0 / count as f32)
    }

    /// `self * factor + offset`.
    pub fn affine(&self, factor: f32, offset: f32) -> Var {
        Var::of(Op::Affine(self.clone(), factor, offset))
    }

    /// `self * factor`.
    pub fn scale(&self, factor: f32) -> Var {
        if factor == 1.0 { self.clone() } else { self.affine(factor, 0.0) }
    }

    /// `self^2`.
    pub fn square(&self) -> Var {
        self.mul(self)
    }

    /// `self^exponent` of positive values.
    pub fn power(&self, exponent: f32) -> Var {
        Var::of(Op::Power(self.clone(), exponent))
    }

    /// `ln(1 + e^self)`.
    pub fn softplus(&self) -> Var {
        Var::of(Op::Softplus(self.clone()))
    }

    /// The logistic function.
    pub fn sigmoid(&self) -> Var {
        Var::of(Op::Sigmoid(self.clone()))
    }

    /// The same values under other dims.
    pub fn reshape(&self, dims: Dims) -> Var {
        if self.dims() == dims { self.clone() } else { Var::of(Op::Reshape(self.clone(), dims)) }
    }

    /// The first two axes change places.
    pub fn swap(&self) -> Var {
        Var::of(Op::Swap(self.clone()))
    }

    /// `len` entries of an axis from `start` on.
    pub fn narrow(&self, axis: usize, start: usize, len: usize) -> Var {
        if start == 0 && len == self.dims()[axis] {
            return self.clone();
        }
        Var::of(Op::Narrow { x: self.clone(), axis, start, len })
    }

    /// Zeros around: an axis of `len` whose entries from `start` on are `self`.
    pub fn embed(&self, axis: usize, start: usize, len: usize) -> Var {
        Var::of(Op::Embed { x: self.clone(), axis, start, len })
    }

    /// The entries `indices` of an axis, in that order; one may occur often.
    ///
    /// # Panics
    /// If an index lies outside.
    pub fn take(&self, axis: usize, indices: &[u32]) -> Var {
        let len = self.dims()[axis];
        assert!(indices.iter().all(|&index| (index as usize) < len), "an index beyond the {len} entries of an axis");
        Var::of(Op::Take { x: self.clone(), axis, indices: indices.into() })
    }

    /// The image mirrored at its outermost pixels (which are not repeated), by this many pixels at the left, right, top and
    /// bottom. A margin wider than the image goes back and forth.
    pub fn reflect_pad(&self, [left, right, top, bottom]: [usize; 4]) -> Var {
        let mut padded = self.clone();
        for (axis, before, after) in [(2, top, bottom), (3, left, right)] {
            if before + after > 0 {
                padded = padded.take(axis, &reflected(self.dims()[axis], before, after));
            }
        }
        padded
    }

    /// One after the other along an axis.
    pub fn cat(parts: &[Var], axis: usize) -> Var {
        if let [part] = parts { part.clone() } else { Var::of(Op::Cat(parts.to_vec(), axis)) }
    }

    /// Cross-correlation with zero padding.
    ///
    /// # Shapes
    /// - self: [N, I, H, W], weight: [O, I, k, k]
    /// - output: [N, O, (H + 2 * padding - k) / stride + 1, ...]
    pub fn conv2d(&self, weight: &Var, stride: usize, padding: usize) -> Var {
        Var::of(Op::Conv { x: self.clone(), weight: weight.clone(), step: ConvStep { stride, padding } })
    }

    /// The transposed convolution: the gradient of [`Self::conv2d`] by an input of `size`.
    ///
    /// # Shapes
    /// - self: [N, O, H, W], weight: [O, I, k, k]
    /// - output: [N, I, size]
    pub fn conv_transpose2d(&self, weight: &Var, stride: usize, padding: usize, size: [usize; 2]) -> Var {
        let step = ConvStep { stride, padding };
        Var::of(Op::ConvTranspose { y: self.clone(), weight: weight.clone(), step, size })
    }

    /// A fully connected layer without bias.
    ///
    /// # Shapes
    /// - self: [N, I, 1, 1], weight: [O, I, 1, 1]
    /// - output: [N, O, 1, 1]
    pub fn linear(&self, weight: &Var) -> Var {
        self.conv2d(weight, 1, 0)
    }

    /// Resamples every channel by itself.
    pub fn fir(&self, fir: &Fir) -> Var {
        Var::of(Op::Fir { x: self.clone(), fir: fir.clone() })
    }

    /// `act(self + bias)`, the bias [1, C, 1, 1].
    pub fn bias_act(&self, bias: Option<&Var>, act: Act) -> Var {
        if bias.is_none() && act == Act::LINEAR {
            return self.clone();
        }
        Var::of(Op::BiasAct { x: self.clone(), bias: bias.cloned(), act })
    }

    /// Every sample seen through its own affine map (one a sample), bilinearly, with zeros outside.
    ///
    /// # Shapes
    /// - self: [N, C, H, W]
    /// - output: [N, C, size]
    pub fn warp(&self, maps: &[AffineMap], size: [usize; 2]) -> Var {
        assert_eq!(maps.len(), self.dims()[0], "one map a sample");
        Var::of(Op::Warp { x: self.clone(), maps: maps.into(), size })
    }
}

/// What lies where on an axis of `len` that is mirrored at its ends.
fn reflected(len: usize, before: usize, after: usize) -> Vec<u32> {
    let period = (2 * (len as isize - 1)).max(1);
    let mirror = |at: isize| {
        let at = at.rem_euclid(period);
        at.min(period - at).min(len as isize - 1) as u32
    };
    (-(before as isize)..(len + after) as isize).map(mirror).collect()
}
