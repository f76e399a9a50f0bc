//! The kit against real servers.

mod widget;
