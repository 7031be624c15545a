//! From seeds to `w`, `ws` and styles: interpolation, mixing, truncation, statistics.

pub mod statistics;
