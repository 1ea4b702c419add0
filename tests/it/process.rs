//! The real process: its output, its end, and the errors that prevent its start.

mod config_file;
mod config_warnings;
mod documentation;
mod kill;
mod log_colors;
mod log_name;
mod logging;
mod overload;
mod permissions;
mod settings;
mod shutdown;
mod shutdown_under_load;
mod socket;
mod startup_errors;
mod stderr;
mod targets;

use crate::{binary::Process, support::pools};

#[tokio::test(flavor = "multi_thread")]
async fn the_chosen_address_is_printed() {
    let directory = tempfile::TempDir::new().expect("a directory");
    let server = Process::start(directory.path()).await;
    let port = server.address().strip_prefix("127.0.0.1:").expect("the host that was asked for");
    assert_ne!(port.parse::<u16>().expect("a port"), 0);
    assert_eq!(pools(&mut server.client().await).await, []);
    assert!(server.terminate("TERM").await.status.success());
}
