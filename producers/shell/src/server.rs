//! The server: routes under their limits, from the first request to the last.

mod limits;
mod listen;
mod observe;
mod routes;

pub use listen::{Server, background};
pub use routes::router;
