//! The HTTP kit that every service stands on.
