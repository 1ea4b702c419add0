//! When certificates and revocation lists are valid, which authorities have a list, and which keys
//! certificates have.

use std::path::Path;

use tokio_rustls::rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_cert::{
    Certificate,
    crl::{CertificateList, TbsCertList},
    der::Decode as _,
    time::Time,
};

use crate::telemetry::metrics::CertificateValidity;

use super::TlsError;

/// The algorithm of Ed25519 keys (RFC 8410).
const ED25519: &str = "1.3.101.112";

/// The validity of certificates with this use. One that only rustls can parse is left out.
pub(super) fn of_certificates(
    usage: &'static str,
    certificates: &[CertificateDer<'_>],
) -> Vec<CertificateValidity> {
    let validity = |certificate: Certificate| {
        let certificate = certificate.tbs_certificate();
        CertificateValidity {
            usage,
            subject: certificate.subject().to_string(),
            serial: certificate.serial_number().to_string(),
            not_before: timestamp(certificate.validity().not_before),
            not_after: timestamp(certificate.validity().not_after),
        }
    };
    parsed(certificates).map(validity).collect()
}

/// The times of this and the next update of revocation lists.
pub(super) fn of_revocation_lists(
    path: &Path,
    lists: &[CertificateRevocationListDer<'_>],
) -> Result<Vec<CertificateValidity>, TlsError> {
    let validity = |list: TbsCertList| {
        Some(CertificateValidity {
            usage: "client_crl",
            subject: list.issuer.to_string(),
            serial: String::new(),
            not_before: timestamp(list.this_update),
            not_after: timestamp(list.next_update?),
        })
    };
    let malformed = || TlsError::MalformedRevocationList { path: path.to_owned() };
    lists.iter().map(|list| parsed_list(list).and_then(validity).ok_or_else(malformed)).collect()
}

/// The subjects of the authorities that issued none of these lists.
pub(super) fn authorities_without_list(
    authorities: &[CertificateDer<'_>],
    lists: &[CertificateRevocationListDer<'_>],
) -> impl Iterator<Item = String> {
    let issuers: Vec<_> = lists.iter().filter_map(parsed_list).map(|list| list.issuer).collect();
    parsed(authorities)
        .map(|authority| authority.tbs_certificate().subject().clone())
        .filter(move |subject| !issuers.contains(subject))
        .map(|subject| subject.to_string())
}

/// Whether the key of the first certificate is Ed25519.
pub(super) fn has_ed25519_key(certificates: &[CertificateDer<'_>]) -> bool {
    let first = parsed(certificates).next();
    first.is_some_and(|certificate| {
        let key = certificate.tbs_certificate().subject_public_key_info();
        key.algorithm.oid.to_string() == ED25519
    })
}

fn parsed_list(list: &CertificateRevocationListDer<'_>) -> Option<TbsCertList> {
    CertificateList::from_der(list).ok().map(|list: CertificateList| list.tbs_cert_list)
}

fn parsed(certificates: &[CertificateDer<'_>]) -> impl Iterator<Item = Certificate> {
    certificates.iter().filter_map(|certificate| Certificate::from_der(certificate).ok())
}

/// Seconds since the Unix epoch.
fn timestamp(time: Time) -> u64 {
    time.to_unix_duration().as_secs()
}
