//! Checks settings before a start.

use crate::{
    audit::MAX_COSIGNATURES,
    auth::{AccessKeySettings, TokenSettings},
    event_log::PostgresError,
    telemetry::spans::{SpansError, Tracer},
    transport::{
        Endpoint, ServerTls,
        listen::{self, Reach},
    },
};

use super::{
    config::Config,
    config_warning,
    data_dir::DataDir,
    error::{ServerError, cannot_listen},
    witness_client::WitnessAddress,
};

impl Config {
    /// Checks that TLS is configured if, and only if, the endpoint needs it.
    pub(super) fn check_tls(&self, reach: Reach) -> Result<(), ServerError> {
        let endpoint = self.listen.clone();
        match (reach, &self.tls) {
            (Reach::File, Some(_)) => Err(ServerError::TlsOnSocket { endpoint }),
            (Reach::Network, None) if !self.insecure => Err(ServerError::Exposed { endpoint }),
            (Reach::Network | Reach::Machine, _) | (Reach::File, None) => Ok(()),
        }
    }

    /// Checks that AWS clients on other machines use TLS and are known: by certificates or
    /// access keys.
    pub(super) fn check_aws(&self, endpoint: &Endpoint, reach: Reach) -> Result<(), ServerError> {
        let clients = self.tls.as_ref().and_then(|tls| tls.clients.as_ref());
        let are_known = clients.is_some_and(|clients| clients.required)
            || self.aws_credentials.is_some()
            || !self.grants.is_empty();
        let is_safe = self.tls.is_some() && are_known;
        match reach {
            Reach::Network if !is_safe && !self.insecure => {
                Err(ServerError::AwsExposed { endpoint: endpoint.clone() })
            }
            Reach::Network | Reach::Machine | Reach::File => Ok(()),
        }
    }

    /// Checks that a note can have the cosignatures of all witnesses: one with two signatures of
    /// one key, or with too many, is malformed.
    pub(super) fn check_witnesses(&self) -> Result<(), ServerError> {
        if self.witnesses.len() > MAX_COSIGNATURES {
            return Err(ServerError::TooManyWitnesses { count: self.witnesses.len() });
        }
        for (index, second) in self.witnesses.iter().enumerate() {
            let is_same = |first: &&WitnessAddress| first.key.is_same_witness(&second.key);
            if let Some(first) = self.witnesses.iter().take(index).find(is_same) {
                let (first, second) = (Box::new(first.clone()), Box::new(second.clone()));
                return Err(ServerError::RepeatedWitness { first, second });
            }
        }
        Ok(())
    }

    /// Checks that the console shows nothing to everyone: it asks browsers for certificates, but
    /// requires none, so that it can tell a person what is missing.
    pub(super) fn check_console(
        &self,
        endpoint: &Endpoint,
        reach: Reach,
    ) -> Result<(), ServerError> {
        let clients = self.tls.as_ref().and_then(|tls| tls.clients.as_ref());
        let is_open = self.grants.is_empty();
        let is_exposed = match reach {
            Reach::Network => is_open || self.tls.is_none(),
            Reach::Machine => is_open && clients.is_some_and(|clients| clients.required),
            Reach::File => false,
        };
        if is_exposed && !self.insecure {
            return Err(ServerError::ConsoleExposed { endpoint: endpoint.clone() });
        }
        Ok(())
    }

    /// Warns if browsers refuse the certificate.
    pub(super) fn warn_of_browsers(&self) {
        if let Some(warning) = config_warning::ed25519_certificate(self) {
            tracing::warn!("{warning}");
        }
    }

    /// Warns if callers on other machines have every role, because none is granted.
    pub(super) fn warn_of_roles(&self, listener: &str, reach: Reach) {
        if reach == Reach::Network && self.grants.is_empty() {
            tracing::warn!(
                "every client that can connect to {listener} has every role; set --readers and \
                 --writers"
            );
        }
    }

    /// Returns all problems that can be found without listening and without changing the
    /// data directory, which a running server may use. Includes each
    /// [`ConfigWarning`](super::ConfigWarning), which does not prevent a start.
    pub async fn check(&self) -> Vec<ServerError> {
        let mut problems = Vec::new();
        let reach = listen::check(&self.listen).await.map_err(cannot_listen(&self.listen));
        let known_reach = reach.as_ref().ok().copied();
        let mut reaches: Vec<_> = known_reach.into_iter().collect();
        problems.extend(reach.err());
        if let Some(endpoint) = &self.metrics_listen {
            let checked = listen::check(endpoint).await.map_err(cannot_listen(endpoint));
            problems.extend(checked.err());
        }
        if let Some(endpoint) = &self.aws_listen {
            let reach = listen::check(endpoint).await.map_err(cannot_listen(endpoint));
            // With keys, its callers are known by these.
            reaches.extend(reach.as_ref().ok().filter(|_| self.aws_credentials.is_none()));
            problems.extend(reach.and_then(|reach| self.check_aws(endpoint, reach)).err());
        }
        if let Some(endpoint) = &self.console_listen {
            let reach = listen::check(endpoint).await.map_err(cannot_listen(endpoint));
            reaches.extend(reach.as_ref().ok());
            problems.extend(reach.and_then(|reach| self.check_console(endpoint, reach)).err());
        }
        problems.extend(known_reach.and_then(|reach| self.check_tls(reach).err()));
        let tls = self.tls.as_ref().map(ServerTls::load);
        problems.extend(tls.and_then(Result::err).map(ServerError::from));
        let tokens = self.tokens.as_ref().map(TokenSettings::load);
        problems.extend(tokens.and_then(Result::err).map(ServerError::from));
        let keys = self.aws_credentials.as_ref().map(AccessKeySettings::load);
        problems.extend(keys.and_then(Result::err).map(ServerError::from));
        if let Some(settings) = &self.postgres {
            let checked = settings.check().map_err(PostgresError::from);
            problems.extend(checked.err().map(ServerError::from));
            problems.extend(self.signing_key.is_none().then_some(ServerError::NoSigningKey));
        }
        let data_dir = DataDir::check(&self.data_dir, &self.region).map_err(ServerError::from);
        problems.extend(data_dir.err());
        problems.extend(self.check_witnesses().err());
        problems.extend(self.tracer().err().map(ServerError::from));
        problems.extend(config_warning::all(self, &reaches).into_iter().map(ServerError::from));
        problems
    }

    pub(super) fn tracer(&self) -> Result<Tracer, SpansError> {
        self.otlp_endpoint.as_ref().map_or_else(|| Ok(Tracer::default()), Tracer::new)
    }
}
