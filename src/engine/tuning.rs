//! Finds out which kernels are fastest for the layers of a model on this device, and remembers it on the disk.
//!
//! Measuring takes seconds, most of them for compiling, so it happens once for a shape on a device and driver. The file
//! is a cache: it may be deleted at any time, and one that cannot be read is measured anew.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::{
    base::{atomic_file::write_atomic, error_chain::error_chain, paths, regular_file::open_regular, worker::catch},
    gpu::device::{Compute, ComputeKind},
    ops::gpu::{Choice, LayerShape, choice},
};

/// The file in the folder of caches.
const FILE_NAME: &str = "gpu-kernels.json";
/// Longest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// By the text of a shape.
type Choices = BTreeMap<String, Choice>;

/// What lies on the disk.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct Stored {
    /// The program that measured: another version may have other kernels.
    program: String,
    /// By device and driver.
    devices: BTreeMap<String, Choices>,
}

/// Where a tuning is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuned {
    /// Layers that are done.
    pub done: usize,
    /// Layers in all.
    pub total: usize,
}

/// Tunes layers on one device. Clones share nothing but the file.
#[derive(Debug, Clone)]
pub struct Tuning {
    device: Device,
    /// The device and its driver, as the file names them.
    name: String,
    /// `None` where there is no folder for it.
    path: Option<PathBuf>,
}

impl Tuning {
    /// For a GPU; `None` for what is no GPU: on a software driver tuning takes minutes and gains nothing.
    pub fn of(compute: &Compute) -> Option<Self> {
        if compute.kind != ComputeKind::Gpu {
            return None;
        }
        let folder = paths::cache_dir().inspect_err(|error| log::warn!("tuning is not kept: {error}")).ok();
        Some(Self::in_folder(compute, folder.as_deref()))
    }

    /// For any device, with its file in `folder`.
    pub fn in_folder(compute: &Compute, folder: Option<&Path>) -> Self {
        let name = match &compute.shared {
            Some(shared) => {
                let info = shared.adapter.get_info();
                format!("{} | {:?} | {} {}", info.name, info.backend, info.driver, info.driver_info)
            }
            None => compute.name.clone(),
        };
        Self { device: compute.device.clone(), name, path: folder.map(|folder| folder.join(FILE_NAME)) }
    }

    /// Makes the choice for each of `shapes`: from the file, else by `measure`, which says how long one way takes. The
    /// file is written after every shape that was measured, so that nothing is lost when `cancelled` says so between
    /// two measurements.
    ///
    /// What cannot be measured is left to the rule of thumb, and is measured the next time.
    pub fn run(
        &self,
        shapes: &[LayerShape],
        mut measure: impl FnMut(&LayerShape, Choice) -> Result<Duration, String>,
        mut progress: impl FnMut(Tuned),
        cancelled: impl Fn() -> bool,
    ) {
        let mut new: Vec<LayerShape> = Vec::new();
        for shape in shapes {
            if choice::known(&self.device, shape).is_none() && !new.contains(shape) {
                new.push(*shape);
            }
        }
        if new.is_empty() {
            return;
        }
        let mut stored = self.load();
        let known = stored.devices.get(&self.name).cloned().unwrap_or_default();
        new.retain(|shape| match known.get(&shape.to_string()) {
            Some(found) => {
                choice::choose(&self.device, *shape, *found);
                false
            }
            None => true,
        });
        let total = new.len();
        for (done, shape) in new.into_iter().enumerate() {
            progress(Tuned { done, total });
            let Some(found) = fastest(&shape, &mut measure, &cancelled) else {
                if cancelled() {
                    return;
                }
                continue;
            };
            choice::choose(&self.device, shape, found);
            stored.devices.entry(self.name.clone()).or_default().insert(shape.to_string(), found);
            self.save(&stored);
        }
        if total > 0 {
            progress(Tuned { done: total, total });
        }
    }

    /// Whatever of the file can be used.
    fn load(&self) -> Stored {
        let program = env!("CARGO_PKG_VERSION").to_owned();
        let empty = Stored { program: program.clone(), ..Stored::default() };
        let Some(path) = &self.path else { return empty };
        match read(path) {
            Ok(stored) if stored.program == program => stored,
            Ok(_) => empty,
            Err(error) if error.kind() == io::ErrorKind::NotFound => empty,
            Err(error) => {
                log::warn!("{} is not used: {error}", path.display());
                empty
            }
        }
    }

    fn save(&self, stored: &Stored) {
        let Some(path) = &self.path else { return };
        let write = || {
            let text = serde_json::to_vec_pretty(stored).map_err(|error| error.to_string())?;
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(|error| error.to_string())?;
            }
            write_atomic(path, |file| file.write_all(&text)).map_err(|error| error_chain(&error))
        };
        if let Err(message) = write() {
            log::warn!("the tuning is not kept: {message}");
        }
    }
}

fn read(path: &Path) -> io::Result<Stored> {
    let Some((file, length)) = open_regular(path)? else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no regular file"));
    };
    if length > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too large"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// The fastest way to compute a layer; `None` if none could be measured, or it was given up.
fn fastest(
    shape: &LayerShape,
    measure: &mut impl FnMut(&LayerShape, Choice) -> Result<Duration, String>,
    cancelled: &impl Fn() -> bool,
) -> Option<Choice> {
    let mut best: Option<(Duration, Choice)> = None;
    for choice in Choice::ALL {
        if cancelled() {
            return None;
        }
        match catch(|| measure(shape, choice)).unwrap_or_else(Err) {
            Ok(time) => {
                log::debug!("{shape}: {choice:?} takes {:.3} ms", time.as_secs_f64() * 1e3);
                if best.is_none_or(|(shortest, _)| time < shortest) {
                    best = Some((time, choice));
                }
            }
            Err(message) => log::warn!("{shape} by {choice:?}: {message}"),
        }
    }
    best.map(|(_, choice)| choice)
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::ops::gpu::TileSize;

    /// Shapes that no other test has: the table of choices is one for the whole program.
    fn shape(inputs: usize) -> LayerShape {
        LayerShape { batch: 77, inputs, outputs: 3, size: [4, 4], kernel: 3, up: false, half: false }
    }

    fn tuning(folder: &Path, name: &str) -> Tuning {
        let compute = Compute { name: name.to_owned(), ..Compute::cpu() };
        Tuning::in_folder(&compute, Some(folder))
    }

    /// Medium tiles win.
    fn times(choice: Choice) -> Duration {
        Duration::from_millis(match choice {
            Choice::Tile(TileSize::Medium) => 2,
            Choice::Tile(TileSize::Small) => 3,
            _ => 4,
        })
    }

    /// Tunes and gives back what was measured and what was told.
    fn run(tuning: &Tuning, shapes: &[LayerShape]) -> (usize, Vec<Tuned>) {
        let (measured, told) = (Cell::new(0), RefCell::new(Vec::new()));
        tuning.run(
            shapes,
            |_, choice| {
                measured.set(measured.get() + 1);
                Ok(times(choice))
            },
            |tuned| told.borrow_mut().push(tuned),
            || false,
        );
        (measured.get(), told.into_inner())
    }

    #[test]
    fn choices_are_stored_and_taken_from_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("made");
        let tuning = tuning(&inner, "A");
        let shapes = [shape(1), shape(2), shape(1)];
        let (measured, told) = run(&tuning, &shapes);
        assert_eq!(measured, 2 * Choice::ALL.len(), "the same shape twice is measured once");
        assert_eq!(told.last(), Some(&Tuned { done: 2, total: 2 }));
        assert_eq!(choice::known(&tuning.device, &shape(2)), Some(Choice::Tile(TileSize::Medium)));
        assert_eq!(run(&tuning, &shapes).0, 0, "known in this process");
        // As after a new start: the file says which, whatever would be measured.
        let text = fs::read_to_string(inner.join(FILE_NAME)).unwrap();
        let renamed = text.replace(&shape(2).to_string(), &shape(3).to_string()).replace("medium", "large");
        fs::write(inner.join(FILE_NAME), renamed).unwrap();
        assert_eq!(run(&tuning, &[shape(3)]).0, 0);
        assert_eq!(choice::known(&tuning.device, &shape(3)), Some(Choice::Tile(TileSize::Large)));
    }

    #[test]
    fn devices_and_programs_do_not_share_choices() {
        let folder = tempfile::tempdir().unwrap();
        run(&tuning(folder.path(), "A"), &[shape(10)]);
        run(&tuning(folder.path(), "B"), &[shape(11)]);
        let path = folder.path().join(FILE_NAME);
        let stored = read(&path).unwrap();
        assert_eq!(stored.devices.keys().collect::<Vec<_>>(), ["A", "B"]);
        let old = Stored { program: "0.0.0".into(), ..stored };
        fs::write(&path, serde_json::to_vec(&old).unwrap()).unwrap();
        assert_eq!(tuning(folder.path(), "A").load().devices, BTreeMap::new());
    }

    #[test]
    fn a_damaged_file_is_measured_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        for (n, bytes) in [&b"{"[..], b"", &[0xff; 40], br#"{"program": 1, "devices": {}}"#].into_iter().enumerate() {
            fs::write(&path, bytes).unwrap();
            assert_eq!(run(&tuning(folder.path(), "A"), &[shape(20 + n)]).0, Choice::ALL.len());
            assert_eq!(read(&path).unwrap().devices["A"].len(), 1);
        }
        let huge = vec![b' '; MAX_FILE_BYTES as usize + 1];
        fs::write(&path, huge).unwrap();
        assert_eq!(run(&tuning(folder.path(), "A"), &[shape(29)]).0, Choice::ALL.len());
        // A folder in its place can be neither read nor written.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(run(&tuning(folder.path(), "A"), &[shape(30)]).0, Choice::ALL.len());
    }

    #[test]
    fn what_was_measured_before_a_cancellation_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let tuning = tuning(folder.path(), "A");
        let measured = Cell::new(0);
        let told = Cell::new(0);
        tuning.run(
            &[shape(40), shape(41), shape(42)],
            |_, choice| {
                measured.set(measured.get() + 1);
                Ok(times(choice))
            },
            |tuned| told.set(tuned.done),
            || measured.get() == Choice::ALL.len() + 1,
        );
        assert_eq!((measured.get(), told.get()), (Choice::ALL.len() + 1, 1));
        assert_eq!(tuning.load().devices["A"].len(), 1);
        assert_eq!(choice::known(&tuning.device, &shape(41)), None);
    }

    #[test]
    fn failures_leave_the_rule_of_thumb() {
        let folder = tempfile::tempdir().unwrap();
        let tuning = tuning(folder.path(), "A");
        let fail = |_: &LayerShape, choice: Choice| match choice {
            Choice::Tensors => Err("no memory".to_owned()),
            Choice::Tile(_) => panic!("the driver"),
        };
        tuning.run(&[shape(50)], fail, |_| {}, || false);
        assert_eq!(choice::known(&tuning.device, &shape(50)), None);
        assert!(!folder.path().join(FILE_NAME).exists());
        // One way that works is enough.
        let one = |_: &LayerShape, choice: Choice| match choice {
            Choice::Tensors => Ok(Duration::from_secs(9)),
            Choice::Tile(_) => Err("too large".to_owned()),
        };
        tuning.run(&[shape(50)], one, |_| {}, || false);
        assert_eq!(choice::known(&tuning.device, &shape(50)), Some(Choice::Tensors));
    }
}
