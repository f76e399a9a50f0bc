#![doc = include_str!("../README.md")]

pub mod cache_key;
pub mod clock;
pub mod config;
pub mod lifecycle;
pub mod metric;
pub mod ops;
pub mod postgres;
pub mod random;
pub mod redis;
pub mod sealing;
pub mod service;
pub mod snowflake;
pub mod telemetry;
pub mod tls;
