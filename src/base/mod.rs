//! Building blocks that know nothing of tensors: mailboxes, named threads and their priority, paths, atomic files, numpy's random numbers, numbers as text.

pub mod atomic_file;
pub mod error_chain;
pub mod mailbox;
pub mod numbers;
pub mod numpy_rng;
pub mod paths;
pub mod priority;
pub mod regular_file;
pub mod worker;
