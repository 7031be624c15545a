//! Controls that the panels are made of. A widget shows a value that it does not own and returns the value that
//! the user asks for; it keeps nothing but what the view needs (a drag under way, text being typed) in egui's
//! memory.

pub mod change;
pub mod channel_list;
pub mod number;
pub mod plot;
pub mod row;
pub mod scrubber;
pub mod section;
pub mod seed_pad;
pub mod segmented;
pub mod toggle;
pub mod value_bar;

pub use change::Change;
pub use number::Number;
pub use row::{Row, RowOutput};
pub use scrubber::Scrubber;
pub use value_bar::ValueBar;
