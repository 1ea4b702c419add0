//! The tests of `tests/run quick`: the modules of `main.rs` that are fast, and need no other client,
//! no browser and no database. They are less than half of `tests/it`, so they compile faster.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails at its first error"
)]
#![expect(
    clippy::large_futures,
    reason = "the call of a client takes 16 KiB where its crates are not optimized"
)]
#![expect(dead_code, reason = "modules of main.rs that are not here use some helpers")]

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
