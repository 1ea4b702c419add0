//! The promises of userpool, a module each, mostly through the real server.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops at its first surprise"
)]

mod api;
mod architecture;
mod clients;
mod constraints;
mod durability;
mod engines;
mod golden;
mod history;
mod idempotency;
mod lists;
mod process;
mod properties;
mod races;
mod readme;
mod rules;
mod schema;
mod support;
mod tools;
mod watch;
