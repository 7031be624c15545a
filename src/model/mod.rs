//! The networks: configuration, weights by name, and the generator that the rest of the program uses.

pub mod config;
pub mod layer;
pub mod state_dict;
