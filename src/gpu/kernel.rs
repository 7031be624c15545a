//! A compiled display shader that reads image tensors where they lie and writes a texture.

use burn::{
    cubecl::wgpu::{AutoCompiler, WgpuServer},
    tensor::Tensor,
};
use burn_wgpu::{CubeBackend, CubeTensor, Wgpu};

use crate::gpu::present::PresentError;

/// Side of a workgroup in pixels. Keep in sync with the shaders.
const TILE: u32 = 8;

/// A shader with the bindings of every display shader: 0 its parameters, then the images' buffers, then the texture.
#[derive(Debug)]
pub(super) struct DisplayKernel {
    label: &'static str,
    layout: wgpu::BindGroupLayout,
    pipeline: wgpu::ComputePipeline,
    params: wgpu::Buffer,
}

/// An image tensor of the shared device.
pub(super) struct ImageBuffer(CubeTensor);

impl ImageBuffer {
    /// # Errors
    /// [`PresentError::OtherDevice`] if the window does not share the tensor's device.
    pub fn new(image: Tensor<4>) -> Result<Self, PresentError> {
        let fused = image.try_into_primitive::<Wgpu>().map_err(|_| PresentError::OtherDevice)?;
        Ok(Self(fused.client.clone().resolve_tensor_float::<CubeBackend>(fused)))
    }

    /// Values from one channel, row and column to the next.
    ///
    /// # Errors
    /// [`PresentError::Device`] for strides that no shader can take.
    pub fn strides(&self) -> Result<[u32; 3], PresentError> {
        let strides = self.0.meta.strides();
        let stride = |axis: usize| {
            let stride = strides.get(axis).copied().and_then(|stride| u32::try_from(stride).ok());
            stride.ok_or_else(|| PresentError::Device("the tensor's strides are out of range".to_owned()))
        };
        Ok([stride(1)?, stride(2)?, stride(3)?])
    }
}

impl DisplayKernel {
    /// Compiles `source` for `images` images; `params_size` bytes of parameters.
    pub fn new(device: &wgpu::Device, label: &'static str, source: String, images: u32, params_size: usize) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(label),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let mut entries = vec![buffer(0, wgpu::BufferBindingType::Uniform)];
        entries.extend((1..=images).map(|at| buffer(at, wgpu::BufferBindingType::Storage { read_only: true })));
        entries.push(wgpu::BindGroupLayoutEntry {
            binding: images + 1,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::StorageTexture {
                access: wgpu::StorageTextureAccess::WriteOnly,
                format: wgpu::TextureFormat::Rgba8Unorm,
                view_dimension: wgpu::TextureViewDimension::D2,
            },
            count: None,
        });
        let layout =
            device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor { label: Some(label), entries: &entries });
        let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some(label),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(label),
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions::default(),
            cache: None,
        });
        let params = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: params_size as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self { label, layout, pipeline, params }
    }

    /// Runs the shader over every pixel of `texture`.
    ///
    /// # Errors
    /// [`PresentError::Device`] if the device failed.
    pub fn run(
        &self,
        (device, queue): (&wgpu::Device, &wgpu::Queue),
        params: &[u8],
        images: &[ImageBuffer],
        texture: &wgpu::Texture,
    ) -> Result<(), PresentError> {
        let failed = |error: &dyn std::fmt::Display| PresentError::Device(error.to_string());
        // Pins the allocations: without it the runtime may give a buffer to the next tensor before our submission.
        let pin = |ImageBuffer(tensor): &ImageBuffer| {
            tensor
                .client
                .get_resource::<WgpuServer<AutoCompiler>>(tensor.handle.clone())
                .map_err(|error| failed(&error))
        };
        let pinned = images.iter().map(pin).collect::<Result<Vec<_>, _>>()?;
        let view = texture.create_view(&wgpu::TextureViewDescriptor {
            label: Some(self.label),
            ..wgpu::TextureViewDescriptor::default()
        });
        let mut entries = vec![self.params.as_entire_binding()];
        entries.extend(pinned.iter().map(|pinned| pinned.resource().as_wgpu_bind_resource()));
        entries.push(wgpu::BindingResource::TextureView(&view));
        let entries: Vec<_> =
            (0..).zip(entries).map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource }).collect();
        let bindings = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(self.label),
            layout: &self.layout,
            entries: &entries,
        });
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(self.label) });
        {
            let mut pass = encoder
                .begin_compute_pass(&wgpu::ComputePassDescriptor { label: Some(self.label), timestamp_writes: None });
            pass.set_pipeline(&self.pipeline);
            pass.set_bind_group(0, &bindings, &[]);
            pass.dispatch_workgroups(texture.width().div_ceil(TILE), texture.height().div_ceil(TILE), 1);
        }
        queue.write_buffer(&self.params, 0, params);
        // The runtime gathers launches; those that make the images have to be in the queue before ours.
        for ImageBuffer(tensor) in images {
            tensor.client.flush().map_err(|error| failed(&error))?;
        }
        queue.submit([encoder.finish()]);
        Ok(())
    }
}

const fn buffer(binding: u32, ty: wgpu::BufferBindingType) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
        count: None,
    }
}
