//! A pickle reader that executes nothing.
//!
//! A pickle is a program for a small stack machine. This machine builds plain data from it: what the program would
//! call is kept as an inert [`Value::Object`] with the function's name and its arguments, and nothing is ever looked
//! up by such a name. It knows nothing of tensors; who reads its values decides which names mean what.

mod error;
mod limits;
mod machine;
mod opcodes;
mod reader;
mod value;

pub use error::{PickleError, PickleFault};
pub use limits::Limits;
pub use machine::parse;
pub use value::{Id, Object, Pickle, Value};
