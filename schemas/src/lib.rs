//! Row types of the topics and the registry's guard.
