//! Which device computes, and the wgpu handles that the window adopts from it.
//!
//! burn creates the wgpu instance, adapter, device and queue, and the window takes them over: only then can a
//! tensor's own buffer be read by the shader that fills the texture. Without a real GPU the CPU backend computes and
//! the window brings a device of its own.

use std::{
    collections::HashMap,
    sync::{Mutex, OnceLock},
};

use burn::{
    backend::DispatchDevice,
    cubecl::config::{CubeClRuntimeConfig, RuntimeConfig, autotune::AutotuneLevel},
    tensor::{Device, DeviceKind, FloatDType},
};
use burn_wgpu::WgpuSetup;

use crate::base::{mailbox::lock, worker::catch};

/// What the user asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, clap::ValueEnum)]
pub enum DeviceChoice {
    /// A real GPU where there is one, else the CPU.
    #[default]
    Auto,
    /// A real GPU (Vulkan, Metal or DirectX 12) or an error.
    Gpu,
    /// The CPU backend.
    Cpu,
    /// A Vulkan driver that runs on the CPU, such as lavapipe: slow, for tests.
    Software,
}

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ComputeKind {
    /// A real GPU.
    Gpu,
    /// The CPU backend.
    Cpu,
    /// A Vulkan driver that runs on the CPU.
    Software,
}

/// A device that is ready for tensors.
#[derive(Debug, Clone)]
pub struct Compute {
    /// burn's handle.
    pub device: Device,
    /// What it is.
    pub kind: ComputeKind,
    /// A name for people.
    pub name: String,
    /// The wgpu handles behind it, which the window has to adopt; `None` for the CPU backend.
    pub shared: Option<WgpuSetup>,
}

/// Why a device cannot be used. Every message says what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// `gpu` was asked for, and there is none.
    #[error(
        "no GPU was found (graphics adapters: {adapters}): install the vendor's Vulkan driver, or choose --device auto or cpu"
    )]
    NoGpu {
        /// What was found instead.
        adapters: String,
    },
    /// `software` was asked for, and there is no such driver.
    #[error(
        "no software Vulkan driver was found: install Mesa's lavapipe (Debian, Ubuntu: mesa-vulkan-drivers), or choose --device cpu"
    )]
    NoSoftware,
    /// The device is there and does not start.
    #[error("{name} could not be started ({message}): update its driver, or choose --device cpu")]
    Start {
        /// The device.
        name: String,
        /// What the driver said.
        message: String,
    },
}

impl Compute {
    /// The CPU backend.
    pub fn cpu() -> Self {
        Self { device: Device::flex(), kind: ComputeKind::Cpu, name: "CPU".to_owned(), shared: None }
    }

    /// Whether it can store values in 16 bits.
    pub fn has_half(&self) -> bool {
        has_half(&self.device)
    }
}

/// Whether kernels of our own may run on `device`: a GPU or its software driver, and nothing is recorded for gradients.
pub fn is_gpu(device: &Device) -> bool {
    matches!(device.as_dispatch(), DispatchDevice::Cube(_))
}

/// Whether kernels on `device` can store values in 16 bits.
pub fn has_half(device: &Device) -> bool {
    is_gpu(device) && device.supports_dtype(FloatDType::F16)
}

/// The device for `choice`. The same choice gives the same device again: burn can start each only once in a process.
///
/// # Errors
/// [`DeviceError`] if the device asked for is missing or does not start. [`DeviceChoice::Auto`] always finds one.
pub fn select(choice: DeviceChoice) -> Result<Compute, DeviceError> {
    match choice {
        DeviceChoice::Cpu => Ok(Compute::cpu()),
        DeviceChoice::Gpu => started(ComputeKind::Gpu),
        DeviceChoice::Software => started(ComputeKind::Software),
        DeviceChoice::Auto => Ok(started(ComputeKind::Gpu).unwrap_or_else(|error| {
            log::info!("computing on the CPU: {error}");
            Compute::cpu()
        })),
    }
}

/// Devices that were started before, and what came of it.
static STARTED: OnceLock<Mutex<HashMap<ComputeKind, Result<Compute, DeviceError>>>> = OnceLock::new();

fn started(kind: ComputeKind) -> Result<Compute, DeviceError> {
    // The lock is held while a device starts: Vulkan loaders crash when instances come and go on several threads.
    let mut started = lock(STARTED.get_or_init(Mutex::default));
    started.entry(kind).or_insert_with(|| start(kind)).clone()
}

fn start(kind: ComputeKind) -> Result<Compute, DeviceError> {
    let adapters = adapters();
    let wanted =
        |info: &wgpu::AdapterInfo| (info.device_type == wgpu::DeviceType::Cpu) == (kind == ComputeKind::Software);
    let missing = || match kind {
        ComputeKind::Software => DeviceError::NoSoftware,
        ComputeKind::Gpu | ComputeKind::Cpu => DeviceError::NoGpu { adapters: names(&adapters) },
    };
    let found = adapters.iter().find(|info| wanted(info)).ok_or_else(missing)?;
    let selector = match kind {
        ComputeKind::Software => DeviceKind::Cpu,
        ComputeKind::Gpu | ComputeKind::Cpu => DeviceKind::DefaultDevice,
    };
    if kind == ComputeKind::Software {
        tune_little();
    }
    let failed = |message| DeviceError::Start { name: found.name.clone(), message };
    let (device, setup) = catch(|| Device::wgpu_options().device_kind(selector).init_with_setup())
        .map_err(failed)?
        .map_err(|error| failed(error.to_string()))?;
    let info = setup.adapter.get_info();
    if !wanted(&info) {
        // An environment variable of the runtime can point its default at another adapter.
        return Err(missing());
    }
    Ok(Compute { device, kind, name: info.name, shared: Some(setup) })
}

/// Keeps the runtime from measuring every kernel there is for every shape: where each takes milliseconds to run and longer
/// to compile, that takes minutes before the first image and gains nothing.
fn tune_little() {
    let mut config = CubeClRuntimeConfig::default();
    config.autotune.level = AutotuneLevel::Minimal;
    if !CubeClRuntimeConfig::try_set(config.override_from_env()) {
        log::debug!("the runtime was configured before; its tuning stays as it is");
    }
}

/// The graphics adapters that the runtime could use.
fn adapters() -> Vec<wgpu::AdapterInfo> {
    let backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let descriptor = wgpu::InstanceDescriptor { backends, ..wgpu::InstanceDescriptor::new_without_display_handle() };
    let instance = wgpu::Instance::new(descriptor);
    pollster::block_on(instance.enumerate_adapters(backends)).iter().map(wgpu::Adapter::get_info).collect()
}

fn names(adapters: &[wgpu::AdapterInfo]) -> String {
    if adapters.is_empty() {
        return "none".to_owned();
    }
    adapters.iter().map(|info| info.name.as_str()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_never_computes_on_a_software_driver() {
        let compute = select(DeviceChoice::Auto).unwrap();
        assert_ne!(compute.kind, ComputeKind::Software);
        if let Some(shared) = &compute.shared {
            assert_ne!(shared.adapter.get_info().device_type, wgpu::DeviceType::Cpu);
        }
    }

    #[test]
    fn a_missing_gpu_is_an_error_with_a_remedy() {
        match select(DeviceChoice::Gpu) {
            Ok(compute) => assert_eq!(compute.kind, ComputeKind::Gpu),
            Err(error) => assert!(error.to_string().contains("--device"), "{error}"),
        }
    }

    #[test]
    fn the_same_choice_gives_the_same_device() {
        // Where the driver is missing both answers are the same error.
        let (first, second) = (select(DeviceChoice::Software), select(DeviceChoice::Software));
        match (first, second) {
            (Ok(first), Ok(second)) => {
                assert_eq!(first.shared.map(|setup| setup.device), second.shared.map(|setup| setup.device));
            }
            (first, second) => assert_eq!(first.err(), second.err()),
        }
    }
}
