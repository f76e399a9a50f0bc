//! The consumer loop.
