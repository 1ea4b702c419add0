//! `userpool console`: the web console on this machine, with the identity of whoever runs it.

use std::{
    convert::Infallible,
    net::SocketAddr,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use clap::Args;
use data_encoding::BASE64URL_NOPAD;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::{
    net::{TcpListener, lookup_host},
    sync::Semaphore,
    time::sleep,
};

use crate::{
    app::Source,
    console::{ConsoleAccess, ConsoleSettings, LINK_TIMEOUT, LinkAccess, routes},
    transport::listen::ACCEPT_PAUSE,
};

use super::{
    connection::ConnectionArgs,
    error::CliError,
    outcome::Outcome,
    output::{print, print_note},
    stop_signals::StopSignals,
};

/// The most connections at the same time. A browser has six.
const MAX_CONNECTIONS: usize = 256;
/// How long a connection may wait for its next request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// The size of a secret.
const SECRET_BYTES: usize = 16;

#[derive(Debug, Args)]
#[command(
    after_help = "It prints a link that works once, within a minute, and lets in the browser that \
                  opens it. The console reads with your credentials, those of these \
                  options, and changes nothing.\n\nExample:\n  userpool console --endpoint \
                  userpool.internal:50051 --token-file /run/secrets/token"
)]
pub(super) struct ConsoleCommand {
    /// Serve the console on this address, which only this machine can reach: HOST:PORT of a loopback
    /// interface, such as 127.0.0.1:8088. Port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: String,
    /// Print the link, and do not open a browser.
    #[arg(long)]
    no_open: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl ConsoleCommand {
    pub(super) async fn run(self, source: Arc<dyn Source>) -> Result<Outcome, CliError> {
        let listener = bind(&self.listen).await?;
        let address = listener.local_addr()?;
        let connection = self.connection.to_options();
        let client = self.connection.connect().await?;
        let (link, session) = (secret()?, secret()?);
        let access = LinkAccess::new(link.clone(), session, address.port());
        let settings = ConsoleSettings {
            access: ConsoleAccess::Link(access),
            hosts: Vec::new(),
            clock: Arc::new(move || source.now()),
            connection,
            dashboard: None,
        };
        let routes = routes(client.channel(), settings);
        let stop = StopSignals::listen()?;
        let url = format!("http://{address}{}", LinkAccess::path(&link));
        print(&url)?;
        let seconds = LINK_TIMEOUT.as_secs();
        print_note(&format!("the link works once, within {seconds} seconds; stop with Ctrl-C"));
        if !self.no_open && open(&url).is_err() {
            print_note("no browser was found: open the link yourself");
        }
        tokio::select! {
            () = stop.first() => Ok(Outcome::Success),
            never = serve(listener, routes) => match never {},
        }
    }
}

/// Listens on an address of this machine.
async fn bind(address: &str) -> Result<TcpListener, CliError> {
    let cannot = |error| CliError::message(format!("cannot listen on {address}: {error}"));
    let addresses: Vec<SocketAddr> = lookup_host(address).await.map_err(cannot)?.collect();
    if !addresses.iter().all(|address| address.ip().is_loopback()) {
        return Err(CliError::message(format!(
            "cannot listen on {address}: other machines can reach it, and the console would show \
             them what you may read; use 127.0.0.1, and forward the port with ssh -L"
        )));
    }
    TcpListener::bind(addresses.as_slice()).await.map_err(cannot)
}

/// A secret of 128 bits that can stand in an address.
fn secret() -> Result<String, CliError> {
    let mut bytes = [0; SECRET_BYTES];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|_| CliError::message("the system has no random numbers"))?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

/// Opens the address in the user's browser.
fn open(url: &str) -> std::io::Result<()> {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(program);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop)
}

async fn serve(listener: TcpListener, routes: Router) -> Infallible {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        // A connection beyond the limit is closed at once.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let routes = TowerToHyperService::new(routes.clone());
        tokio::spawn(async move {
            let mut server = auto::Builder::new(TokioExecutor::new()).http1_only();
            server.http1().timer(TokioTimer::new()).header_read_timeout(REQUEST_TIMEOUT);
            // Errors are caused by the browser.
            let _ = server.serve_connection(TokioIo::new(socket), routes).await;
            drop(place);
        });
    }
}
