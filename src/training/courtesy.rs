//! How a training behaves beside somebody who uses the same machine: its threads give way to all others, and take fewer processors
//! while a hand moves something.

use crate::ops::cpu::{Runtime, threads};

/// Makes the calling thread, and the kernels that it runs, give way.
pub fn give_way() {
    threads::work_in_background();
}

/// Leaves half of the processors to others while `hand_moves`, else none: those that others want they get anyway.
pub fn make_room(hand_moves: bool) {
    let processors = threads::processors();
    let limit = if hand_moves { processors.div_ceil(2).min(processors - 1).max(1) } else { processors };
    if let Some(Err(error)) = Runtime::shared().map(|runtime| runtime.threads().set_background_limit(limit)) {
        log::debug!("the training keeps its threads: {error}");
    }
}
