//! The sizes of a convolution.

/// A convolution of a batch: x `[N, I, H, W]`, weight `[O, I, k, k]`, y `[N, O, H', W']`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// N.
    pub batch: usize,
    /// I.
    pub inputs: usize,
    /// O.
    pub outputs: usize,
    /// H.
    pub height: usize,
    /// W.
    pub width: usize,
    /// k, 1 to 7.
    pub kernel: usize,
    /// Pixels from one output to the next, 1 or 2.
    pub stride: usize,
    /// Zeros added on every side.
    pub padding: usize,
}

impl ConvShape {
    /// H', `(H + 2 padding - k) / stride + 1`.
    ///
    /// # Panics
    /// If the padded image is smaller than the kernel.
    pub fn out_height(&self) -> usize {
        self.out(self.height)
    }

    /// W', as [`ConvShape::out_height`].
    ///
    /// # Panics
    /// If the padded image is smaller than the kernel.
    pub fn out_width(&self) -> usize {
        self.out(self.width)
    }

    fn out(&self, side: usize) -> usize {
        let padded = side + 2 * self.padding;
        assert!(padded >= self.kernel && self.kernel > 0 && self.stride > 0, "{self:?} has no output");
        (padded - self.kernel) / self.stride + 1
    }

    /// Values of x.
    pub fn x_len(&self) -> usize {
        self.batch * self.inputs * self.height * self.width
    }

    /// Values of y.
    pub fn y_len(&self) -> usize {
        self.batch * self.outputs * self.out_height() * self.out_width()
    }

    /// Values of the weight.
    pub fn weight_len(&self) -> usize {
        self.outputs * self.inputs * self.kernel * self.kernel
    }

    /// Floating-point operations of a direct convolution, or of one of its gradients: two for each product.
    pub fn operations(&self) -> usize {
        2 * self.y_len() * self.inputs * self.kernel * self.kernel
    }

    /// A fully connected layer: images of one pixel.
    pub(super) fn is_dense(&self) -> bool {
        [self.kernel, self.stride, self.height, self.width] == [1; 4] && self.padding == 0
    }

    pub(super) fn check(&self, what: &str, len: usize, expected: usize) {
        assert_eq!(len, expected, "{what} does not fit {self:?}");
    }
}
