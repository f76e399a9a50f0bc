//! The server: routes under their limits, from the first request to the last.

mod background;
mod limits;
mod listen;
mod observe;
mod routes;

pub use background::background;
pub use listen::Server;
pub use routes::router;
