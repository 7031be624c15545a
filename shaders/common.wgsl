// Parts that the display shaders share; put in front of each of them when it is compiled.

// The byte of one image value, as the official tools write it: trunc(x * 127.5 + 128), clamped to 0..255.
// Keep in sync with `level` in src/gpu/quantize.rs. A value that is not a number gives 0 there, so it does here; it is
// found by its bits, because shader compilers may assume that `x != x` never holds.
fn level(x: f32) -> f32 {
    let not_a_number = (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
    return select(clamp(trunc(x * 127.5 + 128.0), 0.0, 255.0), 0.0, not_a_number);
}

// A level as the normalised value whose stored byte is that level again.
fn normalized(level: f32) -> f32 {
    return level / 255.0;
}
