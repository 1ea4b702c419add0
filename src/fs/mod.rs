//! Files: what every room that keeps one needs, each thing once. Knows nothing of
//! what is in them.

pub(crate) mod reload;
