//! The settings of a server.

use std::{path::PathBuf, time::Duration};

use super::{CheckpointInterval, WitnessAddress};
use crate::{
    app,
    audit::checkpoint,
    auth::{AccessKeySettings, Grants, TokenSettings},
    aws::{AwsApi, Origin},
    event_log::PostgresSettings,
    telemetry::spans::Collector,
    transport::{Capacity, Endpoint, MaxConnectionAge, ServerTls},
    user_pool::Limits,
};

/// The settings of a server.
#[derive(Debug, Clone)]
pub struct Config {
    /// The address to listen on.
    pub listen: Endpoint,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The database of the log; `None` if the log is in the data directory.
    pub postgres: Option<PostgresSettings>,
    /// The key that signs checkpoints; `None` for the one in the data directory.
    pub signing_key: Option<PathBuf>,
    /// The prefix of user pool IDs.
    pub region: String,
    /// The AWS account ID in every ARN and every description of a domain: 12 digits.
    pub account_id: String,
    /// The limits of user pools.
    pub limits: Limits,
    /// How many bytes of user pools are cached in memory, approximately.
    pub cache: u64,
    /// What to do about a clock that jumps ahead.
    pub clock: app::ClockSettings,
    /// What reads show, if servers share the log.
    pub reads: app::ReadSettings,
    /// How long an event of a log that servers share may not be visible before the server is not
    /// ready.
    pub max_lag: Duration,
    /// The name of this server among those that share its log.
    pub replica: String,
    /// The name of the log in checkpoints; `None` for one with its ID.
    pub checkpoint_origin: Option<checkpoint::Origin>,
    /// How often a checkpoint is signed and kept.
    pub checkpoint_interval: CheckpointInterval,
    /// The witnesses that are asked to cosign each of these checkpoints.
    pub witnesses: Vec<WitnessAddress>,
    /// The maximum number of open connections; lowered if `ulimit -n` is lower.
    pub connections: usize,
    /// How long a connection may be open.
    pub max_connection_age: MaxConnectionAge,
    /// The maximum number of concurrent calls.
    pub capacity: Capacity,
    /// The roles of callers.
    pub grants: Grants,
    /// The address for metrics, liveness and readiness; `None` to not serve them.
    pub metrics_listen: Option<Endpoint>,
    /// The address for AWS clients; `None` to serve none.
    pub aws_listen: Option<Endpoint>,
    /// The access keys that AWS clients must sign with; `None` to not look at signatures.
    pub aws_credentials: Option<AccessKeySettings>,
    /// The web pages that may call the address for AWS clients.
    pub aws_allow_origin: Vec<Origin>,
    /// The version of the AWS API that AWS clients are answered as.
    pub aws_api: AwsApi,
    /// The address of the web console; `None` to serve none.
    pub console_listen: Option<Endpoint>,
    /// The host names that the console answers to, besides those of this machine.
    pub console_hosts: Vec<String>,
    /// The address of a dashboard that the console links to.
    pub console_dashboard: Option<String>,
    /// The certificates for TCP connections; `None` for no TLS.
    pub tls: Option<ServerTls>,
    /// The bearer tokens to accept; `None` to accept none.
    pub tokens: Option<TokenSettings>,
    /// Whether to allow an address that other machines can reach without TLS.
    pub insecure: bool,
    /// The collector to send spans to, if any.
    pub otlp_endpoint: Option<Collector>,
}

impl Config {
    /// The default settings, with this address and data directory.
    #[must_use]
    pub fn new(listen: Endpoint, data_dir: PathBuf) -> Self {
        Self {
            listen,
            data_dir,
            postgres: None,
            signing_key: None,
            region: "us-east-1".to_owned(),
            account_id: "000000000000".to_owned(),
            limits: Limits::default(),
            cache: app::CACHE,
            clock: app::ClockSettings::default(),
            reads: app::ReadSettings::default(),
            max_lag: Duration::from_secs(10),
            replica: String::new(),
            checkpoint_origin: None,
            checkpoint_interval: CheckpointInterval::default(),
            witnesses: Vec::new(),
            connections: 10_000,
            max_connection_age: MaxConnectionAge::default(),
            capacity: Capacity::default(),
            grants: Grants::default(),
            metrics_listen: None,
            aws_listen: None,
            aws_credentials: None,
            aws_allow_origin: Vec::new(),
            aws_api: AwsApi::Today,
            console_listen: None,
            console_hosts: Vec::new(),
            console_dashboard: None,
            tls: None,
            tokens: None,
            insecure: false,
            otlp_endpoint: None,
        }
    }
}
