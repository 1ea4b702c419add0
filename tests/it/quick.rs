//! The quick form of the tests, for `tests/run quick`: the modules of `main.rs` that test a server
//! in the process of the test, need no tool, and do not take long. It compiles half of the tests.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails at its first error"
)]
#![expect(
    clippy::large_futures,
    reason = "the call of a client takes 16 KiB where its crates are not optimized"
)]
#![expect(dead_code, reason = "modules that are not here use it")]

mod api;
mod architecture;
mod authority;
mod authorization;
mod aws;
mod binary;
mod calls;
mod constraints;
mod custom_attributes;
mod domains;
mod durability;
mod find;
mod golden;
mod history;
mod idempotency;
mod json;
mod lifecycle;
mod lifetimes;
mod lists;
mod metrics;
mod mfa;
mod random;
mod read_model;
mod restore;
mod rules;
mod schema;
mod service;
mod settings;
mod shared_log;
mod support;
mod tags;
mod tokens;
mod tools;
mod updates;
mod upgrades;
mod watch;
