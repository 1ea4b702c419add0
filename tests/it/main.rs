//! The promises of userpool, a module each, mostly through the real server.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test stops at its first surprise"
)]

mod api;
mod architecture;
mod clients;
mod durability;
mod engines;
mod golden;
mod idempotency;
mod lists;
mod process;
mod races;
mod readme;
mod support;
mod tools;
