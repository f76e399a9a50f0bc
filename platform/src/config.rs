//! Configuration: read from a map that is passed in, complete or not at all, and printed with its secrets hidden.

mod environment;
mod reader;

pub use environment::Environment;
pub use reader::{Invalid, Printed, Reader, Setting};

/// The exit code of a process that refuses its configuration (`EX_USAGE` of sysexits.h).
pub const EXIT_CONFIGURATION: i32 = 64;
