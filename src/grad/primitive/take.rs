//! Entries of an axis by number, and the transposed operation.

use burn::tensor::{Device, IndexingUpdateOp, Int, Tensor, TensorData};

/// The entries `indices` of an axis, in that order.
pub fn take(x: &Tensor<4>, axis: usize, indices: &[u32]) -> Tensor<4> {
    x.clone().select(axis, on_device(indices, &x.device()))
}

/// Zeros of `len` along the axis, to which every entry of `y` is added at its index.
pub fn put_back(y: &Tensor<4>, axis: usize, indices: &[u32], len: usize) -> Tensor<4> {
    let mut dims = y.dims();
    dims[axis] = len;
    let zeros = Tensor::zeros(dims, &y.device());
    zeros.select_assign(axis, on_device(indices, &y.device()), y.clone(), IndexingUpdateOp::Add)
}

fn on_device(indices: &[u32], device: &Device) -> Tensor<1, Int> {
    let indices: Vec<i32> = indices.iter().map(|&index| index as i32).collect();
    let len = indices.len();
    Tensor::from_data(TensorData::new(indices, [len]), device)
}
