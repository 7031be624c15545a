//! The window: panels read the state and send commands.
