//! Building blocks that know nothing of tensors: mailboxes, named threads, paths, atomic files, numpy's random numbers.

pub mod mailbox;
pub mod numpy_rng;
pub mod worker;
