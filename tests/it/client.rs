//! The crate's own client: it repeats what may be repeated, and nothing else; it is
//! never left waiting; and it goes on where it was.

mod calls;
mod credentials;
mod examples;
mod proxy;
mod retries;
mod watches;
