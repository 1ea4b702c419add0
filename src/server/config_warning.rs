//! Warnings about settings that cannot have the intended effect, but do not prevent a start.

use crate::{
    auth::Grants,
    aws::AwsApi,
    proto::ActorKind,
    transport::{Capacity, Endpoint, listen::Reach},
};

use super::config::Config;

/// A setting without effect. The message contains a remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigWarning {
    /// A limit is 0.
    #[error("--{setting} is 0, which admits nothing: set it to at least 1")]
    ZeroLimit {
        /// The limit.
        setting: &'static str,
    },
    /// Two listeners have the same endpoint, and only one of them can be bound.
    #[error("{endpoint} is both --{first} and --{second}: set them to different endpoints")]
    SharedEndpoint {
        /// The endpoint.
        endpoint: Endpoint,
        /// A setting that has it.
        first: &'static str,
        /// Another setting that has it.
        second: &'static str,
    },
    /// A setting of a listener is set, but there is no such listener.
    #[error("--{setting} has no effect without --{listener}: set that as well")]
    NoListener {
        /// The setting.
        setting: &'static str,
        /// The setting of the listener.
        listener: &'static str,
    },
    /// The certificate for the console has a key that browsers refuse.
    #[error(
        "browsers refuse the certificate {certificate}, because its key is Ed25519: for \
         --console-listen, set --tls-cert to one with a key on the curve P-256"
    )]
    Ed25519Certificate {
        /// The file.
        certificate: String,
    },
    /// There are witnesses, but no checkpoints that they are asked to cosign.
    #[error("--witness has no effect with --checkpoint-interval off: set an interval, such as 1h")]
    IdleWitnesses,
    /// A role is granted to a kind of caller that cannot reach the server.
    #[error("--{setting} grants a role to {kind} callers, but there are none: {reason}")]
    NoSuchCallers {
        /// The setting with the grant.
        setting: &'static str,
        /// The kind, as grants name it.
        kind: &'static str,
        /// Why there are no such callers, and how to change that.
        reason: &'static str,
    },
}

/// Returns all warnings about a configuration. Those about callers depend on where the
/// listeners can be reached from whose connections can tell who calls.
pub(super) fn all(config: &Config, reaches: &[Reach]) -> Vec<ConfigWarning> {
    let mut all = zero_limits(config);
    all.extend(shared_endpoints(config));
    if config.checkpoint_interval.0.is_none() && !config.witnesses.is_empty() {
        all.push(ConfigWarning::IdleWitnesses);
    }
    all.extend(settings_without_listener(config));
    all.extend(ed25519_certificate(config));
    if !reaches.is_empty() {
        all.extend(grants_without_callers(config, reaches));
    }
    all
}

fn shared_endpoints(config: &Config) -> Vec<ConfigWarning> {
    let listeners = [
        ("listen", Some(&config.listen)),
        ("metrics-listen", config.metrics_listen.as_ref()),
        ("aws-listen", config.aws_listen.as_ref()),
        ("console-listen", config.console_listen.as_ref()),
    ];
    let mut warnings = Vec::new();
    for (index, (first, endpoint)) in listeners.iter().enumerate() {
        let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.has_any_port()) else { continue };
        for (second, other) in listeners.iter().skip(index + 1) {
            if *other == Some(endpoint) {
                let endpoint = endpoint.clone();
                warnings.push(ConfigWarning::SharedEndpoint { endpoint, first, second });
            }
        }
    }
    warnings
}

fn settings_without_listener(config: &Config) -> Vec<ConfigWarning> {
    let (aws, console) =
        (("aws-listen", &config.aws_listen), ("console-listen", &config.console_listen));
    let settings = [
        ("aws-credentials", config.aws_credentials.is_some(), aws),
        ("aws-allow-origin", !config.aws_allow_origin.is_empty(), aws),
        ("aws-api", config.aws_api != AwsApi::Today, aws),
        ("console-hosts", !config.console_hosts.is_empty(), console),
        ("console-dashboard", config.console_dashboard.is_some(), console),
    ];
    let idle =
        settings.into_iter().filter(|(_, is_set, (_, endpoint))| *is_set && endpoint.is_none());
    idle.map(|(setting, _, (listener, _))| ConfigWarning::NoListener { setting, listener })
        .collect()
}

/// Chromium knows no such certificates: `ERR_SSL_PROTOCOL_ERROR`.
pub(super) fn ed25519_certificate(config: &Config) -> Option<ConfigWarning> {
    let endpoint = config.console_listen.as_ref()?;
    let tls = config.tls.as_ref().filter(|tls| tls.has_ed25519_key())?;
    let certificate = tls.certificate.display().to_string();
    matches!(endpoint, Endpoint::Tcp(_))
        .then_some(ConfigWarning::Ed25519Certificate { certificate })
}

fn zero_limits(config: &Config) -> Vec<ConfigWarning> {
    let Capacity { reads, watches, watches_per_connection, client_memory } = config.capacity;
    let limits = [
        ("max-connections", config.connections == 0),
        ("max-reads", reads == 0),
        ("client-memory-mib", client_memory == 0),
        // Both are 0 to admit no watches.
        ("max-watches-per-connection", watches_per_connection == 0 && watches > 0),
    ];
    let zero = limits.into_iter().filter(|(_, is_zero)| *is_zero);
    zero.map(|(setting, _)| ConfigWarning::ZeroLimit { setting }).collect()
}

fn grants_without_callers(config: &Config, reaches: &[Reach]) -> Vec<ConfigWarning> {
    let Grants { readers, writers } = &config.grants;
    let mut warnings = Vec::new();
    for (setting, patterns) in [("readers", readers), ("writers", writers)] {
        for (kind, name) in [
            (ActorKind::Certificate, "certificate"),
            (ActorKind::Token, "token"),
            (ActorKind::AccessKey, "access-key"),
            (ActorKind::LocalProcess, "local"),
            (ActorKind::Anonymous, "anonymous"),
        ] {
            let is_granted = patterns.iter().any(|pattern| pattern.kind() == kind);
            if let Some(reason) = no_callers(config, reaches, kind).filter(|_| is_granted) {
                warnings.push(ConfigWarning::NoSuchCallers { setting, kind: name, reason });
            }
        }
    }
    warnings
}

/// Why no caller of this kind can reach the server; `None` if one can.
fn no_callers(config: &Config, reaches: &[Reach], kind: ActorKind) -> Option<&'static str> {
    let has_socket = reaches.contains(&Reach::File);
    let has_address = reaches.iter().any(|reach| *reach != Reach::File);
    let clients = config.tls.as_ref().and_then(|tls| tls.clients.as_ref());
    // The console requires no certificate.
    let is_required =
        clients.is_some_and(|clients| clients.required) && config.console_listen.is_none();
    match kind {
        ActorKind::Certificate => clients.is_none().then_some(
            "clients are not asked for certificates; set --client-ca, or grant the role to others",
        ),
        ActorKind::Token if config.tokens.is_none() => Some(
            "tokens are not accepted; set --token-issuer, --token-audience and --token-keys, or \
             grant the role to others",
        ),
        ActorKind::Token => is_required.then_some(
            "every caller has a certificate, which takes precedence over a token; set \
             --client-auth optional, or grant the role to certificates",
        ),
        ActorKind::AccessKey => {
            (config.aws_listen.is_none() || config.aws_credentials.is_none()).then_some(
                "access keys are not verified; set --aws-listen and --aws-credentials, or grant the \
                 role to others",
            )
        }
        ActorKind::LocalProcess => (!has_socket).then_some(
            "only a Unix socket identifies the process that calls; listen on unix:PATH, or grant \
             the role to others",
        ),
        ActorKind::Anonymous if !has_address => Some(
            "a Unix socket identifies the process that calls; grant the role to local:uid=N, or \
             listen on HOST:PORT",
        ),
        ActorKind::Anonymous => is_required.then_some(
            "every caller has a certificate; set --client-auth optional, or grant the role to \
             certificates",
        ),
        ActorKind::Unspecified => None,
    }
}
