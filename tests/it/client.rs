//! The client of this crate: it retries only what is safe to retry, it never waits
//! forever, and a watch resumes where it was.

mod calls;
mod credentials;
mod examples;
mod proxy;
mod retries;
mod streams;
mod watches;
