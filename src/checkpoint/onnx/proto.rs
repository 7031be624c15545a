//! The part of ONNX's protobuf schema (IR version 8) that a network needs, and its wire format. Field numbers are those
//! of `onnx.proto3`. Written out by hand because it is this small, and because a generator of such code would change
//! features of crates below burn, which costs a rebuild of the whole stack.

use std::{borrow::Cow, io};

/// `TensorProto.DataType.FLOAT`.
const FLOAT: u64 = 1;
/// `TensorProto.DataType.INT64`.
const INT64: u64 = 7;
/// Bytes that are handed over at a time.
const PART: usize = 1 << 20;

/// Takes what is written, a part at a time.
pub type Out<'a> = dyn FnMut(&[u8]) -> io::Result<()> + 'a;
/// Takes bytes as they are made.
pub type Bytes<'a> = dyn FnMut(&[u8]) + 'a;

/// Takes the fields of a message, to count their bytes or to write them.
pub trait Sink {
    /// A field of integer type.
    fn integer(&mut self, field: u64, value: u64);
    /// A field of type float.
    fn float(&mut self, field: u64, value: f32);
    /// A string, bytes, or a packed list.
    fn bytes(&mut self, field: u64, value: &[u8]);
    /// Bytes that `write` makes when they are wanted, `len` in all.
    fn stream(&mut self, field: u64, len: usize, write: &dyn Fn(&mut Bytes<'_>));
    /// A message within this one.
    fn message(&mut self, field: u64, value: &dyn Message);
}

/// Anything with numbered fields.
pub trait Message {
    /// Hands every field to `sink`, in any order.
    fn fields(&self, sink: &mut dyn Sink);
}

/// Writes `message`. Weights are turned into bytes as they go, so that the file is never in memory as a whole.
///
/// # Errors
/// The first that `out` returns; nothing is handed over after it.
pub fn write(message: &dyn Message, out: &mut Out<'_>) -> io::Result<()> {
    let mut writer = Writer { out, buffer: Vec::with_capacity(2 * PART), failed: None };
    message.fields(&mut writer);
    writer.flush();
    writer.failed.map_or(Ok(()), Err)
}

const WIRE_VARINT: u64 = 0;
const WIRE_BYTES: u64 = 2;
const WIRE_FIXED32: u64 = 5;

struct Counter(usize);

impl Sink for Counter {
    fn integer(&mut self, field: u64, value: u64) {
        self.0 += varint_len(field << 3) + varint_len(value);
    }

    fn float(&mut self, field: u64, _value: f32) {
        self.0 += varint_len(field << 3) + 4;
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.0 += varint_len(field << 3) + varint_len(value.len() as u64) + value.len();
    }

    fn stream(&mut self, field: u64, len: usize, _write: &dyn Fn(&mut Bytes<'_>)) {
        self.0 += varint_len(field << 3) + varint_len(len as u64) + len;
    }

    fn message(&mut self, field: u64, value: &dyn Message) {
        let len = len(value);
        self.0 += varint_len(field << 3) + varint_len(len as u64) + len;
    }
}

struct Writer<'a, 'o> {
    out: &'a mut Out<'o>,
    buffer: Vec<u8>,
    failed: Option<io::Error>,
}

impl Writer<'_, '_> {
    fn put(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PART {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.failed.is_none() {
            self.failed = (self.out)(&self.buffer).err();
        }
        self.buffer.clear();
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.put(&[value as u8 | 0x80]);
            value >>= 7;
        }
        self.put(&[value as u8]);
    }
}

impl Sink for Writer<'_, '_> {
    fn integer(&mut self, field: u64, value: u64) {
        self.varint(field << 3 | WIRE_VARINT);
        self.varint(value);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.varint(field << 3 | WIRE_FIXED32);
        self.put(&value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.varint(field << 3 | WIRE_BYTES);
        self.varint(value.len() as u64);
        self.put(value);
    }

    fn stream(&mut self, field: u64, len: usize, write: &dyn Fn(&mut Bytes<'_>)) {
        self.varint(field << 3 | WIRE_BYTES);
        self.varint(len as u64);
        write(&mut |bytes| self.put(bytes));
    }

    fn message(&mut self, field: u64, value: &dyn Message) {
        self.varint(field << 3 | WIRE_BYTES);
        self.varint(len(value) as u64);
        value.fields(self);
    }
}

/// Bytes of a message.
pub fn len(message: &dyn Message) -> usize {
    let mut count = Counter(0);
    message.fields(&mut count);
    count.0
}

fn varint_len(value: u64) -> usize {
    (u64::BITS - value.leading_zeros()).div_ceil(7).max(1) as usize
}

fn each<'a, M: Message + 'a>(sink: &mut dyn Sink, field: u64, messages: impl IntoIterator<Item = &'a M>) {
    for message in messages {
        sink.message(field, message);
    }
}

/// `ModelProto`.
pub struct ModelProto<'a> {
    pub ir_version: u64,
    pub producer_name: String,
    pub producer_version: String,
    pub doc_string: String,
    pub graph: GraphProto<'a>,
    /// The version of ONNX's own operators.
    pub opset: u64,
}

impl Message for ModelProto<'_> {
    fn fields(&self, sink: &mut dyn Sink) {
        sink.integer(1, self.ir_version);
        sink.bytes(2, self.producer_name.as_bytes());
        sink.bytes(3, self.producer_version.as_bytes());
        sink.bytes(6, self.doc_string.as_bytes());
        sink.message(7, &self.graph);
        sink.message(8, &OperatorSetIdProto { version: self.opset });
    }
}

struct OperatorSetIdProto {
    version: u64,
}

impl Message for OperatorSetIdProto {
    fn fields(&self, sink: &mut dyn Sink) {
        sink.integer(2, self.version);
    }
}

/// `GraphProto`.
#[derive(Default)]
pub struct GraphProto<'a> {
    pub node: Vec<NodeProto>,
    pub name: String,
    pub initializer: Vec<TensorProto<'a>>,
    pub input: Vec<ValueInfoProto>,
    pub output: Vec<ValueInfoProto>,
}

impl Message for GraphProto<'_> {
    fn fields(&self, sink: &mut dyn Sink) {
        each(sink, 1, &self.node);
        sink.bytes(2, self.name.as_bytes());
        each(sink, 5, &self.initializer);
        each(sink, 11, &self.input);
        each(sink, 12, &self.output);
    }
}

/// `NodeProto`.
pub struct NodeProto {
    pub input: Vec<String>,
    pub output: Vec<String>,
    pub name: String,
    pub op_type: String,
    pub attribute: Vec<AttributeProto>,
}

impl Message for NodeProto {
    fn fields(&self, sink: &mut dyn Sink) {
        for input in &self.input {
            sink.bytes(1, input.as_bytes());
        }
        for output in &self.output {
            sink.bytes(2, output.as_bytes());
        }
        sink.bytes(3, self.name.as_bytes());
        sink.bytes(4, self.op_type.as_bytes());
        each(sink, 5, &self.attribute);
    }
}

/// The value of an attribute.
pub enum AttributeValue {
    Float(f32),
    Int(i64),
    Ints(Vec<i64>),
}

/// `AttributeProto`.
pub struct AttributeProto {
    pub name: String,
    pub value: AttributeValue,
}

impl Message for AttributeProto {
    fn fields(&self, sink: &mut dyn Sink) {
        sink.bytes(1, self.name.as_bytes());
        // Field 20 is `AttributeProto.AttributeType`.
        match &self.value {
            AttributeValue::Float(f) => {
                sink.float(2, *f);
                sink.integer(20, 1);
            }
            AttributeValue::Int(i) => {
                sink.integer(3, *i as u64);
                sink.integer(20, 2);
            }
            AttributeValue::Ints(ints) => {
                for &i in ints {
                    sink.integer(8, i as u64);
                }
                sink.integer(20, 7);
            }
        }
    }
}

/// `TensorProto`.
pub struct TensorProto<'a> {
    pub dims: Vec<usize>,
    pub name: String,
    pub values: Values<'a>,
}

/// What a tensor holds: numbers, and what becomes of them on the way into the file.
pub enum Values<'a> {
    /// Times a factor.
    Floats(Cow<'a, [f32]>, f32),
    /// `[outer, inner, taps]` as `[inner, outer, taps]`.
    Swapped {
        data: Cow<'a, [f32]>,
        outer: usize,
        inner: usize,
        taps: usize,
    },
    Integers(Vec<i64>),
}

impl Values<'_> {
    fn data_type(&self) -> u64 {
        if matches!(self, Self::Integers(_)) { INT64 } else { FLOAT }
    }

    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::Floats(data, _) => 4 * data.len(),
            Self::Swapped { outer, inner, taps, .. } => 4 * outer * inner * taps,
            Self::Integers(values) => 8 * values.len(),
        }
    }

    /// The bytes, little-endian.
    fn write(&self, part: &mut Bytes<'_>) {
        match self {
            Self::Floats(data, factor) => data.iter().for_each(|value| part(&(value * factor).to_le_bytes())),
            &Self::Swapped { ref data, outer, inner, taps } => {
                let starts = (0..inner).flat_map(|i| (0..outer).map(move |o| (o * inner + i) * taps));
                let values =
                    starts.flat_map(|start| (start..start + taps).map(|at| data.get(at).copied().unwrap_or(0.0)));
                values.for_each(|value| part(&value.to_le_bytes()));
            }
            Self::Integers(values) => values.iter().for_each(|value| part(&value.to_le_bytes())),
        }
    }
}

impl Message for TensorProto<'_> {
    fn fields(&self, sink: &mut dyn Sink) {
        for &dim in &self.dims {
            sink.integer(1, dim as u64);
        }
        sink.integer(2, self.values.data_type());
        sink.bytes(8, self.name.as_bytes());
        // raw_data
        sink.stream(9, self.values.len(), &|part| self.values.write(part));
    }
}

/// A length of an axis of an input or output.
#[derive(Clone, Copy)]
pub enum Length {
    /// Known now.
    Fixed(usize),
    /// Decided when the network runs.
    Named(&'static str),
}

/// `ValueInfoProto` of an array of floats.
pub struct ValueInfoProto {
    pub name: String,
    pub shape: Vec<Length>,
    pub doc_string: String,
}

impl Message for ValueInfoProto {
    fn fields(&self, sink: &mut dyn Sink) {
        sink.bytes(1, self.name.as_bytes());
        sink.message(2, &TypeProto(&self.shape));
        sink.bytes(3, self.doc_string.as_bytes());
    }
}

struct TypeProto<'a>(&'a [Length]);

impl Message for TypeProto<'_> {
    fn fields(&self, sink: &mut dyn Sink) {
        sink.message(1, &TensorType(self.0));
    }
}

struct TensorType<'a>(&'a [Length]);

impl Message for TensorType<'_> {
    fn fields(&self, sink: &mut dyn Sink) {
        sink.integer(1, FLOAT);
        sink.message(2, &TensorShapeProto(self.0));
    }
}

struct TensorShapeProto<'a>(&'a [Length]);

impl Message for TensorShapeProto<'_> {
    fn fields(&self, sink: &mut dyn Sink) {
        each(sink, 1, self.0);
    }
}

/// `TensorShapeProto.Dimension`.
impl Message for Length {
    fn fields(&self, sink: &mut dyn Sink) {
        match self {
            Self::Fixed(length) => sink.integer(1, *length as u64),
            Self::Named(name) => sink.bytes(2, name.as_bytes()),
        }
    }
}
