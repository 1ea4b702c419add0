//! The settings of TLS and tokens.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use crate::{
    auth::{TokenAlgorithm, TokenSettings},
    transport::{ClientCertificates, ServerTls},
};

use super::error::CliError;

#[derive(Debug, Args)]
#[command(next_help_heading = "TLS and identity")]
pub(super) struct SecurityArgs {
    /// Serve TLS with the certificate chain in this PEM file. It is reloaded when it changes and on
    /// SIGHUP; open connections stay.
    #[arg(long, env = "USERPOOL_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Read the private key of --tls-cert from this PEM file, which must not be world-readable.
    #[arg(long, env = "USERPOOL_TLS_KEY", value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Authenticate clients whose certificates are signed by the authorities in this PEM file.
    #[arg(long, env = "USERPOOL_CLIENT_CA", value_name = "FILE")]
    client_ca: Option<PathBuf>,
    /// Refuse client certificates that are revoked by the CRLs in this PEM file, which must have
    /// a current one of each authority. It is reloaded when it changes and on SIGHUP.
    #[arg(long, env = "USERPOOL_CLIENT_CRL", value_name = "FILE")]
    client_crl: Option<PathBuf>,
    /// Request or require a certificate from clients. If omitted, one is required if --client-ca is
    /// set. An invalid certificate is always refused.
    #[arg(long, env = "USERPOOL_CLIENT_AUTH", value_name = "MODE")]
    client_auth: Option<ClientAuth>,
    /// Accept bearer tokens (JWTs) with this issuer (iss). Requires --token-audience and
    /// --token-keys.
    #[arg(long, env = "USERPOOL_TOKEN_ISSUER", value_name = "ISSUER")]
    token_issuer: Option<String>,
    /// Require this audience in tokens (aud, which may name others as well).
    #[arg(long, env = "USERPOOL_TOKEN_AUDIENCE", value_name = "AUDIENCE")]
    token_audience: Option<String>,
    /// Accept tokens signed with these algorithms, separated by commas: RS256, RS384, RS512, PS256,
    /// PS384, PS512, ES256, ES384 or EdDSA.
    #[arg(
        long,
        env = "USERPOOL_TOKEN_ALGORITHMS",
        value_name = "ALGORITHMS",
        value_delimiter = ',',
        default_value = "RS256,ES256,EdDSA"
    )]
    token_algorithms: Vec<TokenAlgorithm>,
    /// Verify tokens with the public keys in this file: a JWK set or PEM. It is reloaded when it
    /// changes and on SIGHUP.
    #[arg(long, env = "USERPOOL_TOKEN_KEYS", value_name = "FILE")]
    token_keys: Option<PathBuf>,
    /// Allow listening without TLS on an address that other machines can reach.
    #[arg(
        long,
        env = "USERPOOL_INSECURE",
        value_name = "BOOL",
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
    /// Request no certificate.
    None,
    /// Accept clients without a certificate.
    Optional,
    /// Refuse clients without a certificate.
    Required,
}

impl SecurityArgs {
    pub(super) const fn insecure(&self) -> bool {
        self.insecure
    }

    /// The settings of tokens, if tokens are accepted.
    ///
    /// # Errors
    /// A setting is missing.
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
                "token-issuer, token-audience and token-keys must be set together",
            )),
        }
    }

    /// The settings of TLS, if it is configured.
    ///
    /// # Errors
    /// A setting is missing.
    pub(super) fn tls(&self) -> Result<Option<ServerTls>, CliError> {
        let clients = match (self.client_auth, &self.client_ca) {
            (Some(ClientAuth::None), _) | (None, None) => None,
            (Some(ClientAuth::Optional | ClientAuth::Required), None) => {
                return Err(CliError::message("client-auth requires client-ca"));
            }
            (auth, Some(authorities)) => Some(ClientCertificates {
                authorities: authorities.clone(),
                revocation_lists: self.client_crl.clone(),
                required: !matches!(auth, Some(ClientAuth::Optional)),
            }),
        };
        if clients.is_none() && self.client_crl.is_some() {
            return Err(CliError::message("client-crl requires client-ca"));
        }
        match (&self.tls_cert, &self.tls_key) {
            (Some(certificate), Some(key)) => {
                Ok(Some(ServerTls { certificate: certificate.clone(), key: key.clone(), clients }))
            }
            (Some(_), None) => Err(CliError::message("tls-cert requires tls-key")),
            (None, Some(_)) => Err(CliError::message("tls-key requires tls-cert")),
            (None, None) if clients.is_some() => {
                Err(CliError::message("client-ca requires tls-cert and tls-key"))
            }
            (None, None) => Ok(None),
        }
    }
}
