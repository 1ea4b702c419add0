//! The name of a caller in its certificate.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use x509_cert::{
    Certificate,
    attr::AttributeTypeAndValue,
    der::{Decode as _, Tag, Tagged as _, oid::db::rfc4519},
    ext::pkix::{KeyUsage, SubjectAltName, name::GeneralName},
};

use crate::{
    auth::{COMMON_NAME, Identity},
    proto::ActorKind,
};

use super::spiffe_id::{self, SpiffeIdError};

/// The longest accepted name, in bytes; the limit of SPIFFE.
const MAX_NAME_BYTES: usize = 2048;

/// A certificate that was issued by a trusted authority has no usable name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SubjectError {
    #[error("cannot parse the certificate")]
    Unreadable,
    #[error("the certificate has neither a subject alternative name nor a common name")]
    NoName,
    #[error("the certificate has a SPIFFE ID and another URI; an X.509-SVID has exactly one URI")]
    SeveralUris,
    #[error("the SPIFFE ID in the certificate is invalid: {0}")]
    SpiffeId(#[from] SpiffeIdError),
    #[error("the certificate has a SPIFFE ID, but its key may sign certificates or CRLs")]
    SigningKey,
    #[error(
        "a DNS name, email address or URI in the certificate imitates a SPIFFE ID or common name"
    )]
    Spoofed,
    #[error(
        "the name in the certificate has control characters or more than {MAX_NAME_BYTES} bytes"
    )]
    Unprintable,
}

/// Returns the identity in a certificate that was verified before: its SPIFFE ID, which the
/// X509-SVID standard restricts in the same way, else the first of its subject alternative names (DNS, then URI, email and IP address), else
/// `CN=` and its common name.
pub(crate) fn identity(certificate: &[u8]) -> Result<Identity, SubjectError> {
    let certificate = Certificate::from_der(certificate).map_err(|_| SubjectError::Unreadable)?;
    let subject = subject(&certificate)?;
    if subject.len() > MAX_NAME_BYTES || subject.chars().any(char::is_control) {
        return Err(SubjectError::Unprintable);
    }
    Ok(Identity { kind: ActorKind::Certificate, subject })
}

fn subject(certificate: &Certificate) -> Result<String, SubjectError> {
    let certificate = certificate.tbs_certificate();
    let alternatives = certificate.get_extension().map_err(|_| SubjectError::Unreadable)?;
    let alternatives = alternatives.map(|(_, SubjectAltName(names))| names).unwrap_or_default();

    let mut uris = alternatives.iter().filter_map(uri);
    if uris.clone().any(spiffe_id::has_scheme) {
        let (Some(id), None) = (uris.next(), uris.next()) else {
            return Err(SubjectError::SeveralUris);
        };
        spiffe_id::check(id)?;
        let usage = certificate.get_extension().map_err(|_| SubjectError::Unreadable)?;
        if usage.is_some_and(|(_, usage): (_, KeyUsage)| usage.key_cert_sign() || usage.crl_sign())
        {
            return Err(SubjectError::SigningKey);
        }
        return Ok(id.to_owned());
    }
    let first = |of: fn(&GeneralName) -> Option<String>| {
        alternatives.iter().filter_map(of).find(|name| !name.is_empty())
    };
    let alternative = first(dns)
        .or_else(|| first(|name| uri(name).map(str::to_owned)))
        .or_else(|| first(email))
        .or_else(|| first(ip_address));
    match alternative {
        // The authority need not have checked that a DNS name is one.
        Some(name) if spiffe_id::has_scheme(&name) || name.starts_with(COMMON_NAME) => {
            Err(SubjectError::Spoofed)
        }
        Some(name) => Ok(name),
        None => {
            let name = certificate.subject().iter().find_map(common_name);
            let name = name.filter(|name| !name.is_empty());
            name.map(|name| format!("{COMMON_NAME}{name}")).ok_or(SubjectError::NoName)
        }
    }
}

fn uri(name: &GeneralName) -> Option<&str> {
    if let GeneralName::UniformResourceIdentifier(uri) = name { Some(uri.as_str()) } else { None }
}

fn dns(name: &GeneralName) -> Option<String> {
    if let GeneralName::DnsName(name) = name { Some(name.to_string()) } else { None }
}

fn email(name: &GeneralName) -> Option<String> {
    if let GeneralName::Rfc822Name(address) = name { Some(address.to_string()) } else { None }
}

fn ip_address(name: &GeneralName) -> Option<String> {
    let GeneralName::IpAddress(bytes) = name else { return None };
    let bytes = bytes.as_bytes();
    let v4 = <[u8; 4]>::try_from(bytes).map(|bytes| IpAddr::from(Ipv4Addr::from(bytes)));
    let v6 = || <[u8; 16]>::try_from(bytes).map(|bytes| IpAddr::from(Ipv6Addr::from(bytes)));
    v4.or_else(|_| v6()).ok().map(|address| address.to_string())
}

fn common_name(attribute: &AttributeTypeAndValue) -> Option<&str> {
    let is_text = matches!(
        attribute.value.tag(),
        Tag::Utf8String | Tag::PrintableString | Tag::TeletexString | Tag::Ia5String
    );
    let is_name = attribute.oid == rfc4519::COMMON_NAME && is_text;
    str::from_utf8(attribute.value.value()).ok().filter(|_| is_name)
}
