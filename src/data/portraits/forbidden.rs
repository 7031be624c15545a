//! Combinations of factors that shall not occur, to see whether a generator invents them.

use std::str::FromStr;

use super::factors::Factors;

/// Values of discrete factors that never come together, e.g. long hair with a beard (figure 6 of the StyleGAN paper).
///
/// As text: conditions separated by commas, values of one factor by `|`:
/// `hair_style=long|wavy,beard=full|goatee`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forbidden {
    /// Factor and values, by their names. The combination is met when every condition is.
    conditions: Vec<(&'static str, Vec<usize>)>,
    text: String,
}

/// The text of a combination cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForbiddenError {
    /// No `factor=value`.
    #[error("`{0}` is not FACTOR=VALUE|VALUE,..., e.g. hair_style=long|wavy,beard=full")]
    Form(String),
    /// No such factor.
    #[error("there is no factor `{0}`; there are {1}")]
    Factor(String, String),
    /// No such value.
    #[error("`{factor}` has no value `{value}`; it has {names}")]
    Value {
        /// The factor.
        factor: &'static str,
        /// What was given.
        value: String,
        /// What there is.
        names: String,
    },
    /// It would leave nothing, or almost nothing.
    #[error("forbidding {0} leaves too few portraits: name fewer values")]
    TooMuch(String),
}

impl Forbidden {
    /// Whether a portrait has the combination.
    pub fn matches(&self, factors: &Factors) -> bool {
        let discrete = factors.discrete();
        self.conditions.iter().all(|(factor, values)| {
            discrete.iter().any(|found| found.factor == *factor && values.contains(&found.value))
        })
    }

    /// The text it came from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether these combinations together leave enough to draw from.
    ///
    /// # Errors
    /// [`ForbiddenError::TooMuch`] if of 512 portraits less than 8 are left.
    pub fn check(all: &[Self]) -> Result<(), ForbiddenError> {
        let left = (0..512).filter(|&i| !all.iter().any(|f| f.matches(&Factors::sample(0, i)))).count();
        if left >= 8 {
            return Ok(());
        }
        Err(ForbiddenError::TooMuch(all.iter().map(Self::text).collect::<Vec<_>>().join(" and ")))
    }
}

impl FromStr for Forbidden {
    type Err = ForbiddenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Factors::sample(0, 0).discrete();
        let mut conditions = Vec::new();
        for condition in text.split(',') {
            let form = || ForbiddenError::Form(condition.to_owned());
            let (name, values) = condition.trim().split_once('=').ok_or_else(form)?;
            let factor = known.iter().find(|factor| factor.factor == name).ok_or_else(|| {
                let names: Vec<_> = known.iter().map(|factor| factor.factor).collect();
                ForbiddenError::Factor(name.to_owned(), names.join(", "))
            })?;
            let mut numbers = Vec::new();
            for value in values.split('|') {
                let number = factor.names.iter().position(|name| *name == value);
                numbers.push(number.ok_or_else(|| ForbiddenError::Value {
                    factor: factor.factor,
                    value: value.to_owned(),
                    names: factor.names.join(", "),
                })?);
            }
            conditions.push((factor.factor, numbers));
        }
        Ok(Self { conditions, text: text.to_owned() })
    }
}
