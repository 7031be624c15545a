//! From seeds to `w`, `ws` and styles: interpolation, mixing, truncation, statistics.
