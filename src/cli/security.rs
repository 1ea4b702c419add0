//! The settings of TLS and tokens, and of where to listen without them.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use crate::{
    auth::{TokenAlgorithm, TokenSettings},
    transport::{ClientCertificates, Tls},
};

use super::error::CliError;

#[derive(Debug, Args)]
#[command(next_help_heading = "TLS and identity")]
pub(super) struct Security {
    /// The server's certificate in PEM, with those that lead to its authority. Loaded again when
    /// the file changes, and on SIGHUP; connections stay.
    #[arg(long, env = "USERPOOL_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The key of that certificate in PEM; not to be readable by every user of the machine.
    #[arg(long, env = "USERPOOL_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// The authorities in PEM that vouch for clients, who are then known by their certificates.
    #[arg(long, env = "USERPOOL_CLIENT_CA", value_name = "FILE")]
    client_ca: Option<PathBuf>,
    /// Whether clients must have a certificate; required where --client-ca is given and nothing
    /// else is said. One that is not valid is never accepted.
    #[arg(long, env = "USERPOOL_CLIENT_AUTH", value_name = "WHETHER")]
    client_auth: Option<ClientAuth>,
    /// Whose bearer tokens (JWTs) are taken: what they name in iss. It needs --token-audience and
    /// --token-keys as well.
    #[arg(long, env = "USERPOOL_TOKEN_ISSUER", value_name = "ISSUER")]
    token_issuer: Option<String>,
    /// For whom they must be: what they name in aud, or among others there.
    #[arg(long, env = "USERPOOL_TOKEN_AUDIENCE", value_name = "AUDIENCE")]
    token_audience: Option<String>,
    /// How they may be signed, with commas between: RS256, RS384, RS512, PS256, PS384, PS512, ES256,
    /// ES384 or EdDSA.
    #[arg(
        long,
        env = "USERPOOL_TOKEN_ALGORITHMS",
        value_name = "ALGORITHMS",
        value_delimiter = ',',
        default_value = "RS256,ES256,EdDSA"
    )]
    token_algorithms: Vec<TokenAlgorithm>,
    /// The issuer's public keys: a JWK set, or PEM. Loaded again when the file changes, and on
    /// SIGHUP.
    #[arg(long, env = "USERPOOL_TOKEN_KEYS", value_name = "FILE")]
    token_keys: Option<PathBuf>,
    /// Listen where other machines can reach it without TLS.
    #[arg(
        long,
        env = "USERPOOL_INSECURE",
        value_name = "WHETHER",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true"
    )]
    insecure: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ClientAuth {
    /// They are not asked for one.
    None,
    /// Those without one are let in, too.
    Optional,
    /// Those without one are refused.
    Required,
}

impl Security {
    pub(super) const fn insecure(&self) -> bool {
        self.insecure
    }

    /// Whose tokens are taken.
    ///
    /// # Errors
    /// One of what it takes is missing.
    pub(super) fn tokens(&self) -> Result<Option<TokenSettings>, CliError> {
        match (&self.token_issuer, &self.token_audience, &self.token_keys) {
            (Some(issuer), Some(audience), Some(keys)) => Ok(Some(TokenSettings {
                issuer: issuer.clone(),
                audience: audience.clone(),
                algorithms: self.token_algorithms.clone(),
                keys: keys.clone(),
            })),
            (None, None, None) => Ok(None),
            (_, _, _) => Err(CliError::message(
                "token-issuer, token-audience and token-keys mean something only together; give \
                 all three",
            )),
        }
    }

    /// What connections are encrypted with.
    ///
    /// # Errors
    /// One is given that means nothing without another.
    pub(super) fn tls(&self) -> Result<Option<Tls>, CliError> {
        let clients = match (self.client_auth, &self.client_ca) {
            (Some(ClientAuth::None), _) | (None, None) => None,
            (Some(ClientAuth::Optional | ClientAuth::Required), None) => {
                return Err(CliError::message(
                    "client-auth is given without client-ca: who vouches for them?",
                ));
            }
            (auth, Some(authorities)) => {
                let required = !matches!(auth, Some(ClientAuth::Optional));
                Some(ClientCertificates { authorities: authorities.clone(), required })
            }
        };
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                Ok(Some(Tls { certificate: certificate.clone(), key: key.clone(), clients }))
            }
            (Some(_), None) => {
                Err(CliError::message("tls-cert is given without tls-key; give both"))
            }
            (None, Some(_)) => {
                Err(CliError::message("tls-key is given without tls-cert; give both"))
            }
            (None, None) if clients.is_some() => Err(CliError::message(
                "client-ca is given without tls-cert and tls-key; give all three",
            )),
            (None, None) => Ok(None),
        }
    }
}
