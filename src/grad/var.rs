//! A tensor that knows where it came from.

use std::{
    cell::Cell,
    fmt,
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering},
};

use burn::tensor::{Device, Tensor, TensorData};

use super::{op::Op, primitive};

/// Lengths of the four axes.
pub type Dims = [usize; 4];

/// A tensor in a graph of operations. Clones are the same node. Belongs to one thread.
#[derive(Clone)]
pub struct Var(Rc<Node>);

struct Node {
    value: Tensor<4>,
    /// Rises from parents to children.
    id: u64,
    /// Whether gradients flow through or end here.
    tracked: bool,
    /// Missing in leaves.
    op: Option<Op>,
}

impl Drop for Node {
    fn drop(&mut self) {
        #[cfg(test)]
        if self.op.is_some() {
            super::tally::free(&self.value);
        }
        if self.value.device() == Device::flex() {
            primitive::recycle(self.value.extract());
        }
    }
}

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(true) };
}

/// Runs `f` without building a graph: its results are constants.
pub fn no_graph<T>(f: impl FnOnce() -> T) -> T {
    recording(false, f)
}

/// Runs `f` with a graph even within [`no_graph`]: a thread of a pool that waits for others may take up a piece of work that has
/// nothing to do with what it is in the middle of.
pub fn with_graph<T>(f: impl FnOnce() -> T) -> T {
    recording(true, f)
}

fn recording<T>(records: bool, f: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            RECORDING.set(self.0);
        }
    }
    let _restore = Restore(RECORDING.replace(records));
    f()
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Var {
    /// A leaf of which gradients are wanted.
    pub fn parameter(value: Tensor<4>) -> Self {
        Self(Rc::new(Node { value, id: next_id(), tracked: true, op: None }))
    }

    /// A leaf without gradients.
    pub fn constant(value: Tensor<4>) -> Self {
        Self(Rc::new(Node { value, id: next_id(), tracked: false, op: None }))
    }

    /// A constant from values in row-major order.
    ///
    /// # Panics
    /// If their number is not that of `dims`.
    pub fn from_values(values: Vec<f32>, dims: Dims, device: &Device) -> Self {
        Self::constant(Tensor::from_data(TensorData::new(values, dims), device))
    }

    /// A constant of one value.
    pub fn scalar(value: f32, device: &Device) -> Self {
        Self::from_values(vec![value], [1; 4], device)
    }

    /// The result of `op`.
    pub(super) fn of(op: Op) -> Self {
        let value = op.value();
        #[cfg(test)]
        super::tally::count(&op, &value);
        if RECORDING.get() && op.parents().iter().any(|parent| parent.is_tracked()) {
            #[cfg(test)]
            super::tally::keep(&value);
            Self(Rc::new(Node { value, id: next_id(), tracked: true, op: Some(op) }))
        } else {
            Self::constant(value)
        }
    }

    /// The tensor.
    pub fn value(&self) -> &Tensor<4> {
        &self.0.value
    }

    /// Lengths of the axes.
    pub fn dims(&self) -> Dims {
        self.0.value.dims()
    }

    /// Where the tensor lives.
    pub fn device(&self) -> Device {
        self.0.value.device()
    }

    /// The same values as a constant.
    pub fn detach(&self) -> Self {
        Self::constant(self.0.value.clone())
    }

    /// Whether gradients flow through or end here.
    pub fn is_tracked(&self) -> bool {
        self.0.tracked
    }

    pub(super) fn id(&self) -> u64 {
        self.0.id
    }

    pub(super) fn op(&self) -> Option<&Op> {
        self.0.op.as_ref()
    }
}

impl fmt::Debug for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Var#{}{:?}{}", self.0.id, self.dims(), if self.0.tracked { "" } else { " constant" })
    }
}
