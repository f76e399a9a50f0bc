//! commerce, over HTTP, on a real database.
