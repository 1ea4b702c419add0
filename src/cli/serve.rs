//! `userpool serve`.

use std::{
    io::{self, Write as _},
    path::PathBuf,
    process,
    sync::Arc,
};

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::telemetry::logging;
use crate::{
    app::Source,
    auth::{Grants, Pattern},
    server::{Config, Server},
    telemetry::{error_chain, spans::Collector},
    transport::{Capacity, Endpoint},
    user_pool::Limits,
};

use super::{
    error::CliError,
    outcome::Outcome,
    output::{print, print_note},
    security::Security,
    settings::Settings,
};

#[derive(Debug, Args)]
#[command(after_help = "A flag counts before its environment variable, that before the settings \
                        file, and that before the default.\n\nExample:\n  userpool serve \
                        --config userpool.toml --check-config")]
pub(super) struct ServeCommand {
    /// A TOML file with settings: the flags' names without the dashes before them, such as
    /// listen = "127.0.0.1:50051"; lists as arrays.
    #[arg(long, env = "USERPOOL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the settings and where each is from, as a settings file, and do nothing else.
    #[arg(long)]
    print_config: bool,
    /// Check the settings and the files that they name, tell all that is wrong, and do nothing
    /// else. Exit code 0: they can be used. 1: they cannot.
    #[arg(long, conflicts_with = "print_config")]
    check_config: bool,
    /// Where to listen: HOST:PORT (port 0 takes a free one) or unix:PATH.
    #[arg(
        long,
        env = "USERPOOL_LISTEN",
        value_name = "ENDPOINT",
        default_value = "127.0.0.1:50051"
    )]
    listen: Endpoint,
    /// Where to keep the log and the read model; created where it does not exist.
    #[arg(long, env = "USERPOOL_DATA_DIR", value_name = "DIR", default_value = "./data")]
    data_dir: PathBuf,
    /// The prefix of user pool IDs; fixed for a data directory once it is there.
    #[arg(long, env = "USERPOOL_REGION", default_value = "us-east-1", value_parser = region)]
    region: String,
    /// The AWS account ID that domains show as their owner: 12 digits.
    #[arg(long, env = "USERPOOL_ACCOUNT_ID", default_value = "000000000000", value_parser = account_id)]
    account_id: String,
    /// How many custom attributes a user pool may have: 50 on AWS today, which is also the most
    /// that one request can name; 25 in 2017.
    #[arg(long, env = "USERPOOL_MAX_CUSTOM_ATTRIBUTES", value_name = "N", default_value_t = 50)]
    max_custom_attributes: usize,
    /// How many user pools there may be.
    #[arg(long, env = "USERPOOL_MAX_USER_POOLS", value_name = "N", default_value_t = 10_000_000)]
    max_user_pools: u64,
    /// How many tags a user pool may have.
    #[arg(long, env = "USERPOOL_MAX_TAGS", value_name = "N", default_value_t = 50)]
    max_tags: usize,
    /// How many MiB of user pools to keep in memory; the others are read from the disk. sled counts
    /// late what it has read, so the process takes up to 300 MiB more.
    #[arg(long, env = "USERPOOL_CACHE_MIB", value_name = "MIB", default_value_t = 256)]
    cache_mib: u64,
    /// How many connections there may be, within ulimit -n; more are closed at once.
    #[arg(long, env = "USERPOOL_MAX_CONNECTIONS", value_name = "N", default_value_t = 10_000)]
    max_connections: usize,
    /// How many calls that read may run at a time; more are refused at once.
    #[arg(long, env = "USERPOOL_MAX_READS", value_name = "N", default_value_t = 512)]
    max_reads: usize,
    /// How many watches may be open; more are refused at once.
    #[arg(long, env = "USERPOOL_MAX_WATCHES", value_name = "N", default_value_t = 4096)]
    max_watches: usize,
    /// How many watches one connection may have open; more are refused at once.
    #[arg(
        long,
        env = "USERPOOL_MAX_WATCHES_PER_CONNECTION",
        value_name = "N",
        default_value_t = 64
    )]
    max_watches_per_connection: usize,
    /// Who may read: certificate:SUBJECT, token:SUBJECT, local:uid=N or anonymous, with commas
    /// between them; * in a subject stands for anything without a slash, ** for anything. A
    /// subject with a comma goes into the settings file.
    #[arg(long, env = "USERPOOL_READERS", value_name = "CALLERS", value_delimiter = ',')]
    readers: Vec<Pattern>,
    /// Who may read and change, in the same form. With neither readers nor writers, every caller
    /// may do everything.
    #[arg(long, env = "USERPOOL_WRITERS", value_name = "CALLERS", value_delimiter = ',')]
    writers: Vec<Pattern>,
    /// Where to serve metrics for Prometheus (/metrics), and whether the server is alive and ready
    /// (/healthz, /readyz), over HTTP: HOST:PORT or unix:PATH. Anyone who can connect is answered.
    /// Absent: nowhere.
    #[arg(long, env = "USERPOOL_METRICS_LISTEN", value_name = "ENDPOINT")]
    metrics_listen: Option<Endpoint>,
    /// Where to send spans: http://HOST:PORT of an OpenTelemetry collector nearby that takes OTLP
    /// over gRPC. Only in a build with the feature otel. Absent: nowhere.
    #[arg(long, env = "USERPOOL_OTLP_ENDPOINT", value_name = "URL")]
    otlp_endpoint: Option<Collector>,
    /// How to write the log of the process, which goes to stderr.
    #[arg(long, env = "USERPOOL_LOG_FORMAT", value_name = "FORMAT", default_value = "auto")]
    log_format: logging::Format,
    /// What to log: a level (error, warn, info, debug, trace), or directives per module. SIGUSR1
    /// adds userpool=debug, SIGUSR2 takes it away.
    #[arg(
        long,
        env = "USERPOOL_LOG",
        value_name = "FILTER",
        default_value = "info,sled=warn",
        value_parser = logging::filter
    )]
    log: String,
    // Last, because its heading holds for all that comes after it.
    #[command(flatten)]
    security: Security,
}

impl ServeCommand {
    pub(super) async fn run(
        self,
        settings: &Settings,
        source: Arc<dyn Source>,
    ) -> Result<Outcome, CliError> {
        if self.print_config {
            print(settings.to_toml().trim_end())?;
            return Ok(Outcome::Success);
        }
        if self.check_config {
            return checked(&self.into_config()?).await;
        }
        logging::start(self.log_format, &self.log)?;
        let stops = StopSignals::listen()?;
        let config = self.into_config()?;
        let stop = stops.first();
        tokio::pin!(stop);
        let ready = tokio::select! {
            ready = Server::start(config, source) => ready?,
            // A read model that is half built goes on from there at the next start.
            () = &mut stop => return Ok(Outcome::Success),
        };
        // For whoever started it: with port 0 there is no other way to know.
        writeln!(io::stdout(), "userpool listening on {}", ready.endpoint())?;
        ready.serve(stop).await?;
        Ok(Outcome::Success)
    }

    /// What the server is started with.
    fn into_config(self) -> Result<Config, CliError> {
        Ok(Config {
            listen: self.listen,
            data_dir: self.data_dir,
            region: self.region,
            account_id: self.account_id,
            limits: Limits {
                custom_attributes: self.max_custom_attributes,
                user_pools: self.max_user_pools,
                tags: self.max_tags,
            },
            cache: self.cache_mib.saturating_mul(1024 * 1024),
            connections: self.max_connections,
            metrics_listen: self.metrics_listen,
            otlp_endpoint: self.otlp_endpoint,
            capacity: Capacity {
                reads: self.max_reads,
                watches: self.max_watches,
                watches_per_connection: self.max_watches_per_connection,
            },
            grants: Grants { readers: self.readers, writers: self.writers },
            tls: self.security.tls()?,
            tokens: self.security.tokens()?,
            insecure: self.security.insecure(),
        })
    }
}

/// Says what is wrong with the settings, in a line each.
async fn checked(config: &Config) -> Result<Outcome, CliError> {
    let problems = config.check().await;
    for problem in &problems {
        print_note(&error_chain(problem));
    }
    if problems.is_empty() {
        print("the settings can be used")?;
    }
    Ok(if problems.is_empty() { Outcome::Success } else { Outcome::Negative })
}

/// The signals that stop the server: the first in order, the second at once.
struct StopSignals {
    terminated: Signal,
    interrupted: Signal,
}

impl StopSignals {
    fn listen() -> io::Result<Self> {
        let terminated = signal(SignalKind::terminate())?;
        Ok(Self { terminated, interrupted: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminated.recv() => (),
            _ = self.interrupted.recv() => (),
        }
    }

    /// Waits for the first, and sees to it that a second one is not waited with.
    async fn first(mut self) {
        self.next().await;
        tokio::spawn(async move {
            self.next().await;
            tracing::warn!("stopped by a second signal, without waiting for what runs");
            // Nothing is tidied up: that is what may hang. What is acknowledged is kept.
            process::exit(1);
        });
    }
}

fn account_id(text: &str) -> Result<String, String> {
    let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { Ok(text.to_owned()) } else { Err("expected 12 digits".to_owned()) }
}

/// Source: the part of Cognito's `UserPoolIdType` before the underscore, short
/// enough for an ID to have 55 characters at most.
fn region(text: &str) -> Result<String, String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let fits = (1..=45).contains(&text.len()) && text.bytes().all(legal);
    let expected = "expected 1 to 45 letters, digits and hyphens, such as us-east-1";
    if fits { Ok(text.to_owned()) } else { Err(expected.to_owned()) }
}
