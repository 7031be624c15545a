//! `dataset.json`: classes or vectors for images, in the form of the official tools.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{error::DataError, source::LABELS_FILE};

/// Classes, or numbers of a vector. A larger value is a mistake, and would make each label that long.
const MAX_DIM: usize = 65_536;

/// The labels by the names of the images.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Labels {
    /// A class for each image: number of classes.
    Classes(usize, BTreeMap<String, u32>),
    /// A vector for each image: its length.
    Vectors(usize, BTreeMap<String, Vec<f32>>),
}

#[derive(Deserialize)]
struct LabelsFile {
    labels: Option<Vec<(String, Value)>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Value {
    Class(u32),
    Vector(Vec<f32>),
}

impl Labels {
    /// Reads the file. `None` if it says that there are no labels.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, DataError> {
        let wrong = |cause: String| DataError::Labels { file: LABELS_FILE.to_owned(), cause };
        let file: LabelsFile = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        let Some(list) = file.labels.filter(|list| !list.is_empty()) else { return Ok(None) };
        let (mut classes, mut vectors) = (BTreeMap::new(), BTreeMap::new());
        for (name, value) in list {
            let name = name.replace('\\', "/");
            match value {
                Value::Class(class) if class as usize >= MAX_DIM => {
                    return Err(wrong(format!("class {class} of {name:?} is above {}", MAX_DIM - 1)));
                }
                Value::Class(class) => drop(classes.insert(name, class)),
                Value::Vector(vector) => {
                    if vector.is_empty() || vector.len() > MAX_DIM || vector.iter().any(|v| !v.is_finite()) {
                        return Err(wrong(format!("the numbers of {name:?} must be 1 to {MAX_DIM} finite ones")));
                    }
                    vectors.insert(name, vector);
                }
            }
        }
        if vectors.is_empty() {
            let dim = classes.values().max().map_or(0, |&class| class as usize + 1);
            return Ok(Some(Self::Classes(dim, classes)));
        }
        let dim = vectors.values().next().map_or(0, Vec::len);
        if !classes.is_empty() {
            return Err(wrong("some images have a class and some have numbers".to_owned()));
        }
        if let Some((name, vector)) = vectors.iter().find(|(_, vector)| vector.len() != dim) {
            return Err(wrong(format!("{name:?} has {} numbers where others have {dim}", vector.len())));
        }
        Ok(Some(Self::Vectors(dim, vectors)))
    }

    /// Numbers of a label vector: a place for each class, or the length of the vectors.
    pub fn dim(&self) -> usize {
        match self {
            Self::Classes(dim, _) | Self::Vectors(dim, _) => *dim,
        }
    }

    /// The label of an image as a vector.
    pub fn vector(&self, name: &str) -> Option<Vec<f32>> {
        match self {
            Self::Classes(dim, classes) => {
                let class = *classes.get(name)? as usize;
                let mut vector = vec![0.0; *dim];
                *vector.get_mut(class)? = 1.0;
                Some(vector)
            }
            Self::Vectors(_, vectors) => vectors.get(name).cloned(),
        }
    }

    /// Whether an image has a label.
    pub fn has(&self, name: &str) -> bool {
        match self {
            Self::Classes(_, classes) => classes.contains_key(name),
            Self::Vectors(_, vectors) => vectors.contains_key(name),
        }
    }

    /// The label of an image as it stands in the file: a class is one number.
    pub fn written(&self, name: &str) -> Option<Vec<f32>> {
        match self {
            Self::Classes(_, classes) => classes.get(name).map(|&class| vec![class as f32]),
            Self::Vectors(_, vectors) => vectors.get(name).cloned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Labels>, String> {
        Labels::parse(text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn classes_and_vectors_are_read() {
        let classes = parse(r#"{"labels": [["a.png", 2], ["b\\c.png", 0]], "more": {}}"#).unwrap().unwrap();
        assert_eq!((classes.dim(), classes.vector("a.png")), (3, Some(vec![0.0, 0.0, 1.0])));
        assert_eq!((classes.written("b/c.png"), classes.vector("x")), (Some(vec![0.0]), None));
        let vectors = parse(r#"{"labels": [["a.png", [0.5, -1]]]}"#).unwrap().unwrap();
        assert_eq!((vectors.dim(), vectors.vector("a.png")), (2, Some(vec![0.5, -1.0])));
        assert_eq!(parse(r#"{"labels": null}"#), Ok(None));
        assert_eq!(parse(r#"{}"#), Ok(None));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, words) in [
            ("", "EOF"),
            (r#"{"labels": [["a.png", -1]]}"#, "match"),
            (r#"{"labels": [["a.png", 1000000000]]}"#, "above 65535"),
            (r#"{"labels": [["a.png", 1], ["b.png", [1]]]}"#, "some have numbers"),
            (r#"{"labels": [["a.png", [1]], ["b.png", [1, 2]]]}"#, "2 numbers where others have 1"),
            (r#"{"labels": [["a.png", []]]}"#, "finite"),
            (r#"{"labels": [["a.png", [1e999]]]}"#, "number"),
            (r#"{"labels": 3}"#, "invalid type"),
        ] {
            let message = parse(text).unwrap_err();
            assert!(message.contains(words) && message.contains("dataset.json"), "{text}: {message}");
        }
        let deep = format!("{{\"labels\": {}", "[".repeat(100_000));
        assert!(parse(&deep).is_err());
    }
}
