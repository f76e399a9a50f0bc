//! The topics of identity.

pub mod policy;
pub mod role;
