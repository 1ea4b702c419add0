//! Certificate authorities for tests, their files, and connections with them.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, RevokedCertParams, SanType,
    SerialNumber, date_time_ymd,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Error, Identity};
use userpool::transport::{ClientCertificates, ServerTls};

/// A certificate authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) pem: String,
}

/// A certificate and its key, in PEM.
pub(crate) struct IssuedCertificate {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for a server on this machine.
    pub(crate) fn server(&self) -> IssuedCertificate {
        self.server_with(|_| ())
    }

    /// The same with this key.
    pub(crate) fn server_for(&self, key: &KeyPair) -> IssuedCertificate {
        self.issue_for(&server_params(), key)
    }

    /// The same, with a change to the certificate before it is signed.
    pub(crate) fn server_with(
        &self,
        change: impl FnOnce(&mut CertificateParams),
    ) -> IssuedCertificate {
        let mut params = server_params();
        change(&mut params);
        self.issue(&params)
    }

    /// A certificate for a client with these names.
    pub(crate) fn client(&self, common_name: &str, names: &[SanType]) -> IssuedCertificate {
        self.client_with(common_name, names, |_| ())
    }

    /// The same, with a change to the certificate before it is signed.
    pub(crate) fn client_with(
        &self,
        common_name: &str,
        names: &[SanType],
        change: impl FnOnce(&mut CertificateParams),
    ) -> IssuedCertificate {
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.distinguished_name = rcgen::DistinguishedName::new();
        if !common_name.is_empty() {
            params.distinguished_name.push(DnType::CommonName, common_name);
        }
        params.subject_alt_names = names.to_vec();
        change(&mut params);
        self.issue(&params)
    }

    /// The same with a SPIFFE ID.
    pub(crate) fn workload(&self, spiffe_id: &str) -> IssuedCertificate {
        self.client("", &[uri(spiffe_id)])
    }

    /// A revocation list with these serial numbers, from 2000 until a year.
    pub(crate) fn revocation_list(&self, serials: &[u64], next_update: i32) -> String {
        let this_update = date_time_ymd(2000, 1, 1);
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: this_update,
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update,
            next_update: date_time_ymd(next_update, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&self.issuer).expect("a list").pem().expect("PEM")
    }

    /// An authority whose certificate this one signs, with a serial number.
    pub(crate) fn intermediate(&self, name: &str, serial: u64) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.serial_number = Some(SerialNumber::from(serial));
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().expect("a key");
        let pem = params.signed_by(&key, &self.issuer).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate for a client with a SPIFFE ID and a serial number.
    pub(crate) fn numbered(&self, spiffe_id: &str, serial: u64) -> IssuedCertificate {
        self.client_with("", &[uri(spiffe_id)], |params| {
            params.serial_number = Some(SerialNumber::from(serial));
        })
    }

    fn issue(&self, params: &CertificateParams) -> IssuedCertificate {
        self.issue_for(params, &KeyPair::generate().expect("a key"))
    }

    fn issue_for(&self, params: &CertificateParams, key: &KeyPair) -> IssuedCertificate {
        let certificate = params.signed_by(key, &self.issuer).expect("a certificate").pem();
        IssuedCertificate { certificate, key: key.serialize_pem() }
    }

    /// Writes the certificate of a server and the one of this authority into a directory, and
    /// returns the TLS settings. Client certificates are not requested if `required` is `None`,
    /// and are optional if it is `Some(false)`.
    pub(crate) fn write_server_tls(&self, directory: &Path, required: Option<bool>) -> ServerTls {
        let (certificate, key) = self.server().write(directory);
        let authorities = replace(directory, "ca.crt", &self.pem);
        let clients = required.map(|required| ClientCertificates {
            authorities,
            revocation_lists: None,
            required,
        });
        ServerTls { certificate, key, clients }
    }

    /// The TLS settings of a client that trusts this authority.
    pub(crate) fn trusted(&self) -> ClientTlsConfig {
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&self.pem))
    }
}

/// The certificate of a server on this machine.
fn server_params() -> CertificateParams {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = CertificateParams::new(names).expect("names");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

impl IssuedCertificate {
    pub(crate) fn identity(&self) -> Identity {
        Identity::from_pem(&self.certificate, &self.key)
    }

    /// Accepts TLS connections.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes());
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.expect("a certificate")], key)
            .expect("a pair");
        TlsAcceptor::from(Arc::new(config))
    }

    /// Writes both into a directory and replaces existing ones.
    pub(crate) fn write(&self, directory: &Path) -> (PathBuf, PathBuf) {
        let certificate = replace(directory, "tls.crt", &self.certificate);
        (certificate, replace(directory, "tls.key", &self.key))
    }
}

/// Writes revocation lists into `crl.pem`, and adds this file to the settings.
pub(crate) fn with_revocation_lists(tls: ServerTls, files: &Path, lists: &str) -> ServerTls {
    let path = replace(files, "crl.pem", lists);
    let clients = tls.clients.map(|mut clients| {
        clients.revocation_lists = Some(path);
        clients
    });
    ServerTls { clients, ..tls }
}

/// Connects to a server that listens with TLS.
pub(crate) async fn connect(address: &str, tls: ClientTlsConfig) -> Result<Channel, Error> {
    let address = format!("https://{address}");
    Channel::from_shared(address).expect("an address").tls_config(tls)?.connect().await
}

/// Replaces a file atomically; only the owner may read it.
pub(crate) fn replace(directory: &Path, name: &str, text: &str) -> PathBuf {
    let (path, beside) = (directory.join(name), directory.join(format!("{name}.new")));
    fs::write(&beside, text).expect("written");
    fs::set_permissions(&beside, Permissions::from_mode(0o600)).expect("closed");
    fs::rename(beside, &path).expect("in place");
    path
}

pub(crate) fn uri(uri: &str) -> SanType {
    SanType::URI(uri.try_into().expect("ASCII"))
}
