//! `dataset.json`: classes or vectors for images, in the form of the official tools.

use std::{collections::BTreeMap, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

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

impl Labels {
    /// Reads the file and keeps the labels of the images that there are, so that it takes no more memory than those need.
    /// `None` if it says that there are no labels.
    pub fn parse(bytes: &[u8], is_image: impl Fn(&str) -> bool) -> Result<Option<Self>, DataError> {
        let wrong = |cause: String| DataError::Labels { file: LABELS_FILE.to_owned(), cause };
        let mut found = None;
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let read = FileReader { found: &mut found, is_image: &is_image }.deserialize(&mut json);
        read.and_then(|()| json.end()).map_err(|error| wrong(error.to_string()))?;
        Ok(found)
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

/// Reads the object of the file.
struct FileReader<'a> {
    found: &'a mut Option<Labels>,
    is_image: &'a dyn Fn(&str) -> bool,
}

impl<'de> DeserializeSeed<'de> for FileReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for FileReader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with labels")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "labels" {
                map.next_value_seed(ListReader { found: self.found, is_image: self.is_image })?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Reads `null`, or the list of pairs.
struct ListReader<'a> {
    found: &'a mut Option<Labels>,
    is_image: &'a dyn Fn(&str) -> bool,
}

impl<'de> DeserializeSeed<'de> for ListReader<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ListReader<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of labels, or null")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some((name, label)) = list.next_element::<(String, Label)>()? {
            add(self.found, name.replace('\\', "/"), label, self.is_image).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}

/// Takes note of one label; all of a file are of one kind and length.
fn add(found: &mut Option<Labels>, name: String, label: Label, is_image: &dyn Fn(&str) -> bool) -> Result<(), String> {
    let labels = found.get_or_insert_with(|| match &label {
        Label::Class(_) => Labels::Classes(0, BTreeMap::new()),
        Label::Vector(vector) => Labels::Vectors(vector.len(), BTreeMap::new()),
    });
    match (labels, label) {
        (Labels::Classes(dim, classes), Label::Class(class)) => {
            *dim = (*dim).max(class as usize + 1);
            if is_image(&name) {
                classes.insert(name, class);
            }
        }
        (Labels::Vectors(dim, vectors), Label::Vector(vector)) if vector.len() == *dim => {
            if is_image(&name) {
                vectors.insert(name, vector);
            }
        }
        (Labels::Vectors(dim, _), Label::Vector(vector)) => {
            return Err(format!("{name:?} has {} numbers where others have {dim}", vector.len()));
        }
        _ => return Err("some images have a class and some have numbers".to_owned()),
    }
    Ok(())
}

/// The label of one image.
enum Label {
    Class(u32),
    Vector(Vec<f32>),
}

impl<'de> serde::Deserialize<'de> for Label {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LabelVisitor;
        impl<'de> Visitor<'de> for LabelVisitor {
            type Value = Label;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a class from 0 to {}, or a list of 1 to {MAX_DIM} finite numbers", MAX_DIM - 1)
            }

            fn visit_u64<E: Error>(self, class: u64) -> Result<Label, E> {
                if class >= MAX_DIM as u64 {
                    return Err(E::custom(format!("class {class} is above {}", MAX_DIM - 1)));
                }
                Ok(Label::Class(class as u32))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Label, A::Error> {
                let mut vector = Vec::new();
                while let Some(number) = numbers.next_element::<f32>()? {
                    if vector.len() == MAX_DIM || !number.is_finite() {
                        return Err(A::Error::custom(format!("a label must be 1 to {MAX_DIM} finite numbers")));
                    }
                    vector.push(number);
                }
                if vector.is_empty() {
                    return Err(A::Error::invalid_length(0, &self));
                }
                Ok(Label::Vector(vector))
            }
        }
        deserializer.deserialize_any(LabelVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<Labels>, String> {
        Labels::parse(text.as_bytes(), |name| name != "gone.png").map_err(|error| error.to_string())
    }

    #[test]
    fn classes_and_vectors_are_read() {
        let classes = parse(r#"{"labels": [["a.png", 2], ["b\\c.png", 0]], "more": {}}"#).unwrap().unwrap();
        assert_eq!((classes.dim(), classes.vector("a.png")), (3, Some(vec![0.0, 0.0, 1.0])));
        assert_eq!((classes.written("b/c.png"), classes.vector("x")), (Some(vec![0.0]), None));
        let vectors = parse(r#"{"labels": [["a.png", [0.5, -1]]]}"#).unwrap().unwrap();
        assert_eq!((vectors.dim(), vectors.vector("a.png")), (2, Some(vec![0.5, -1.0])));
        // Images that are not there count for the number of classes alone.
        let gone = parse(r#"{"labels": [["a.png", 0], ["gone.png", 4]]}"#).unwrap().unwrap();
        assert_eq!((gone.dim(), gone.has("a.png"), gone.has("gone.png")), (5, true, false));
        assert_eq!(parse(r#"{"labels": null}"#), Ok(None));
        assert_eq!(parse(r#"{"labels": []}"#), Ok(None));
        assert_eq!(parse(r#"{}"#), Ok(None));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, words) in [
            ("", "EOF"),
            (r#"{"labels": [["a.png", -1]]}"#, "a class from 0"),
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
        let long = format!(r#"{{"labels": [["a.png", [0{}]]]}}"#, ",0".repeat(MAX_DIM));
        assert!(parse(&long).unwrap_err().contains("1 to 65536 finite numbers"));
        assert!(parse(r#"{"labels": []} {}"#).unwrap_err().contains("trailing"));
        let deep = format!("{{\"labels\": {}", "[".repeat(100_000));
        assert!(parse(&deep).is_err());
    }
}
