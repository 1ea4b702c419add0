//! wip
pub mod app;
pub mod event_log;
pub mod proto;
pub mod user_pool;
