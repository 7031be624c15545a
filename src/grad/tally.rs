//! Counts the arithmetic of a thread's operations and the values that its graphs keep, for tests of what is estimated.

use std::cell::Cell;

use burn::tensor::Tensor;

use super::op::Op;

/// What a piece of work took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// Multiplications and additions of convolutions and fully connected layers.
    pub flops: u64,
    /// Values in graphs at this moment.
    pub kept: u64,
    /// The most there were.
    pub most_kept: u64,
}

thread_local! {
    static TALLY: Cell<Tally> = const { Cell::new(Tally { flops: 0, kept: 0, most_kept: 0 }) };
}

/// The tally of `work`, for which the thread should hold no graph from before.
pub(crate) fn tally(work: impl FnOnce()) -> Tally {
    TALLY.set(Tally::default());
    work();
    TALLY.take()
}

fn change(change: impl FnOnce(&mut Tally)) {
    let mut tally = TALLY.get();
    change(&mut tally);
    TALLY.set(tally);
}

fn len(value: &Tensor<4>) -> u64 {
    value.dims().iter().product::<usize>() as u64
}

pub(super) fn count(op: &Op, value: &Tensor<4>) {
    // Each value of the larger side of a convolution meets the kernel's values of its channel.
    let flops = match op {
        Op::Conv { weight, .. } => 2 * len(value) * len(weight.value()) / weight.dims()[0] as u64,
        Op::ConvTranspose { y, weight, .. } => 2 * len(y.value()) * len(weight.value()) / weight.dims()[0] as u64,
        Op::ConvWeight { y, .. } => 2 * len(y.value()) * len(value) / value.dims()[0] as u64,
        _ => 0,
    };
    change(|tally| tally.flops += flops);
}

pub(super) fn keep(value: &Tensor<4>) {
    change(|tally| {
        tally.kept += len(value);
        tally.most_kept = tally.most_kept.max(tally.kept);
    });
}

pub(super) fn free(value: &Tensor<4>) {
    change(|tally| tally.kept = tally.kept.saturating_sub(len(value)));
}
