//! Building blocks that know nothing of tensors: mailboxes, named threads, paths, atomic files, numpy's random numbers.

pub mod atomic_file;
pub mod error_chain;
pub mod mailbox;
pub mod numpy_rng;
pub mod paths;
pub mod regular_file;
pub mod worker;
