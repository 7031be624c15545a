//! Errors that a graphics device reports on its own, outside of any call's result.
//!
//! The compute runtime installs handlers that panic in whatever thread happens to make the call, the window's
//! included. Ours, installed after it, keeps the error instead, and whoever renders asks for it. The runtime's own
//! handler for a lost device stays: it makes every later computation fail with an error. What no handler can do is to
//! bring a lost device back: its textures and weights are gone, and the program has to be started again.

use std::sync::{Arc, Mutex};

use crate::base::mailbox::lock;

/// Something that went wrong on the device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceFault {
    /// The device's memory is full.
    #[error("the graphics device is out of memory ({0}): close other programs, or start with --device cpu")]
    OutOfMemory(String),
    /// The device is gone: a driver reset, a timeout, an unplugged card.
    #[error("the graphics device was lost ({0}): start the program again, with --device cpu if it happens often")]
    Lost(String),
    /// The driver or wgpu refused a call.
    #[error("the graphics device reported an error: {0}")]
    Refused(String),
}

impl DeviceFault {
    fn from_wgpu(error: &wgpu::Error) -> Self {
        let message = one_line(&error.to_string());
        match error {
            wgpu::Error::OutOfMemory { .. } => Self::OutOfMemory(message),
            // wgpu has no variant of its own for what is called on a device that is already lost.
            _ if message.contains("is lost") => Self::Lost(message),
            _ => Self::Refused(message),
        }
    }

    /// Whether only the window's surface was not ready, e.g. because a busy software driver takes seconds to become idle.
    fn is_of_surface(&self) -> bool {
        matches!(self, Self::Refused(message) if message.contains("Surface::configure"))
    }
}

/// Remembers the newest fault of a device until somebody asks. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct DeviceHealth(Arc<Mutex<Option<DeviceFault>>>);

impl DeviceHealth {
    /// Installs the handler on `device`, in place of the one it has.
    pub fn watch(device: &wgpu::Device) -> Self {
        let health = Self::default();
        let seen = health.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            let fault = DeviceFault::from_wgpu(&error);
            if fault.is_of_surface() {
                // It is no fault of the image that is being computed, and the window configures its surface anew.
                log::warn!("{fault}");
                return;
            }
            log::error!("{fault}");
            *lock(&seen.0) = Some(fault);
        }));
        health
    }

    /// The newest fault since the last call.
    pub fn take(&self) -> Option<DeviceFault> {
        lock(&self.0).take()
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surface_that_is_not_ready_is_no_fault_of_an_image() {
        let fault = |description: &str| {
            let source = Box::new(std::io::Error::other("a cause"));
            DeviceFault::from_wgpu(&wgpu::Error::Validation { source, description: description.to_owned() })
        };
        let busy =
            fault("Validation Error\n\nCaused by:\n  In Surface::configure\n    Failed to wait for GPU to come idle");
        assert!(busy.is_of_surface(), "{busy}");
        assert!(!fault("In Queue::submit, Buffer is destroyed").is_of_surface());
        assert!(!fault("In Surface::configure, Parent device is lost").is_of_surface());
    }
}
