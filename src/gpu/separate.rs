//! A second device on the same adapter, for work whose failure shall not reach the window.
//!
//! A device that is lost takes with it everything that was made on it: textures, weights, the window itself. Training
//! asks the most of a driver, so it gets handles of its own -- memory, queue and runtime thread -- and the explorer
//! survives it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use burn::tensor::{Device, Tensor};
use burn_wgpu::WgpuSetup;

use super::{
    device::{Compute, DeviceError},
    readback,
};
use crate::base::{mailbox::lock, worker::catch};

/// The separate device beside one that the window uses: made when it is first asked for. Clones share it.
#[derive(Debug, Clone)]
pub struct SeparateDevice {
    beside: Compute,
    made: Arc<Mutex<Option<Compute>>>,
    /// Whether something failed that may have been the device's fault.
    suspect: Arc<AtomicBool>,
}

impl SeparateDevice {
    /// Nothing is made yet.
    pub fn new(beside: Compute) -> Self {
        Self { beside, made: Arc::default(), suspect: Arc::default() }
    }

    /// The device; a new one if it is under suspicion and does not compute any more. Takes a while: not for the window's
    /// thread.
    ///
    /// # Errors
    /// [`DeviceError::Start`] if the driver refuses another device.
    pub fn get(&self) -> Result<Compute, DeviceError> {
        let mut made = lock(&self.made);
        let suspect = self.suspect.swap(false, Ordering::Relaxed);
        if let Some(compute) = made.as_ref().filter(|compute| !suspect || computes(compute)) {
            return Ok(compute.clone());
        }
        let compute = separate(&self.beside)?;
        *made = Some(compute.clone());
        Ok(compute)
    }

    /// Has the device tried before it is used again.
    pub fn suspect(&self) {
        self.suspect.store(true, Ordering::Relaxed);
    }
}

fn computes(compute: &Compute) -> bool {
    let sum = catch(|| readback::values(Tensor::<1>::ones([2], &compute.device).mul_scalar(3.0)));
    matches!(sum, Ok(Ok(values)) if values == [3.0; 2])
}

/// A new device on the adapter of `compute`, with the same features and limits. The CPU has no handles that could be
/// lost, and is given back as it is.
///
/// The runtime keeps each for the rest of the program: use one again for as long as it works.
///
/// # Errors
/// [`DeviceError::Start`] if the driver refuses another device.
pub fn separate(compute: &Compute) -> Result<Compute, DeviceError> {
    let Some(shared) = &compute.shared else { return Ok(compute.clone()) };
    let failed = |message| DeviceError::Start { name: compute.name.clone(), message };
    let (device, setup) = catch(|| request(shared)).map_err(failed)?.map_err(failed)?;
    Ok(Compute { device, shared: Some(setup), ..compute.clone() })
}

fn request(shared: &WgpuSetup) -> Result<(Device, WgpuSetup), String> {
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("training"),
        // The runtime looks at the adapter to see what it may use, so that the device must have all that the first has.
        required_features: shared.device.features(),
        required_limits: shared.device.limits(),
        memory_hints: wgpu::MemoryHints::MemoryUsage,
        experimental_features: experimental(),
        trace: wgpu::Trace::Off,
    };
    let (device, queue) =
        pollster::block_on(shared.adapter.request_device(&descriptor)).map_err(|error| error.to_string())?;
    let setup = WgpuSetup { device, queue, ..shared.clone() };
    let device = Device::wgpu_options().setup(setup.clone()).init().map_err(|error| error.to_string())?;
    Ok((device, setup))
}

#[allow(unsafe_code, reason = "the runtime's kernels may be compiled with features that wgpu calls experimental")]
fn experimental() -> wgpu::ExperimentalFeatures {
    // SAFETY: nothing beyond what the runtime asked for on the first device is enabled, and it alone uses this one.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::device::{DeviceChoice, select};

    #[test]
    fn the_cpu_is_its_own() {
        assert!(separate(&Compute::cpu()).unwrap().shared.is_none());
    }

    #[test]
    fn what_is_lost_on_one_device_is_lost_there_alone() {
        let first = match select(DeviceChoice::Software) {
            Ok(compute) => compute,
            Err(error) => return eprintln!("skipped: {error}"),
        };
        let separate = SeparateDevice::new(first.clone());
        let second = separate.get().unwrap();
        assert_ne!(first.device, second.device);
        assert!(computes(&second) && computes(&first));
        separate.suspect();
        assert_eq!(separate.get().unwrap().device, second.device, "it still computes");

        second.shared.as_ref().unwrap().device.destroy();
        assert!(!computes(&second), "a destroyed device computes nothing");
        assert!(computes(&first), "the other goes on");
        assert_eq!(separate.get().unwrap().device, second.device, "nobody has complained");
        separate.suspect();
        let third = separate.get().unwrap();
        assert_ne!(third.device, second.device);
        assert!(computes(&third));
    }
}
