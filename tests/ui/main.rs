//! Drives the window as a person would, through its accessibility tree, and looks at what it draws.

mod files;
mod panels;
mod pictures;
mod scene;
mod timeline;
mod training;
mod training_panel;
mod window;
mod window_tests;
