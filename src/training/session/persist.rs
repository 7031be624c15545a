//! What a training writes: lines of the history, grids, snapshots, checkpoints.

use std::{path::PathBuf, time::Instant};

use super::{
    EmaSnapshot, TrainEvent,
    run::{Next, Run},
};
use crate::{
    base::error_chain::error_chain,
    checkpoint::save_safetensors,
    training::{
        checkpoint_store::{self, SavedState},
        diagnosis,
        diversity::Reference,
        error::TrainError,
        history::{self, HistoryLine},
        preflight::flops_between,
        sample_grid::Sampler,
        trainer::{Progress, TrainerState},
    },
};

/// The moving average of the generator at one moment.
pub(super) struct Average {
    pub snapshot: EmaSnapshot,
    /// Draws its images.
    pub sampler: Sampler,
}

impl Run {
    /// Reads the losses of the tick, writes its line, and shows the moving average.
    pub(super) fn tick(&mut self, start: &(Instant, u64, f64)) -> Result<(), TrainError> {
        let &(began, nimg, waited) = start;
        let elapsed = began.elapsed().as_secs_f64();
        self.seconds += elapsed;
        let values = self.trainer.tick()?;
        if values.values().any(|value| !value.is_finite()) {
            return Err(self.not_finite());
        }
        let times = self.trainer.phase_times();
        let kimg = (self.progress.nimg - nimg) as f64 / 1000.0;
        let sec_per_kimg = elapsed / kimg.max(1e-9);
        let mut line = HistoryLine {
            nimg: self.progress.nimg,
            iteration: self.progress.iteration,
            seconds: self.seconds,
            values: values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        };
        let phases = [
            ("seconds_g", times.g),
            ("seconds_g_reg", times.g_reg),
            ("seconds_d", times.d),
            ("seconds_d_reg", times.d_reg),
            ("seconds_ema", times.ema),
            ("seconds_data", (self.waited() - waited).max(0.0)),
            ("sec_per_kimg", sec_per_kimg),
        ];
        line.values.extend(phases.map(|(name, value)| (name.to_owned(), value)));
        if let Some(diversity) = self.diversity()? {
            line.values.insert("diversity".to_owned(), diversity);
        }
        let path = self.folder.history();
        self.until_written(|_| history::append(&path, &line))?;
        let snapshot = self.average()?.snapshot.clone();
        self.shared.ema.put(snapshot);
        // By arithmetic: the resolution may have grown within the tick.
        let done = flops_between(&self.config, nimg, self.progress.nimg).max(1.0);
        let left = flops_between(&self.config, self.progress.nimg, self.config.total_images());
        let remaining = elapsed * left / done;
        self.outlet.tell(TrainEvent::Tick { line, sec_per_kimg, remaining });
        Ok(())
    }

    /// Writes what is due at the end of whole tick number `tick`: the grid, a snapshot, a checkpoint.
    pub(super) fn persist(&mut self, tick: u64) -> Result<(), TrainError> {
        let intervals = self.config.intervals;
        let due = |ticks: u32| tick.is_multiple_of(u64::from(ticks.max(1)));
        if due(intervals.sample_ticks) {
            self.sample()?;
        }
        if due(intervals.snapshot_ticks) && tick > 0 {
            let path = self.until_written(|run| run.snapshot())?;
            self.outlet.tell(TrainEvent::Snapshot(path));
        }
        if due(intervals.checkpoint_ticks) {
            self.checkpoint()?;
        }
        Ok(())
    }

    /// Writes the grid.
    pub(super) fn sample(&mut self) -> Result<(), TrainError> {
        let path = self.folder.sample(self.progress.nimg);
        self.until_written(|run| run.average()?.sampler.write(&path))?;
        self.outlet.tell(TrainEvent::Sample(path));
        Ok(())
    }

    pub(super) fn snapshot(&mut self) -> Result<PathBuf, TrainError> {
        let path = self.folder.snapshot(self.progress.nimg);
        let EmaSnapshot { nimg, config, weights } = &self.average()?.snapshot;
        let notes = [("training.nimg".to_owned(), nimg.to_string())];
        save_safetensors(&path, config, weights, &notes)?;
        Ok(path)
    }

    fn checkpoint(&mut self) -> Result<(), TrainError> {
        let TrainerState { arrays, scalars } = self.trainer.state()?;
        // What cannot be gone on from must not take the place of what can.
        if arrays.0.values().any(|array| array.data.iter().any(|value| !value.is_finite())) {
            return Err(self.not_finite());
        }
        let Progress { nimg, iteration } = self.progress;
        let state = SavedState { nimg, iteration, arrays, scalars };
        let folder = self.folder.checkpoints();
        let path = self.until_written(|_| checkpoint_store::save(&folder, &state))?;
        self.outlet.tell(TrainEvent::Checkpoint(path));
        Ok(())
    }

    /// Repeats `write` until it works: a disk that is full or a folder that is read-only pauses the training with its reason.
    fn until_written<T>(&mut self, mut write: impl FnMut(&mut Self) -> Result<T, TrainError>) -> Result<T, TrainError> {
        loop {
            match write(self) {
                Ok(value) => return Ok(value),
                Err(error) if is_of_the_disk(&error) => {
                    if self.listen(Some(Some(error_chain(&error))))? == Next::Stop {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The end, with a checkpoint and a snapshot of where it is.
    pub(super) fn end(&mut self, complete: bool) -> Result<(), TrainError> {
        self.checkpoint()?;
        if self.progress.nimg > 0 {
            let path = self.until_written(|run| run.snapshot())?;
            self.outlet.tell(TrainEvent::Snapshot(path));
            if complete {
                self.sample()?;
            }
        }
        self.outlet.tell_last(TrainEvent::Ended { nimg: self.progress.nimg, complete });
        Ok(())
    }

    fn not_finite(&self) -> TrainError {
        let nimg = self.progress.nimg;
        TrainError::NotFinite { nimg, advice: diagnosis::not_finite(&self.config, nimg).advice }
    }

    /// The moving average as it is now, read from the device once an iteration.
    fn average(&mut self) -> Result<&Average, TrainError> {
        let average = match self.average.take() {
            Some(average) => average,
            None => {
                let (config, weights) = self.trainer.ema()?;
                let sampler = Sampler::new(config.clone(), weights.clone())?;
                Average { snapshot: EmaSnapshot { nimg: self.progress.nimg, config, weights }, sampler }
            }
        };
        Ok(self.average.insert(average))
    }

    /// How varied the first images of the grid are, next to real ones; `None` where those cannot be compared.
    fn diversity(&mut self) -> Result<Option<f64>, TrainError> {
        let reference = match self.reference.take() {
            Some(reference) => reference,
            None => Reference::of(&self.dataset),
        };
        let diversity = reference.diversity(&self.average()?.sampler);
        self.reference = Some(reference);
        diversity
    }
}

/// Whether an error may go away by itself or by what the user does to the disk.
fn is_of_the_disk(error: &TrainError) -> bool {
    use TrainError::{Damaged, Folder, ModelFile, Read, Write};
    matches!(error, Write(_) | Folder { .. } | ModelFile(_) | Read { .. } | Damaged { .. })
}
