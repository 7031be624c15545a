//! A builder of ONNX graphs: each method adds a node and returns the name of its output.

use std::borrow::Cow;

use super::proto::{
    AttributeProto, AttributeValue, GraphProto, Length, NodeProto, TensorProto, ValueInfoProto, Values,
};

/// The graph under construction. Values are named by strings; constants become initialisers, which borrow the weights where
/// they can.
#[derive(Default)]
pub struct Graph<'a> {
    proto: GraphProto<'a>,
    unique: usize,
}

impl<'a> Graph<'a> {
    /// An empty graph.
    pub fn new(name: &str) -> Self {
        Self { proto: GraphProto { name: name.to_owned(), ..Default::default() }, unique: 0 }
    }

    /// Declares an input.
    pub fn input(&mut self, name: &str, shape: &[Length], doc: &str) -> String {
        self.proto.input.push(value_info(name, shape, doc));
        name.to_owned()
    }

    /// Declares an input that has a value of its own when the caller gives none.
    pub fn input_with_default(
        &mut self,
        name: &str,
        shape: &[Length],
        doc: &str,
        dims: &[usize],
        data: impl Into<Cow<'a, [f32]>>,
    ) -> String {
        self.constant(name, dims, data);
        self.input(name, shape, doc)
    }

    /// Declares `value` an output under `name`.
    pub fn output(&mut self, value: &str, name: &str, shape: &[Length], doc: &str) {
        self.push("Identity", &[value], name.to_owned(), Vec::new());
        self.proto.output.push(value_info(name, shape, doc));
    }

    /// A constant array.
    pub fn constant(&mut self, name: &str, dims: &[usize], data: impl Into<Cow<'a, [f32]>>) -> String {
        self.scaled(name, dims, data, 1.0)
    }

    /// A constant array times a factor.
    pub fn scaled(&mut self, name: &str, dims: &[usize], data: impl Into<Cow<'a, [f32]>>, factor: f32) -> String {
        self.values(name, dims.to_vec(), Values::Floats(data.into(), factor))
    }

    /// A constant `[outer, inner, taps]`, as `dims` with its first two axes exchanged.
    pub fn swapped(
        &mut self,
        name: &str,
        dims: &[usize],
        data: impl Into<Cow<'a, [f32]>>,
        [outer, inner, taps]: [usize; 3],
    ) -> String {
        self.values(name, dims.to_vec(), Values::Swapped { data: data.into(), outer, inner, taps })
    }

    fn values(&mut self, name: &str, dims: Vec<usize>, values: Values<'a>) -> String {
        self.proto.initializer.push(TensorProto { dims, name: name.to_owned(), values });
        name.to_owned()
    }

    /// A constant scalar.
    pub fn scalar(&mut self, value: f32) -> String {
        let name = self.fresh("scalar");
        self.constant(&name, &[], vec![value])
    }

    /// A constant list of numbers.
    pub fn vector(&mut self, values: &[f32]) -> String {
        let name = self.fresh("vector");
        self.constant(&name, &[values.len()], values.to_vec())
    }

    /// A constant list of integers.
    pub fn integers(&mut self, values: &[i64]) -> String {
        self.integer_tensor(vec![values.len()], values)
    }

    /// A constant scalar integer.
    pub fn index(&mut self, value: i64) -> String {
        self.integer_tensor(Vec::new(), &[value])
    }

    fn integer_tensor(&mut self, dims: Vec<usize>, values: &[i64]) -> String {
        let name = self.fresh("integers");
        self.values(&name, dims, Values::Integers(values.to_vec()))
    }

    /// Any node with one output.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let output = self.fresh(&op.to_lowercase());
        self.push(op, inputs, output.clone(), attributes);
        output
    }

    /// `a + b`.
    pub fn add(&mut self, a: &str, b: &str) -> String {
        self.node("Add", &[a, b], Vec::new())
    }

    /// `a * b`.
    pub fn mul(&mut self, a: &str, b: &str) -> String {
        self.node("Mul", &[a, b], Vec::new())
    }

    /// `a * value`, or `a` itself for 1.
    pub fn scale(&mut self, a: &str, value: f32) -> String {
        if value == 1.0 {
            return a.to_owned();
        }
        let value = self.scalar(value);
        self.mul(a, &value)
    }

    /// `[N, C]` to `[N, C, 1, 1]`.
    pub fn as_channels(&mut self, a: &str) -> String {
        let axes = self.integers(&[2, 3]);
        self.node("Unsqueeze", &[a, &axes], Vec::new())
    }

    /// The graph as it stands.
    pub fn finish(self) -> GraphProto<'a> {
        self.proto
    }

    fn push(&mut self, op: &str, inputs: &[&str], output: String, attribute: Vec<AttributeProto>) {
        self.proto.node.push(NodeProto {
            input: inputs.iter().map(|&i| i.to_owned()).collect(),
            name: format!("node_{output}"),
            output: vec![output],
            op_type: op.to_owned(),
            attribute,
        });
    }

    fn fresh(&mut self, stem: &str) -> String {
        self.unique += 1;
        format!("{stem}_{}", self.unique)
    }
}

/// An integer attribute.
pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), value: AttributeValue::Int(value) }
}

/// A list attribute.
pub fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { name: name.to_owned(), value: AttributeValue::Ints(values.to_vec()) }
}

/// A float attribute.
pub fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { name: name.to_owned(), value: AttributeValue::Float(value) }
}

fn value_info(name: &str, shape: &[Length], doc: &str) -> ValueInfoProto {
    ValueInfoProto { name: name.to_owned(), shape: shape.to_vec(), doc_string: doc.to_owned() }
}
