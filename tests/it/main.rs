//! The promises of userpool, one module each, mostly tested through the real server.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test fails at its first error"
)]
#![expect(
    clippy::large_futures,
    reason = "the call of a client takes 16 KiB where its crates are not optimized"
)]

mod api;
mod architecture;
mod authority;
mod authorization;
mod aws;
mod aws_clients;
mod backup;
mod bad_input;
mod binary;
mod calls;
mod client;
mod command_line;
mod console;
mod constraints;
mod contributing;
mod crash;
mod custom_attributes;
mod deploy;
mod disks;
mod docs;
mod domains;
mod durability;
mod engines;
mod exports;
mod find;
mod golden;
mod history;
mod idempotency;
mod json;
mod lifecycle;
mod lifetimes;
mod linearizability;
mod lists;
mod load;
mod metrics;
mod mfa;
mod offline;
mod operations;
mod postgres;
mod process;
mod proofs;
mod properties;
mod python_client;
mod races;
mod random;
mod read_model;
mod readme;
mod restore;
mod rules;
mod schema;
mod security;
mod service;
mod settings;
mod shared_log;
mod spans;
mod support;
mod tags;
mod tampering;
mod terminal;
mod tls;
mod tokens;
mod tools;
mod transcript;
mod updates;
mod upgrades;
mod watch;
mod watch_histories;
