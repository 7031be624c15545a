//! Affine maps of the plane and of colours, on the host.
//!
//! Sines and powers come from `libm`, so that they are the same on every platform.

/// `x -> linear x + offset` in `N` dimensions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine<const N: usize> {
    /// The rows of the linear part.
    pub linear: [[f64; N]; N],
    /// What is added.
    pub offset: [f64; N],
}

impl<const N: usize> Affine<N> {
    pub fn identity() -> Self {
        Self::stretch([1.0; N])
    }

    /// A factor on every axis.
    pub fn stretch(factors: [f64; N]) -> Self {
        let linear = std::array::from_fn(|i| std::array::from_fn(|j| if i == j { factors[i] } else { 0.0 }));
        Self { linear, offset: [0.0; N] }
    }

    pub fn translation(offset: [f64; N]) -> Self {
        Self { offset, ..Self::identity() }
    }

    pub fn linear(linear: [[f64; N]; N]) -> Self {
        Self { linear, offset: [0.0; N] }
    }

    /// First `inner`, then this.
    pub fn after(&self, inner: &Self) -> Self {
        let column = |j: usize| std::array::from_fn(|i| inner.linear[i][j]);
        let linear = std::array::from_fn(|i| std::array::from_fn(|j| dot(&self.linear[i], &column(j))));
        Self { linear, offset: self.of(inner.offset) }
    }

    /// Where `x` goes.
    pub fn of(&self, x: [f64; N]) -> [f64; N] {
        std::array::from_fn(|i| dot(&self.linear[i], &x) + self.offset[i])
    }
}

impl Affine<2> {
    /// The rotation that takes the x axis to (cos, sin).
    pub fn rotation(angle: f64) -> Self {
        let (sin, cos) = libm::sincos(angle);
        Self::linear([[cos, -sin], [sin, cos]])
    }
}

fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
