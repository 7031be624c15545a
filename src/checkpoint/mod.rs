//! Readers and writers of model files: official pickles, community checkpoints, our own format.
pub mod onnx;
