//! Bilinear sampling through an affine map a sample, and its transposed operation.
//!
//! Pixel centres are where cell `(i + 0.5) / len` of an axis lies, which in coordinates from -1 to 1 is
//! `(2 i + 1) / len - 1`. The maps are known on the host, so the four neighbours of every pixel are found there and the device
//! only gathers or scatters.

use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData};

use crate::grad::op::AffineMap;

/// The neighbours of a pixel that lie inside: index into the operand's plane, and share.
type Neighbours = [(u32, f32); 4];

/// Every sample of x [N, C, H, W] seen through its own map: [N, C, size].
///
/// # Panics
/// If there is not one map a sample.
pub fn warp(x: &Tensor<4>, maps: &[AffineMap], size: [usize; 2]) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    assert_eq!(maps.len(), batch, "one map a sample");
    let plane = size[0] * size[1];
    let tables: Vec<_> = maps.iter().map(|map| neighbours(map, [height, width], size)).collect();
    let flat = x.clone().reshape([batch, channels, height * width]);
    let mut sum: Option<Tensor<3>> = None;
    for corner in 0..4 {
        let (indices, shares) = corner_of(&tables, corner, [batch, channels, plane], &x.device());
        let part = flat.clone().gather(2, indices).mul(shares);
        sum = Some(match sum {
            Some(sum) => sum.add(part),
            None => part,
        });
    }
    sum.map_or_else(|| x.clone(), |sum| sum.reshape([batch, channels, size[0], size[1]]))
}

/// The transposed operation of [`warp`]: y [N, C, *] back to [N, C, size].
///
/// # Panics
/// If there is not one map a sample.
pub fn warp_transpose(y: &Tensor<4>, maps: &[AffineMap], size: [usize; 2]) -> Tensor<4> {
    let [batch, channels, height, width] = y.dims();
    assert_eq!(maps.len(), batch, "one map a sample");
    let plane = height * width;
    let tables: Vec<_> = maps.iter().map(|map| neighbours(map, size, [height, width])).collect();
    let flat = y.clone().reshape([batch, channels, plane]);
    let mut sum = Tensor::<3>::zeros([batch, channels, size[0] * size[1]], &y.device());
    for corner in 0..4 {
        let (indices, shares) = corner_of(&tables, corner, [batch, channels, plane], &y.device());
        sum = sum.scatter(2, indices, flat.clone().mul(shares), IndexingUpdateOp::Add);
    }
    sum.reshape([batch, channels, size[0], size[1]])
}

/// Indices and shares of one of the four neighbours of every pixel.
fn corner_of(
    tables: &[Vec<Neighbours>],
    corner: usize,
    [batch, channels, plane]: [usize; 3],
    device: &burn::tensor::Device,
) -> (Tensor<3, Int>, Tensor<3>) {
    let (mut indices, mut shares) = (Vec::with_capacity(batch * plane), Vec::with_capacity(batch * plane));
    for pixel in tables.iter().flatten() {
        let (index, share) = pixel[corner];
        indices.push(index as i32);
        shares.push(share);
    }
    let indices = Tensor::<3, Int>::from_data(TensorData::new(indices, [batch, 1, plane]), device);
    let shares = Tensor::<3>::from_data(TensorData::new(shares, [batch, 1, plane]), device);
    (indices.expand([batch, channels, plane]), shares)
}

/// For every pixel of a result of size `to`, its neighbours in an operand of size `from`. Those outside have no share.
fn neighbours(map: &AffineMap, from: [usize; 2], to: [usize; 2]) -> Vec<Neighbours> {
    let [height, width] = from;
    let mut table = Vec::with_capacity(to[0] * to[1]);
    for row in 0..to[0] {
        let y = (2 * row + 1) as f32 / to[0] as f32 - 1.0;
        for column in 0..to[1] {
            let x = (2 * column + 1) as f32 / to[1] as f32 - 1.0;
            let [source_x, source_y] = map.map(|[a, b, c]| a * x + b * y + c);
            let source_x = ((source_x + 1.0) * width as f32 - 1.0) * 0.5;
            let source_y = ((source_y + 1.0) * height as f32 - 1.0) * 0.5;
            let (left, top) = (source_x.floor(), source_y.floor());
            let (right_share, bottom_share) = (source_x - left, source_y - top);
            let neighbour = |dx: f32, dy: f32| {
                let (x, y) = (left + dx, top + dy);
                let share = if dx > 0.0 { right_share } else { 1.0 - right_share }
                    * if dy > 0.0 { bottom_share } else { 1.0 - bottom_share };
                let inside = x >= 0.0 && y >= 0.0 && x < width as f32 && y < height as f32;
                if inside { (y as u32 * width as u32 + x as u32, share) } else { (0, 0.0) }
            };
            table.push([neighbour(0.0, 0.0), neighbour(1.0, 0.0), neighbour(0.0, 1.0), neighbour(1.0, 1.0)]);
        }
    }
    table
}
