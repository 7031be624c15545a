// The generator's image, in the tensor's own buffer, to the texture that the window shows.
// `common.wgsl` stands in front of this file.

// Keep in sync with `PresentParams` in src/gpu/present.rs. Strides are in values.
struct PresentParams {
    width: u32,
    height: u32,
    channels: u32,
    stride_channel: u32,
    stride_row: u32,
    stride_column: u32,
    padding_0: u32,
    padding_1: u32,
}

@group(0) @binding(0) var<uniform> params: PresentParams;
@group(0) @binding(1) var<storage, read> image: array<f32>;
@group(0) @binding(2) var target_texture: texture_storage_2d<rgba8unorm, write>;

fn channel_level(channel: u32, pixel: vec2<u32>) -> f32 {
    let index = channel * params.stride_channel + pixel.y * params.stride_row + pixel.x * params.stride_column;
    return level(image[index]);
}

// Keep the size in sync with `TILE` in src/gpu/kernel.rs.
@compute @workgroup_size(8, 8, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.width || id.y >= params.height) {
        return;
    }
    var color = vec4<f32>(0.0, 0.0, 0.0, 255.0);
    let first = channel_level(0u, id.xy);
    if (params.channels == 1u) {
        color = vec4<f32>(first, first, first, 255.0);
    } else {
        color = vec4<f32>(first, channel_level(1u, id.xy), channel_level(2u, id.xy), 255.0);
        if (params.channels == 4u) {
            color.a = channel_level(3u, id.xy);
        }
    }
    textureStore(target_texture, id.xy, vec4<f32>(normalized(color.r), normalized(color.g), normalized(color.b), normalized(color.a)));
}
