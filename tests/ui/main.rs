//! Drives the window as a person would, through its accessibility tree, and looks at what it draws.

mod files;
mod panels;
mod pictures;
mod scene;
mod timeline;
mod window;
mod window_tests;
