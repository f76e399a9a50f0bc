//! The OpenAPI document: what the endpoints say of themselves, completed so that no author can forget what every
//! endpoint answers.

mod complete;
pub(crate) mod page;

pub use complete::complete;
