//! The generator's image to a texture of the window.
//!
//! On a GPU a compute shader reads the tensor's own buffer and writes the texture: nothing leaves the device. The CPU
//! backend's values are quantised on the host and uploaded.

use burn::{
    cubecl::wgpu::{AutoCompiler, WgpuServer},
    tensor::{Device, Tensor},
};
use burn_wgpu::{CubeBackend, Wgpu};

use crate::gpu::{
    quantize::{self, NotAnImage},
    readback::{self, ReadbackError},
    ring::{PresentedImage, TextureRing},
    shader,
};

/// Side of a workgroup in pixels. Keep in sync with `present.wgsl`.
const TILE: u32 = 8;

/// Keep in sync with `PresentParams` in `present.wgsl`. Strides are in values.
#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct PresentParams {
    width: u32,
    height: u32,
    channels: u32,
    stride_channel: u32,
    stride_row: u32,
    stride_column: u32,
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
    kernel: Option<PresentKernel>,
    ring: TextureRing,
    /// Apart, so that the full images' textures stay.
    previews: TextureRing,
}

/// The compiled shader and what it needs.
#[derive(Debug)]
struct PresentKernel {
    layout: wgpu::BindGroupLayout,
    pipeline: wgpu::ComputePipeline,
    params: wgpu::Buffer,
}

impl PresentKernel {
    fn new(device: &wgpu::Device) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("present.wgsl"),
            source: wgpu::ShaderSource::Wgsl(shader::present().into()),
        });
        let layout = device.create_bind_group_layout(&bind_group_layout());
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("present: pipeline layout"),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some("present: pipeline"),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let params = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("present: parameters"),
            size: size_of::<PresentParams>() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self { layout, pipeline, params }
    }
}

impl Presenter {
    /// A presenter for textures on the window's device.
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        Self {
            device: device.clone(),
            queue: queue.clone(),
            kernel: None,
            ring: TextureRing::default(),
            previews: TextureRing::default(),
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
        let failed = |error: &dyn std::fmt::Display| PresentError::Device(error.to_string());
        let kernel = self.kernel.get_or_insert_with(|| PresentKernel::new(&self.device));
        let fused = image.try_into_primitive::<Wgpu>().map_err(|_| PresentError::OtherDevice)?;
        let tensor = fused.client.clone().resolve_tensor_float::<CubeBackend>(fused);
        let strides = tensor.meta.strides();
        let stride = |axis: usize| {
            let stride = strides.get(axis).copied().and_then(|stride| u32::try_from(stride).ok());
            stride.ok_or_else(|| PresentError::Device("the tensor's strides are out of range".to_owned()))
        };
        let shape = tensor.meta.shape();
        let params = PresentParams {
            width: texture.width(),
            height: texture.height(),
            channels: shape.get(1).map_or(0, |&channels| channels as u32),
            stride_channel: stride(1)?,
            stride_row: stride(2)?,
            stride_column: stride(3)?,
            padding: [0; 2],
        };
        // Pins the allocation: without it the runtime may give the buffer to the next tensor before our submission.
        let pinned = tensor
            .client
            .get_resource::<WgpuServer<AutoCompiler>>(tensor.handle.clone())
            .map_err(|error| failed(&error))?;
        let view = texture.create_view(&wgpu::TextureViewDescriptor {
            label: Some("present: target"),
            ..wgpu::TextureViewDescriptor::default()
        });
        let bindings = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("present: bindings"),
            layout: &kernel.layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 0, resource: kernel.params.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 1, resource: pinned.resource().as_wgpu_bind_resource() },
                wgpu::BindGroupEntry { binding: 2, resource: wgpu::BindingResource::TextureView(&view) },
            ],
        });
        let mut encoder =
            self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("present: encoder") });
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some("present: pass"),
                timestamp_writes: None,
            });
            pass.set_pipeline(&kernel.pipeline);
            pass.set_bind_group(0, &bindings, &[]);
            pass.dispatch_workgroups(texture.width().div_ceil(TILE), texture.height().div_ceil(TILE), 1);
        }
        self.queue.write_buffer(&kernel.params, 0, bytemuck::bytes_of(&params));
        // The runtime gathers launches; those that make the image have to be in the queue before ours.
        tensor.client.flush().map_err(|error| failed(&error))?;
        self.queue.submit([encoder.finish()]);
        drop((pinned, tensor));
        Ok(())
    }
}

fn bind_group_layout() -> wgpu::BindGroupLayoutDescriptor<'static> {
    const fn buffer(binding: u32, ty: wgpu::BufferBindingType) -> wgpu::BindGroupLayoutEntry {
        wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        }
    }
    const ENTRIES: [wgpu::BindGroupLayoutEntry; 3] = [
        buffer(0, wgpu::BufferBindingType::Uniform),
        buffer(1, wgpu::BufferBindingType::Storage { read_only: true }),
        wgpu::BindGroupLayoutEntry {
            binding: 2,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::StorageTexture {
                access: wgpu::StorageTextureAccess::WriteOnly,
                format: wgpu::TextureFormat::Rgba8Unorm,
                view_dimension: wgpu::TextureViewDimension::D2,
            },
            count: None,
        },
    ];
    wgpu::BindGroupLayoutDescriptor { label: Some("present: layout"), entries: &ENTRIES }
}
