//! The part of ONNX's protobuf schema (IR version 8) that a network needs, and its wire format. Field numbers are those
//! of `onnx.proto3`. Written out by hand because it is this small, and because a generator of such code would change
//! features of crates below burn, which costs a rebuild of the whole stack.

/// `TensorProto.DataType.FLOAT`.
pub const FLOAT: u64 = 1;
/// `TensorProto.DataType.INT64`.
pub const INT64: u64 = 7;

/// Takes the fields of a message, to count their bytes or to write them.
pub trait Sink {
    /// A field of integer type.
    fn integer(&mut self, field: u64, value: u64);
    /// A field of type float.
    fn float(&mut self, field: u64, value: f32);
    /// A string, bytes, or a packed list.
    fn bytes(&mut self, field: u64, value: &[u8]);
    /// A message within this one.
    fn message(&mut self, field: u64, value: &dyn Message);
}

/// Anything with numbered fields.
pub trait Message {
    /// Hands every field to `sink`, in any order.
    fn fields(&self, sink: &mut dyn Sink);
}

/// The bytes of `message`. Lengths are counted first, so that the weights are copied once.
pub fn encode(message: &dyn Message) -> Vec<u8> {
    let mut count = Counter(0);
    message.fields(&mut count);
    let mut writer = Writer(Vec::with_capacity(count.0));
    message.fields(&mut writer);
    writer.0
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

    fn message(&mut self, field: u64, value: &dyn Message) {
        let len = len(value);
        self.0 += varint_len(field << 3) + varint_len(len as u64) + len;
    }
}

struct Writer(Vec<u8>);

impl Writer {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

impl Sink for Writer {
    fn integer(&mut self, field: u64, value: u64) {
        self.varint(field << 3 | WIRE_VARINT);
        self.varint(value);
    }

    fn float(&mut self, field: u64, value: f32) {
        self.varint(field << 3 | WIRE_FIXED32);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.varint(field << 3 | WIRE_BYTES);
        self.varint(value.len() as u64);
        self.0.extend(value);
    }

    fn message(&mut self, field: u64, value: &dyn Message) {
        self.varint(field << 3 | WIRE_BYTES);
        self.varint(len(value) as u64);
        value.fields(self);
    }
}

fn len(message: &dyn Message) -> usize {
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
pub struct ModelProto {
    pub ir_version: u64,
    pub producer_name: String,
    pub producer_version: String,
    pub doc_string: String,
    pub graph: GraphProto,
    /// The version of ONNX's own operators.
    pub opset: u64,
}

impl Message for ModelProto {
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
pub struct GraphProto {
    pub node: Vec<NodeProto>,
    pub name: String,
    pub initializer: Vec<TensorProto>,
    pub input: Vec<ValueInfoProto>,
    pub output: Vec<ValueInfoProto>,
}

impl Message for GraphProto {
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
pub struct TensorProto {
    pub dims: Vec<usize>,
    pub data_type: u64,
    pub name: String,
    /// Little-endian.
    pub raw_data: Vec<u8>,
}

impl Message for TensorProto {
    fn fields(&self, sink: &mut dyn Sink) {
        for &dim in &self.dims {
            sink.integer(1, dim as u64);
        }
        sink.integer(2, self.data_type);
        sink.bytes(8, self.name.as_bytes());
        sink.bytes(9, &self.raw_data);
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
