// Two images, each in its tensor's own buffer, to one texture: side by side, or by their difference. The smaller one is
// enlarged by whole pixels.
// `common.wgsl` stands in front of this file.

// Keep in sync with `PairParams` in src/gpu/pair.rs. Strides are in values.
struct PairParams {
    // What both are seen at.
    width: u32,
    height: u32,
    channels: u32,
    // Columns between two images side by side; not used for their difference.
    gap: u32,
    width_a: u32,
    height_a: u32,
    width_b: u32,
    height_b: u32,
    // Factor on the difference; 0 puts the images side by side.
    gain: f32,
    stride_channel_a: u32,
    stride_row_a: u32,
    stride_column_a: u32,
    stride_channel_b: u32,
    stride_row_b: u32,
    stride_column_b: u32,
    padding: u32,
}

@group(0) @binding(0) var<uniform> params: PairParams;
@group(0) @binding(1) var<storage, read> image_a: array<f32>;
@group(0) @binding(2) var<storage, read> image_b: array<f32>;
@group(0) @binding(3) var target_texture: texture_storage_2d<rgba8unorm, write>;

fn level_a(channel: u32, pixel: vec2<u32>) -> f32 {
    // The nearest pixel; keep in sync with `enlarged` in src/gpu/pair.rs.
    let at = pixel * vec2<u32>(params.width_a, params.height_a) / vec2<u32>(params.width, params.height);
    let index = channel * params.stride_channel_a + at.y * params.stride_row_a + at.x * params.stride_column_a;
    return level(image_a[index]);
}

fn level_b(channel: u32, pixel: vec2<u32>) -> f32 {
    let at = pixel * vec2<u32>(params.width_b, params.height_b) / vec2<u32>(params.width, params.height);
    let index = channel * params.stride_channel_b + at.y * params.stride_row_b + at.x * params.stride_column_b;
    return level(image_b[index]);
}

// A channel of the first image, or of the second: a buffer cannot be handed to a function.
fn level_of(second: bool, channel: u32, pixel: vec2<u32>) -> f32 {
    if (second) {
        return level_b(channel, pixel);
    }
    return level_a(channel, pixel);
}

fn color_of(second: bool, pixel: vec2<u32>) -> vec4<f32> {
    let first = level_of(second, 0u, pixel);
    if (params.channels == 1u) {
        return vec4<f32>(first, first, first, 255.0);
    }
    var color = vec4<f32>(first, level_of(second, 1u, pixel), level_of(second, 2u, pixel), 255.0);
    if (params.channels == 4u) {
        color.a = level_of(second, 3u, pixel);
    }
    return color;
}

// The color of a pixel of both images side by side; nothing stands in the gap.
fn beside(pixel: vec2<u32>) -> vec4<f32> {
    if (pixel.x < params.width) {
        return color_of(false, pixel);
    }
    if (pixel.x < params.width + params.gap) {
        return vec4<f32>(0.0, 0.0, 0.0, 0.0);
    }
    return color_of(true, vec2<u32>(pixel.x - params.width - params.gap, pixel.y));
}

// Of images with transparency, what is seen over black is compared.
fn difference(pixel: vec2<u32>) -> vec4<f32> {
    let a = color_of(false, pixel);
    let b = color_of(true, pixel);
    let distance = abs(b.rgb * b.a - a.rgb * a.a) / 255.0;
    return vec4<f32>(min(trunc(distance * params.gain + vec3<f32>(0.5)), vec3<f32>(255.0)), 255.0);
}

// Keep the size in sync with `TILE` in src/gpu/kernel.rs.
@compute @workgroup_size(8, 8, 1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let size = textureDimensions(target_texture);
    if (id.x >= size.x || id.y >= size.y) {
        return;
    }
    var color = vec4<f32>(0.0, 0.0, 0.0, 0.0);
    if (params.gain > 0.0) {
        color = difference(id.xy);
    } else {
        color = beside(id.xy);
    }
    textureStore(target_texture, id.xy, vec4<f32>(normalized(color.r), normalized(color.g), normalized(color.b), normalized(color.a)));
}
