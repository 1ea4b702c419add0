//! The log in PostgreSQL: what the suite of every engine does not cover, because it takes a
//! database that others use as well, or that fails.

mod any_server;
mod checkpoints;
mod clocks;
mod cluster;
mod disk;
mod encryption;
mod engine;
mod failovers;
mod faults;
mod members;
mod mirrors;
mod moves;
mod network;
mod node;
mod partitions;
mod patroni;
mod power_cuts;
mod programs;
mod proxy;
mod refusals;
mod replicas;
mod servers;
mod watchers;

pub(crate) use self::cluster::TestLog;
