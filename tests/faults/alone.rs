//! Faults of servers that everybody uses. One at a time, each leaves the stack as it found it.

mod broker;
mod connect;
mod schema;
mod slot;
mod source;
mod topic;
