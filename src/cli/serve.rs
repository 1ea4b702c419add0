//! `userpool serve`: the server, until a signal stops it.

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use clap::{Args, ValueEnum};
use http::Uri;

use crate::{
    app::{ClockSettings, Source},
    audit::checkpoint,
    auth::{AccessKeySettings, CallerPattern, Grants},
    aws::{AwsApi, Origin},
    server::{CheckpointInterval, Config, Server, WitnessAddress},
    telemetry::{error_chain, logging, spans::Collector},
    transport::{Capacity, Endpoint, MaxConnectionAge},
    user_pool::Limits,
};

use super::{
    database::DatabaseArgs,
    error::CliError,
    os_argument,
    outcome::Outcome,
    output::{print, print_note},
    replica::ReplicaArgs,
    security::SecurityArgs,
    settings::Settings,
    stop_signals::StopSignals,
};

#[derive(Debug, Args)]
#[command(after_help = "A flag overrides its environment variable, which overrides the settings \
                        file, which overrides the default.\n\nExample:\n  userpool serve \
                        --config userpool.toml --check-config")]
pub(super) struct ServeCommand {
    /// Read settings from this TOML file. A key is the name of a flag without the leading dashes,
    /// such as listen = "127.0.0.1:50051"; a list is an array.
    #[arg(long, env = "USERPOOL_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the settings as a settings file, with the origin of each, and exit.
    #[arg(long)]
    print_config: bool,
    /// Check the settings and the files that they name, print every problem, and exit. Exit code: 0
    /// if they are valid, 1 if they are not.
    #[arg(long, conflicts_with = "print_config")]
    check_config: bool,
    /// Listen on this address: HOST:PORT (port 0 picks a free one) or unix:PATH.
    #[arg(
        long,
        env = "USERPOOL_LISTEN",
        value_name = "ENDPOINT",
        default_value = "127.0.0.1:50051",
        value_parser = os_argument::endpoint()
    )]
    listen: Endpoint,
    /// Keep the log, unless it is in a database, and the read model in this directory, which is
    /// created if it does not exist.
    #[arg(long, env = "USERPOOL_DATA_DIR", value_name = "DIR", default_value = "./data")]
    data_dir: PathBuf,
    /// Sign checkpoints with this key. A log in a database requires it, the same file for each of
    /// its servers. If omitted, the key in the data directory, which is created if it does not
    /// exist.
    #[arg(long, env = "USERPOOL_SIGNING_KEY", value_name = "FILE")]
    signing_key: Option<PathBuf>,
    /// Use this prefix for user pool IDs. It is fixed once the data directory exists.
    #[arg(long, env = "USERPOOL_REGION", default_value = "us-east-1", value_parser = region)]
    region: String,
    /// Show this AWS account ID as the owner of domains: 12 digits.
    #[arg(long, env = "USERPOOL_ACCOUNT_ID", default_value = "000000000000", value_parser = account_id)]
    account_id: String,
    /// Allow at most this many custom attributes per user pool. AWS allows 50, which is also the
    /// limit of one request; in 2017 it allowed 25.
    #[arg(long, env = "USERPOOL_MAX_CUSTOM_ATTRIBUTES", value_name = "N", default_value_t = 50)]
    max_custom_attributes: usize,
    /// Allow at most this many user pools.
    #[arg(long, env = "USERPOOL_MAX_USER_POOLS", value_name = "N", default_value_t = 10_000_000)]
    max_user_pools: u64,
    /// Allow at most this many tags per user pool.
    #[arg(long, env = "USERPOOL_MAX_TAGS", value_name = "N", default_value_t = 50)]
    max_tags: usize,
    /// Cache this many MiB of user pools in memory; the others are read from disk. Each user pool
    /// also takes about 70 bytes, cached or not.
    #[arg(long, env = "USERPOOL_CACHE_MIB", value_name = "MIB", default_value_t = 256)]
    cache_mib: u64,
    /// Report a clock that jumps ahead by more than this many hours, or at the start is further
    /// ahead of the last event: a wrong time would stay in the history.
    #[arg(long, env = "USERPOOL_MAX_CLOCK_JUMP_HOURS", value_name = "HOURS", default_value_t = 24)]
    max_clock_jump_hours: u64,
    /// What to do about such a clock: warn of it, or refuse to start and to record anything.
    #[arg(long, env = "USERPOOL_CLOCK_JUMP", value_name = "ACTION", default_value = "warn")]
    clock_jump: ClockJump,
    /// Sign a checkpoint this often if there are new events, and keep it in checkpoints.jsonl in the
    /// data directory; one is also signed at each stop. Expects a duration, such as 10m or 1h, or
    /// off.
    #[arg(
        long,
        env = "USERPOOL_CHECKPOINT_INTERVAL",
        value_name = "DURATION",
        default_value = "1h"
    )]
    checkpoint_interval: CheckpointInterval,
    /// Ask these witnesses to cosign each of these checkpoints, separated by commas: URL+NAME+HASH+KEY,
    /// the URL of the witness and the key that it prints. A witness that does not answer delays the
    /// next checkpoint by at most 10 seconds, and nothing else.
    #[arg(long, env = "USERPOOL_WITNESS", value_name = "WITNESSES", value_delimiter = ',')]
    witness: Vec<WitnessAddress>,
    /// Use this name for the log in checkpoints, such as example.com/userpool: without spaces and
    /// plus signs, and never changed, because under another name it is another log; the server warns
    /// of that. If omitted, userpool/ and the log ID.
    #[arg(long, env = "USERPOOL_CHECKPOINT_ORIGIN", value_name = "NAME")]
    checkpoint_origin: Option<checkpoint::Origin>,
    /// Allow at most this many connections, within ulimit -n; further ones are closed at once.
    #[arg(long, env = "USERPOOL_MAX_CONNECTIONS", value_name = "N", default_value_t = 10_000)]
    max_connections: usize,
    /// End a connection at this age, at the latest 40 seconds later; clients connect again, and
    /// resume watches. A certificate or authority that became invalid stays in use no longer.
    /// Expects a duration, such as 30m or 1h, or off.
    #[arg(
        long,
        env = "USERPOOL_MAX_CONNECTION_AGE",
        value_name = "DURATION",
        default_value = "1h"
    )]
    max_connection_age: MaxConnectionAge,
    /// Allow at most this many concurrent reads; further ones are refused at once.
    #[arg(long, env = "USERPOOL_MAX_READS", value_name = "N", default_value_t = 512)]
    max_reads: usize,
    /// Allow at most this many open watches; further ones are refused at once.
    #[arg(long, env = "USERPOOL_MAX_WATCHES", value_name = "N", default_value_t = 4096)]
    max_watches: usize,
    /// Allow at most this many open watches per connection; further ones are refused at once.
    #[arg(
        long,
        env = "USERPOOL_MAX_WATCHES_PER_CONNECTION",
        value_name = "N",
        default_value_t = 64
    )]
    max_watches_per_connection: usize,
    /// Hold at most this many MiB for clients: requests that arrive, responses that wait to be
    /// read, and 16 KiB for each call. When there is no more, the oldest unread responses of the
    /// client with most of them are dropped, and then calls are refused.
    #[arg(long, env = "USERPOOL_CLIENT_MEMORY_MIB", value_name = "MIB", default_value_t = 256)]
    client_memory_mib: u64,
    /// Grant the role reader to these callers, separated by commas: certificate:SUBJECT,
    /// token:SUBJECT, access-key:NAME, local:uid=N or anonymous. In a subject, * matches any text
    /// without a slash and ** any text. A subject with a comma must be in the settings file.
    #[arg(long, env = "USERPOOL_READERS", value_name = "CALLERS", value_delimiter = ',')]
    readers: Vec<CallerPattern>,
    /// Grant the role writer to these callers, in the same format; a writer can read as well. If
    /// there are neither readers nor writers, every caller may do everything.
    #[arg(long, env = "USERPOOL_WRITERS", value_name = "CALLERS", value_delimiter = ',')]
    writers: Vec<CallerPattern>,
    /// Serve metrics for Prometheus (/metrics) and probes (/healthz, /readyz) over HTTP on this
    /// address: HOST:PORT or unix:PATH. Callers are not authenticated. If omitted, they are not
    /// served.
    #[arg(
        long,
        env = "USERPOOL_METRICS_LISTEN",
        value_name = "ENDPOINT",
        value_parser = os_argument::endpoint()
    )]
    metrics_listen: Option<Endpoint>,
    /// Serve AWS clients, such as boto3, the AWS CLI and Terraform, on this address: HOST:PORT or
    /// unix:PATH. With http:// before it, it is the endpoint URL of the client. If omitted, they
    /// are not served.
    #[arg(
        long,
        env = "USERPOOL_AWS_LISTEN",
        value_name = "ENDPOINT",
        value_parser = os_argument::endpoint()
    )]
    aws_listen: Option<Endpoint>,
    /// Verify the signatures of AWS clients with the access keys in this TOML file, which must not
    /// be world-readable. It is reloaded when it changes and on SIGHUP. If omitted, signatures are
    /// not looked at.
    #[arg(long, env = "USERPOOL_AWS_CREDENTIALS", value_name = "FILE")]
    aws_credentials: Option<PathBuf>,
    /// Allow web pages of these origins, separated by commas, to call --aws-listen. All others are
    /// refused.
    #[arg(long, env = "USERPOOL_AWS_ALLOW_ORIGIN", value_name = "ORIGINS", value_delimiter = ',')]
    aws_allow_origin: Vec<Origin>,
    /// Answer AWS clients as this version of the AWS API. With 2017-12-11, members that AWS added
    /// later are ignored in requests and left out of answers, and later operations are unknown.
    #[arg(long, env = "USERPOOL_AWS_API", value_name = "VERSION", default_value = "today")]
    aws_api: AwsApi,
    /// Serve the web console, which reads and changes nothing, on this address: HOST:PORT or
    /// unix:PATH. Whoever has the role reader can look: with a client certificate, which is asked for
    /// but never required here, or with a bearer token that a proxy passes on. If omitted, it is not
    /// served.
    #[arg(
        long,
        env = "USERPOOL_CONSOLE_LISTEN",
        value_name = "ENDPOINT",
        value_parser = os_argument::endpoint()
    )]
    console_listen: Option<Endpoint>,
    /// Answer requests for the console under these host names, separated by commas, and those of this
    /// machine. Others are refused, because a web page could make its own name lead here.
    #[arg(
        long,
        env = "USERPOOL_CONSOLE_HOSTS",
        value_name = "HOSTS",
        value_delimiter = ',',
        value_parser = host
    )]
    console_hosts: Vec<String>,
    /// Link each page of the console to this dashboard, at https:// or http://, for example one that
    /// was made of deploy/grafana. If omitted, there is no link.
    #[arg(
        long,
        env = "USERPOOL_CONSOLE_DASHBOARD",
        value_name = "URL",
        value_parser = web_address
    )]
    console_dashboard: Option<String>,
    /// Send spans to the OpenTelemetry collector at http://HOST:PORT, with OTLP over gRPC. Requires
    /// a build with the feature otel. If omitted, no spans are sent.
    #[arg(long, env = "USERPOOL_OTLP_ENDPOINT", value_name = "URL")]
    otlp_endpoint: Option<Collector>,
    /// Write the process log, which goes to stderr, in this format.
    #[arg(long, env = "USERPOOL_LOG_FORMAT", value_name = "FORMAT", default_value = "auto")]
    log_format: logging::Format,
    /// Log at this level (error, warn, info, debug, trace), or with directives per module. SIGUSR1
    /// adds userpool=debug, SIGUSR2 removes it.
    #[arg(
        long,
        env = "USERPOOL_LOG",
        value_name = "FILTER",
        default_value = "info,fjall=warn,lsm_tree=warn,sled=warn",
        value_parser = logging::filter
    )]
    log: String,
    // Last, because their headings apply to every flag after them.
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    replica: ReplicaArgs,
    #[command(flatten)]
    security: SecurityArgs,
}

/// What to do about a clock that jumps ahead.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ClockJump {
    /// Log a warning.
    Warn,
    /// Record nothing.
    Refuse,
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
            return check(&self.into_config()?).await;
        }
        let _log = logging::start(self.log_format, &self.log)?;
        let stops = StopSignals::listen()?;
        let config = self.into_config()?;
        let stop = stops.first();
        tokio::pin!(stop);
        let server = tokio::select! {
            server = Server::start(config, source) => server?,
            // If it was building the read model, the next start begins again.
            () = &mut stop => return Ok(Outcome::Success),
        };
        // With port 0 the caller has no other way to learn the port.
        print(&format!("userpool listening on {}", server.endpoint()))?;
        if let Some(url) = server.aws_url() {
            print(&format!("userpool listening for AWS clients on {url}"))?;
        }
        if let Some(url) = server.console_url() {
            print(&format!("userpool console on {url}"))?;
        }
        server.serve(stop).await?;
        Ok(Outcome::Success)
    }

    /// Converts the arguments to the configuration of the server.
    fn into_config(self) -> Result<Config, CliError> {
        Ok(Config {
            listen: self.listen,
            data_dir: self.data_dir,
            postgres: self.database.settings()?,
            signing_key: self.signing_key,
            region: self.region,
            account_id: self.account_id,
            limits: Limits {
                custom_attributes: self.max_custom_attributes,
                user_pools: self.max_user_pools,
                tags: self.max_tags,
            },
            cache: self.cache_mib.saturating_mul(1024 * 1024),
            clock: ClockSettings {
                max_jump: Duration::from_secs(self.max_clock_jump_hours.saturating_mul(3600)),
                refuses_jumps: matches!(self.clock_jump, ClockJump::Refuse),
            },
            reads: self.replica.reads(),
            max_lag: self.replica.max_lag(),
            replica: self.replica.name(),
            checkpoint_origin: self.checkpoint_origin,
            checkpoint_interval: self.checkpoint_interval,
            witnesses: self.witness,
            connections: self.max_connections,
            max_connection_age: self.max_connection_age,
            metrics_listen: self.metrics_listen,
            aws_listen: self.aws_listen,
            aws_credentials: self.aws_credentials.map(|file| AccessKeySettings { file }),
            aws_allow_origin: self.aws_allow_origin,
            aws_api: self.aws_api,
            console_listen: self.console_listen,
            console_hosts: self.console_hosts,
            console_dashboard: self.console_dashboard,
            otlp_endpoint: self.otlp_endpoint,
            capacity: Capacity {
                reads: self.max_reads,
                watches: self.max_watches,
                watches_per_connection: self.max_watches_per_connection,
                client_memory: usize::try_from(self.client_memory_mib.saturating_mul(1024 * 1024))
                    .unwrap_or(usize::MAX),
            },
            grants: Grants { readers: self.readers, writers: self.writers },
            tls: self.security.tls()?,
            tokens: self.security.tokens()?,
            insecure: self.security.insecure(),
        })
    }
}

/// Prints the problems of the settings, one per line.
async fn check(config: &Config) -> Result<Outcome, CliError> {
    let problems = config.check().await;
    for problem in &problems {
        print_note(&error_chain(problem));
    }
    if problems.is_empty() {
        print("the settings are valid")?;
    }
    Ok(if problems.is_empty() { Outcome::Success } else { Outcome::Negative })
}

fn account_id(text: &str) -> Result<String, String> {
    let digits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { Ok(text.to_owned()) } else { Err("expected 12 digits".to_owned()) }
}

/// Source: the part of Cognito's `UserPoolIdType` before the underscore, short
/// enough for an ID to have 55 characters at most.
pub(super) fn region(text: &str) -> Result<String, String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let fits = (1..=45).contains(&text.len()) && text.bytes().all(legal);
    let expected = "expected 1 to 45 letters, digits and hyphens, such as us-east-1";
    if fits { Ok(text.to_owned()) } else { Err(expected.to_owned()) }
}

/// A host name or an address, without a port.
fn host(text: &str) -> Result<String, String> {
    let is_name = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let is_host = (is_name && !text.is_empty()) || text.parse::<IpAddr>().is_ok();
    let expected = "expected a host name or an address without a port, such as pools.example.org";
    if is_host { Ok(text.to_owned()) } else { Err(expected.to_owned()) }
}

/// An address that a browser opens as a page; not, for example, a script.
fn web_address(text: &str) -> Result<String, String> {
    let is_page = |address: &Uri| {
        matches!(address.scheme_str(), Some("https" | "http")) && address.host().is_some()
    };
    match text.parse::<Uri>() {
        Ok(address) if is_page(&address) => Ok(text.to_owned()),
        _ => Err("expected an address at https:// or http://".to_owned()),
    }
}
