//! What a pickle holds: values in one flat arena, referring to each other by number.
//!
//! The arena makes sharing free (a memo entry used a million times is one value), lets values contain themselves, and
//! is dropped without recursion, however deep the nesting.

use std::ops::Range;

use crate::checkpoint::source::Section;

/// A value of one [`Pickle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub(super) u32);

/// A value, borrowed. Texts and bytes are the file's own.
#[derive(Debug, Clone, Copy)]
pub enum Value<'p> {
    /// `None`.
    None,
    /// A truth value.
    Bool(bool),
    /// An integer of up to 64 bits.
    Int(i64),
    /// A larger integer: two's complement, little endian.
    Long(&'p [u8]),
    /// A floating-point number.
    Float(f64),
    /// A text.
    Str(&'p str),
    /// Bytes.
    Bytes(&'p [u8]),
    /// More bytes than any index needs: they stay in the file, see [`Pickle::part`].
    Blob,
    /// A tuple.
    Tuple(&'p [Id]),
    /// A list.
    List(&'p [Id]),
    /// A dictionary in order of insertion; a key may occur twice, then the last one counts.
    Dict(&'p [(Id, Id)]),
    /// A set.
    Set(&'p [Id]),
    /// A name of something to import. Never looked up.
    Global {
        /// Dotted path of the module.
        module: &'p str,
        /// Name in the module.
        name: &'p str,
    },
    /// What the program would make by a call. Never called.
    Object(&'p Object),
    /// A reference to something outside of the pickle.
    Persistent(Id),
}

/// A call that was not made, and what would have been done to its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The function or class: always a [`Value::Global`].
    pub callable: Id,
    /// Its arguments: always a [`Value::Tuple`].
    pub args: Id,
    /// What BUILD would set.
    pub state: Option<Id>,
    pub(super) items: u32,
    pub(super) pairs: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub start: u32,
    pub len: u32,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Node {
    None,
    Bool(bool),
    Int(i64),
    Long(Span),
    Float(f64),
    Str(Span),
    /// A text with escapes, kept unescaped.
    Text(u32),
    /// Position in the pickle, and what is kept of them.
    Bytes(u32, Span),
    Tuple(Span),
    List(u32),
    Dict(u32),
    Set(u32),
    Global(Id, Id),
    Object(u32),
    Persistent(Id),
}

/// Stands for a container without elements: they are common, and need no memory of their own.
pub(super) const EMPTY: u32 = u32::MAX;

/// Start of bytes that stay in the file.
pub(super) const NOT_KEPT: u32 = u32::MAX;

/// All values of a pickle.
#[derive(Debug)]
pub struct Pickle<'a> {
    pub(super) section: Section<'a>,
    /// The section, where it is in memory: then spans point into it, else into `kept`.
    pub(super) borrowed: Option<&'a [u8]>,
    /// Texts and short bytes of a pickle that is on the disk.
    pub(super) kept: Vec<u8>,
    pub(super) nodes: Vec<Node>,
    pub(super) children: Vec<Id>,
    pub(super) lists: Vec<Vec<Id>>,
    pub(super) dicts: Vec<Vec<(Id, Id)>>,
    pub(super) objects: Vec<Object>,
    pub(super) texts: Vec<String>,
    pub(super) root: Id,
    pub(super) end: usize,
}

impl<'a> Pickle<'a> {
    /// The value that the program leaves.
    pub fn root(&self) -> Id {
        self.root
    }

    /// Position behind the STOP, in bytes.
    pub fn end(&self) -> usize {
        self.end
    }

    /// The value of `id`. An `id` of another pickle gives some value of this one or [`Value::None`].
    pub fn value(&self, id: Id) -> Value<'_> {
        match self.nodes.get(id.0 as usize).copied().unwrap_or(Node::None) {
            Node::None => Value::None,
            Node::Bool(value) => Value::Bool(value),
            Node::Int(value) => Value::Int(value),
            Node::Long(span) => Value::Long(self.bytes(span)),
            Node::Float(value) => Value::Float(value),
            // Checked when it was read.
            Node::Str(span) => Value::Str(std::str::from_utf8(self.bytes(span)).unwrap_or_default()),
            Node::Text(index) => Value::Str(self.texts.get(index as usize).map_or("", String::as_str)),
            Node::Bytes(_, Span { start: NOT_KEPT, .. }) => Value::Blob,
            Node::Bytes(_, span) => Value::Bytes(self.bytes(span)),
            Node::Tuple(span) => Value::Tuple(self.children.get(range(span)).unwrap_or_default()),
            Node::List(index) => Value::List(self.list(index)),
            Node::Dict(index) => Value::Dict(self.dict(index)),
            Node::Set(index) => Value::Set(self.list(index)),
            Node::Global(module, name) => Value::Global { module: self.text(module), name: self.text(name) },
            Node::Object(index) => self.objects.get(index as usize).map_or(Value::None, Value::Object),
            Node::Persistent(id) => Value::Persistent(id),
        }
    }

    /// The text of `id`; empty if it is none.
    fn text(&self, id: Id) -> &str {
        match self.value(id) {
            Value::Str(text) => text,
            _ => "",
        }
    }

    /// All references to something outside, in order.
    pub fn persistent(&self) -> impl Iterator<Item = Id> + '_ {
        self.nodes.iter().filter_map(|node| if let Node::Persistent(id) = node { Some(*id) } else { None })
    }

    /// All names that the program would import, in order.
    pub fn globals(&self) -> impl Iterator<Item = (&str, &str)> + '_ {
        self.nodes.iter().filter_map(|node| {
            if let Node::Global(module, name) = node { Some((self.text(*module), self.text(*name))) } else { None }
        })
    }

    /// Where the value's bytes are, for [`Value::Bytes`] and [`Value::Blob`].
    pub fn part(&self, id: Id) -> Option<Section<'a>> {
        match self.nodes.get(id.0 as usize)? {
            Node::Bytes(at, Span { len, .. }) => Some(self.section.part(range(Span { start: *at, len: *len }))),
            _ => None,
        }
    }

    /// Pairs of a dictionary or of an object with items, such as an `OrderedDict`.
    pub fn pairs(&self, id: Id) -> Option<&[(Id, Id)]> {
        match self.value(id) {
            Value::Dict(pairs) => Some(pairs),
            Value::Object(object) => Some(self.dict(object.pairs)),
            _ => None,
        }
    }

    /// The value under a text key of a dictionary or an object with items.
    pub fn get(&self, id: Id, key: &str) -> Option<Id> {
        let is_key = |id: Id| matches!(self.value(id), Value::Str(text) if text == key);
        self.pairs(id)?.iter().rev().find(|(k, _)| is_key(*k)).map(|(_, value)| *value)
    }

    /// Module and name of the callable, and the arguments, if `id` is an object.
    pub fn call(&self, id: Id) -> Option<(&str, &str, &[Id])> {
        let Value::Object(object) = self.value(id) else { return None };
        match (self.value(object.callable), self.value(object.args)) {
            (Value::Global { module, name }, Value::Tuple(args)) => Some((module, name, args)),
            _ => None,
        }
    }

    /// Elements of a tuple or list.
    pub fn elements(&self, id: Id) -> Option<&[Id]> {
        match self.value(id) {
            Value::Tuple(elements) | Value::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// A text.
    pub fn str(&self, id: Id) -> Option<&str> {
        match self.value(id) {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// An integer.
    pub fn int(&self, id: Id) -> Option<i64> {
        match self.value(id) {
            Value::Int(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn list(&self, index: u32) -> &[Id] {
        self.lists.get(index as usize).map_or(&[], Vec::as_slice)
    }

    pub(super) fn dict(&self, index: u32) -> &[(Id, Id)] {
        self.dicts.get(index as usize).map_or(&[], Vec::as_slice)
    }

    pub(super) fn bytes(&self, span: Span) -> &[u8] {
        self.borrowed.unwrap_or(&self.kept).get(range(span)).unwrap_or_default()
    }
}

impl Value<'_> {
    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool(_) => "a truth value",
            Value::Int(_) | Value::Long(_) => "an integer",
            Value::Float(_) => "a number",
            Value::Str(_) => "a text",
            Value::Bytes(_) | Value::Blob => "bytes",
            Value::Tuple(_) => "a tuple",
            Value::List(_) => "a list",
            Value::Dict(_) => "a dictionary",
            Value::Set(_) => "a set",
            Value::Global { .. } => "a name",
            Value::Object(_) => "an object",
            Value::Persistent(_) => "a reference to outside",
        }
    }
}

fn range(span: Span) -> Range<usize> {
    let start = span.start as usize;
    start..start + span.len as usize
}
