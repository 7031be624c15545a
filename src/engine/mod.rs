//! Worker threads: the render thread with its caches, and background jobs.
