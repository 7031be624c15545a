//! The one place that brings values back to the host, and the count of what came from a GPU.
//!
//! Saving an image and tests need it; frames do not. The count is kept by thread, so that the render thread can say
//! what its frames cost, whatever a job reads at the same time.

use std::{
    cell::Cell,
    sync::{
        atomic::{AtomicU64, Ordering},
        mpsc::channel,
    },
};

use burn::tensor::{Device, Tensor};

static TOTAL: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static THREAD: Cell<u64> = const { Cell::new(0) };
}

/// Bytes that the whole process mapped back from a GPU so far.
pub fn total_bytes() -> u64 {
    TOTAL.load(Ordering::Relaxed)
}

/// Bytes that the calling thread mapped back from a GPU so far.
pub fn thread_bytes() -> u64 {
    THREAD.get()
}

fn count(bytes: u64) {
    TOTAL.fetch_add(bytes, Ordering::Relaxed);
    THREAD.set(THREAD.get().saturating_add(bytes));
}

/// Why values could not be brought back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadbackError {
    /// The computation that leads to the tensor failed on its device.
    #[error("the computation failed on its device: {0}")]
    Compute(String),
    /// The texture could not be mapped.
    #[error("the texture could not be read: {0}")]
    Texture(String),
}

/// The values of a tensor in row-major order.
///
/// # Errors
/// [`ReadbackError::Compute`] if something on the way to the tensor failed.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, ReadbackError> {
    let on_host = tensor.device() == Device::flex();
    let data = tensor.try_into_data().map_err(|error| ReadbackError::Compute(error.to_string()))?;
    let values =
        data.convert::<f32>().try_into_vec::<f32>().map_err(|error| ReadbackError::Compute(error.to_string()))?;
    if !on_host {
        count(size_of_val(values.as_slice()) as u64);
    }
    Ok(values)
}

/// The bytes of an `Rgba8Unorm` texture, row by row without padding. Waits for the device.
///
/// # Errors
/// [`ReadbackError::Texture`] if the texture has another format, cannot be copied from, or cannot be mapped.
pub fn texture_rgba8(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    texture: &wgpu::Texture,
) -> Result<Vec<u8>, ReadbackError> {
    let failed = |message: &str| ReadbackError::Texture(message.to_owned());
    if texture.format() != wgpu::TextureFormat::Rgba8Unorm {
        return Err(failed("its format is not Rgba8Unorm"));
    }
    if !texture.usage().contains(wgpu::TextureUsages::COPY_SRC) {
        return Err(failed("it was not made to be copied from"));
    }
    let (row, height) = (texture.width() * 4, texture.height());
    let padded = row.next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("readback: texture"),
        size: u64::from(padded) * u64::from(height),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder =
        device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("readback: copy texture") });
    encoder.copy_texture_to_buffer(
        texture.as_image_copy(),
        wgpu::TexelCopyBufferInfo {
            buffer: &buffer,
            layout: wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(padded), rows_per_image: None },
        },
        texture.size(),
    );
    queue.submit([encoder.finish()]);
    let (mapped, done) = channel();
    buffer.map_async(wgpu::MapMode::Read, .., move |result| {
        // The receiver waits below; if it gave up, nobody wants to know.
        let _ = mapped.send(result);
    });
    device.poll(wgpu::PollType::wait_indefinitely()).map_err(|error| failed(&error.to_string()))?;
    done.recv().map_err(|_| failed("the device never answered"))?.map_err(|error| failed(&error.to_string()))?;
    let view = buffer.get_mapped_range(..).map_err(|error| failed(&error.to_string()))?;
    let bytes: Vec<u8> = view.chunks_exact(padded as usize).flat_map(|line| &line[..row as usize]).copied().collect();
    count(bytes.len() as u64);
    Ok(bytes)
}
