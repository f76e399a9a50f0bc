//! Passwords: which are accepted, how they are kept, how they are checked.

pub mod check;
pub mod hash;
pub mod strength;
