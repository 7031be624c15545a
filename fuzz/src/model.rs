//! What the readers know of networks: numbers and arrays on the host.

#[path = "../../src/model/config.rs"]
pub mod config;
#[path = "../../src/model/discriminator_config.rs"]
pub mod discriminator_config;
#[path = "../../src/model/layer.rs"]
pub mod layer;
#[path = "../../src/model/state_dict.rs"]
pub mod state_dict;
