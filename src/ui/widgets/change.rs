//! What a control hands back when the user moved it.

use egui::{Id, Ui};

use crate::session::GestureId;

/// A value that the user asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change<T> {
    /// The new value, already within the control's range.
    pub value: T,
    /// Set while the hand rests on the control: all changes of one gesture are one undo step.
    pub gesture: Option<GestureId>,
}

impl<T> Change<T> {
    /// A change that stands for itself, such as a click or a typed number.
    pub fn single(value: T) -> Self {
        Self { value, gesture: None }
    }

    /// The same change of another value.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Change<U> {
        Change { value: f(self.value), gesture: self.gesture }
    }
}

/// A gesture of the widget `id` that begins in this frame. Two gestures of one widget cannot begin in one frame, so
/// the widget and the frame tell all gestures apart.
pub(super) fn new_gesture(ui: &Ui, id: Id) -> GestureId {
    GestureId(id.with(ui.ctx().cumulative_pass_nr()).value())
}
