//! Everything of a trainer that changes, out and in again.

use std::collections::BTreeMap;

use super::Trainer;
use crate::{
    grad::Var,
    model::state_dict::{HostTensor, StateDict},
    training::{ada::AdaController, config::Ada, error::TrainError, optimizer::host},
};

/// Everything that a continued training needs, exactly.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrainerState {
    /// `G.*`, `D.*`, `G_ema.*`, `adam_g.m.*`, ...
    pub arrays: StateDict,
    /// `pl_mean`, `adam_g.steps`, `ada.p`, ...
    pub scalars: BTreeMap<String, f64>,
}

/// What phases report.
const REPORTS: [&str; 11] = [
    "loss_g",
    "loss_d",
    "pl_penalty",
    "path_length",
    "score_fake",
    "score_real",
    "sign_fake",
    "sign_real",
    "gradient_penalty",
    "r1",
    "r2",
];

impl Trainer {
    /// Everything that changes, to continue from.
    ///
    /// # Errors
    /// If the device cannot be read.
    pub fn state(&self) -> Result<TrainerState, TrainError> {
        let mut arrays = StateDict::default();
        for (prefix, params) in [("G", &self.g), ("D", &self.d), ("G_ema", &self.ema)] {
            arrays
                .0
                .extend(params.state_dict()?.0.into_iter().map(|(name, array)| (format!("{prefix}.{name}"), array)));
        }
        self.adam_g.save("adam_g", &mut arrays)?;
        self.adam_d.save("adam_d", &mut arrays)?;
        for (name, (sum, count)) in &self.sums {
            let data = host(name, sum.clone())?;
            arrays.0.insert(format!("sum.{name}"), HostTensor { shape: vec![1], data });
            arrays.0.insert(format!("count.{name}"), HostTensor { shape: vec![1], data: vec![*count as f32] });
        }
        let mut ada = self.ada;
        for signs in &self.signs {
            ada.observe(&host("the signs of the discriminator", signs.clone())?);
        }
        let scalars = BTreeMap::from([
            ("ada.p".to_owned(), ada.p),
            ("ada.sign_sum".to_owned(), ada.sign_sum),
            ("ada.sign_count".to_owned(), ada.sign_count as f64),
            ("pl_mean".to_owned(), f64::from(self.pl_mean)),
            ("adam_g.steps".to_owned(), self.adam_g.steps as f64),
            ("adam_d.steps".to_owned(), self.adam_d.steps as f64),
            ("resolution".to_owned(), self.resolution.unwrap_or(0) as f64),
            ("lod".to_owned(), f64::from(self.lod.unwrap_or(0.0))),
        ]);
        Ok(TrainerState { arrays, scalars })
    }

    /// Goes on from a state of the same configuration.
    ///
    /// # Errors
    /// If something is missing or of another shape; the trainer must not be used then.
    pub fn restore(&mut self, state: &TrainerState) -> Result<(), TrainError> {
        let part = |prefix: &str| {
            let prefix = format!("{prefix}.");
            let own = state
                .arrays
                .0
                .iter()
                .filter_map(|(name, array)| Some((name.strip_prefix(&prefix)?.to_owned(), array.clone())));
            StateDict(own.collect())
        };
        for (prefix, params) in [("G", &mut self.g), ("D", &mut self.d), ("G_ema", &mut self.ema)] {
            let copied = params.copy_from(&part(prefix), &self.device)?;
            if copied != params.0.len() {
                let what = format!("{prefix} has {copied} of {} arrays", params.0.len());
                return Err(TrainError::State(what));
            }
        }
        let scalar =
            |name: &str| state.scalars.get(name).copied().ok_or_else(|| TrainError::State(format!("it has no {name}")));
        self.adam_g.restore("adam_g", &state.arrays, &self.g, scalar("adam_g.steps")? as u64, &self.device)?;
        self.adam_d.restore("adam_d", &state.arrays, &self.d, scalar("adam_d.steps")? as u64, &self.device)?;
        self.pl_mean = scalar("pl_mean")? as f32;
        let resolution = scalar("resolution")? as usize;
        self.resolution = (resolution > 0).then_some(resolution);
        if self.config.growing.is_some() {
            self.lod = Some(scalar("lod")? as f32);
        }
        self.signs.clear();
        self.ada = AdaController::new(&self.config.ada);
        if let Ada::Adaptive { .. } = self.config.ada {
            // A run that began without augmentation may not have them.
            let number = |name: &str| state.scalars.get(name).copied().unwrap_or(0.0);
            let sign_count = number("ada.sign_count") as u64;
            self.ada = AdaController { p: number("ada.p"), sign_sum: number("ada.sign_sum"), sign_count };
        }
        self.sums.clear();
        for name in REPORTS {
            let find = |prefix: &str| state.arrays.0.get(&format!("{prefix}.{name}")).and_then(|x| x.data.first());
            if let (Some(&sum), Some(&count)) = (find("sum"), find("count")) {
                let sum = Var::scalar(sum, &self.device).value().clone();
                self.sums.insert(name, (sum, count as u64));
            }
        }
        Ok(())
    }
}
