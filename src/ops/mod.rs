//! Operations of style-based networks on burn tensors; each custom kernel has a plain-tensor twin.
