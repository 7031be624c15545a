//! Lists of numbers as the command line takes them: `0-3,85`.

use std::{collections::BTreeSet, ops::RangeInclusive, str::FromStr};

/// Numbers and ranges in the order in which they were given, e.g. `0-3,85`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberList(Vec<RangeInclusive<u32>>);

/// Why a list of numbers cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NumberListError {
    /// Neither a number nor a range.
    #[error("`{0}` is neither a number between 0 and 4294967295 nor a range of them (0-3,85)")]
    Number(String),
    /// A range that ends before it begins.
    #[error("the range `{0}` ends before it begins")]
    Backwards(String),
}

impl NumberList {
    /// How many numbers there are, repetitions included.
    pub fn len(&self) -> u64 {
        self.0.iter().map(|range| u64::from(range.end() - range.start()) + 1).sum()
    }

    /// Always false: a list names at least one number.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The numbers in order, without room for all of them at once.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().cloned().flatten()
    }

    /// The largest number.
    pub fn max(&self) -> u32 {
        self.0.iter().map(|range| *range.end()).max().unwrap_or(0)
    }

    /// The numbers as indices. Ask [`NumberList::max`] first: a list may be as long as its largest number.
    pub fn to_set(&self) -> BTreeSet<usize> {
        self.iter().map(|n| n as usize).collect()
    }
}

impl FromStr for NumberList {
    type Err = NumberListError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }
}

fn range(text: &str) -> Result<RangeInclusive<u32>, NumberListError> {
    let text = text.trim();
    let number = |part: &str| {
        let digits = part.trim();
        let valid = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let parsed = if valid { digits.parse().ok() } else { None };
        parsed.ok_or_else(|| NumberListError::Number(text.to_owned()))
    };
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (number(first)?, number(last)?),
        None => (number(text)?, number(text)?),
    };
    if last < first { Err(NumberListError::Backwards(text.to_owned())) } else { Ok(first..=last) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_keep_their_order() {
        let list: NumberList = "7, 0-3,85,2".parse().unwrap();
        assert_eq!(list.iter().collect::<Vec<_>>(), [7, 0, 1, 2, 3, 85, 2]);
        assert_eq!((list.len(), list.max()), (7, 85));
        assert_eq!(list.to_set(), BTreeSet::from([0, 1, 2, 3, 7, 85]));
        assert_eq!("0-4294967295".parse::<NumberList>().unwrap().len(), 1 << 32);
    }

    #[test]
    fn what_is_no_list_is_named() {
        for (text, named) in
            [("", "``"), ("1,,2", "``"), ("a", "`a`"), ("1-", "`1-`"), ("-1", "`-1`"), ("+1", "`+1`"), ("0.5", "`0.5`")]
        {
            let error = text.parse::<NumberList>().unwrap_err();
            assert!(matches!(&error, NumberListError::Number(_)) && error.to_string().contains(named), "{error}");
        }
        assert_eq!("4294967296".parse::<NumberList>(), Err(NumberListError::Number("4294967296".to_owned())));
        assert_eq!("5-3".parse::<NumberList>(), Err(NumberListError::Backwards("5-3".to_owned())));
    }
}
