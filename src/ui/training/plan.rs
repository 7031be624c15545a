//! What the choices come to, worked out when they change: suggestions, what the training will take, or why it cannot be.

use super::form::{Classes, Refusal, TrainingForm, refusal};
use crate::{
    engine::{ModelId, ModelSummary},
    training::preflight::{Preflight, total_flops},
};

/// What the choices come to.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    key: (TrainingForm, Option<ModelId>, Classes),
    /// Numbers that the form leaves open.
    pub suggestions: Suggestions,
    /// What the training will take, or why it cannot be.
    pub outcome: Result<Takes, Refusal>,
}

/// Numbers that suit the other choices.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Suggestions {
    /// Weight of R1; 0 where the preset has none.
    pub gamma: f64,
    /// Learning rate.
    pub learning_rate: f64,
}

/// What a training will take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Takes {
    /// Parameters, operations of an image, memory.
    pub preflight: Preflight,
    /// Operations of the whole training.
    pub flops: f64,
}

impl Plan {
    /// Of these choices.
    pub fn of(form: &TrainingForm, open: Option<&ModelSummary>, classes: &Classes) -> Self {
        let suggestions = Suggestions { gamma: form.suggested_gamma(), learning_rate: form.suggested_learning_rate() };
        let outcome = form.config(open.map(|open| &open.config), classes).and_then(|config| {
            let preflight = Preflight::of(&config).map_err(|error| refusal(&error))?;
            Ok(Takes { preflight, flops: total_flops(&config) })
        });
        Self { key: (form.clone(), open.map(|open| open.id), classes.clone()), suggestions, outcome }
    }

    /// Whether it is of these choices.
    pub fn is_of(&self, form: &TrainingForm, open: Option<&ModelSummary>, classes: &Classes) -> bool {
        self.key.0 == *form && self.key.1 == open.map(|open| open.id) && self.key.2 == *classes
    }
}
