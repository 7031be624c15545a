//! The generator's image to a texture of the window.
//!
//! On a GPU a compute shader reads the tensor's own buffer and writes the texture: nothing leaves the device. The CPU
//! backend's values are quantised on the host and uploaded.

use burn::tensor::{Device, Tensor};

use crate::gpu::{
    kernel::{DisplayKernel, ImageBuffer},
    pair::{PairParams, PairView, common_size},
    quantize::{self, NotAnImage},
    readback::{self, ReadbackError},
    ring::{PresentedImage, TextureRing},
    shader,
};

/// Keep in sync with `PresentParams` in `present.wgsl`. Strides are in values.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct PresentParams {
    width: u32,
    height: u32,
    channels: u32,
    /// Channel, row and column.
    strides: [u32; 3],
    padding: [u32; 2],
}

/// Why an image could not be shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PresentError {
    /// The tensor has another shape than an image, or a size that the device cannot show.
    #[error(
        "a tensor of shape {shape:?} cannot be shown: it must be [1, C, H, W] with 1, 3 or 4 channels and at most {max} pixels a side"
    )]
    Shape {
        /// Its shape.
        shape: [usize; 4],
        /// The device's limit.
        max: u32,
    },
    /// Two images that are to be seen together are not of one kind.
    #[error("images of shape {a:?} and {b:?} cannot be compared: one has other channels than the other")]
    Pair {
        /// Shape of the first.
        a: [usize; 4],
        /// Shape of the second.
        b: [usize; 4],
    },
    /// The tensor lives on a device that the window does not share.
    #[error("the image lives on a device that the window does not share")]
    OtherDevice,
    /// The device failed.
    #[error("the image could not be handed to the window: {0}")]
    Device(String),
    /// The CPU backend failed.
    #[error(transparent)]
    Readback(#[from] ReadbackError),
    /// The values do not form an image.
    #[error(transparent)]
    NotAnImage(#[from] NotAnImage),
}

/// Fills textures with images. Belongs to one thread.
#[derive(Debug)]
pub struct Presenter {
    device: wgpu::Device,
    queue: wgpu::Queue,
    /// Made with the first image that comes from a GPU: the CPU backend's images need none of it.
    kernel: Option<DisplayKernel>,
    /// Made with the first two images that do.
    pair_kernel: Option<DisplayKernel>,
    ring: TextureRing,
    /// Apart, so that the full images' textures stay.
    previews: TextureRing,
    /// Of two images side by side.
    pairs: TextureRing,
}

impl Presenter {
    /// A presenter for textures on the window's device.
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        Self {
            device: device.clone(),
            queue: queue.clone(),
            kernel: None,
            pair_kernel: None,
            ring: TextureRing::default(),
            previews: TextureRing::default(),
            pairs: TextureRing::default(),
        }
    }

    /// Puts an image into a texture that nobody shows.
    ///
    /// # Shapes
    /// `image`: `[1, C, H, W]`, C = 1 (grey), 3 (RGB) or 4 (RGBA), nominal range -1..=1, any strides.
    ///
    /// # Errors
    /// [`PresentError`] if the shape does not fit, the tensor is on another GPU, or its device failed.
    pub fn present(&mut self, image: Tensor<4>) -> Result<PresentedImage, PresentError> {
        let size = self.size(&image)?;
        let target = self.ring.next(&self.device, size);
        self.fill(target, image)
    }

    /// The same for a smaller image that is shown until the full one is there.
    ///
    /// # Errors
    /// As [`Presenter::present`].
    pub fn present_preview(&mut self, image: Tensor<4>) -> Result<PresentedImage, PresentError> {
        let size = self.size(&image)?;
        let target = self.previews.next(&self.device, size);
        self.fill(target, image)
    }

    /// Puts two images into one texture, `a` on the left; the smaller one is enlarged.
    ///
    /// # Errors
    /// As [`Presenter::present`], and if they have different channels.
    pub fn present_pair(&mut self, a: Tensor<4>, b: Tensor<4>, view: PairView) -> Result<PresentedImage, PresentError> {
        let (of_a, of_b) = (a.dims(), b.dims());
        if of_a[..2] != of_b[..2] {
            return Err(PresentError::Pair { a: of_a, b: of_b });
        }
        let (size_a, size_b) = (self.size(&a)?, self.size(&b)?);
        let size = common_size(size_a, size_b);
        let (both, max) = (view.size(size), self.device.limits().max_texture_dimension_2d);
        if both.iter().any(|side| *side > max) {
            return Err(PresentError::Shape { shape: if size == size_a { of_a } else { of_b }, max });
        }
        let target = self.pairs.next(&self.device, both);
        let channels = of_a[1];
        if a.device() == Device::flex() {
            let bytes = |image, [width, height]: [u32; 2]| {
                let values = readback::values(image)?;
                Ok::<_, PresentError>(quantize::rgba8(&values, channels, height as usize, width as usize)?)
            };
            let (a, b) = (bytes(a, size_a)?, bytes(b, size_b)?);
            self.upload(&target.texture, &view.combine((&a, size_a), (&b, size_b)));
            return Ok(target);
        }
        let images = [ImageBuffer::new(a)?, ImageBuffer::new(b)?];
        let [strides_a, strides_b] = [images[0].strides()?, images[1].strides()?];
        let params = PairParams {
            size,
            channels: channels as u32,
            gap: view.gap(size[0]),
            size_a,
            size_b,
            gain: view.gain(),
            strides_a,
            strides_b,
            padding: 0,
        };
        let kernel = self.pair_kernel.get_or_insert_with(|| {
            DisplayKernel::new(&self.device, "pair.wgsl", shader::pair(), 2, size_of::<PairParams>())
        });
        kernel.run((&self.device, &self.queue), bytemuck::bytes_of(&params), &images, &target.texture)?;
        Ok(target)
    }

    /// Width and height of an image that can be shown.
    fn size(&self, image: &Tensor<4>) -> Result<[u32; 2], PresentError> {
        let shape = image.dims();
        let max = self.device.limits().max_texture_dimension_2d;
        let side = |n: usize| u32::try_from(n).ok().filter(|n| (1..=max).contains(n));
        match (shape, side(shape[2]), side(shape[3])) {
            ([1, 1 | 3 | 4, _, _], Some(height), Some(width)) => Ok([width, height]),
            _ => Err(PresentError::Shape { shape, max }),
        }
    }

    fn fill(&mut self, target: PresentedImage, image: Tensor<4>) -> Result<PresentedImage, PresentError> {
        let [_, channels, height, width] = image.dims();
        if image.device() == Device::flex() {
            let bytes = quantize::rgba8(&readback::values(image)?, channels, height, width)?;
            self.upload(&target.texture, &bytes);
        } else {
            self.dispatch(&target.texture, image)?;
        }
        Ok(target)
    }

    fn upload(&self, texture: &wgpu::Texture, bytes: &[u8]) {
        let layout =
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(texture.width() * 4), rows_per_image: None };
        // Goes out with the window's next submission, in front of what draws it. A submission of its own would make the
        // render thread wait for the window's drawing where that is slow.
        self.queue.write_texture(texture.as_image_copy(), bytes, layout, texture.size());
    }

    fn dispatch(&mut self, texture: &wgpu::Texture, image: Tensor<4>) -> Result<(), PresentError> {
        let [_, channels, _, _] = image.dims();
        let image = ImageBuffer::new(image)?;
        let params = PresentParams {
            width: texture.width(),
            height: texture.height(),
            channels: channels as u32,
            strides: image.strides()?,
            padding: [0; 2],
        };
        let kernel = self.kernel.get_or_insert_with(|| {
            DisplayKernel::new(&self.device, "present.wgsl", shader::present(), 1, size_of::<PresentParams>())
        });
        kernel.run((&self.device, &self.queue), bytemuck::bytes_of(&params), &[image], texture)
    }
}
