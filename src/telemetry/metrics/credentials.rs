//! Metrics of the files with certificates and keys: when certificates expire, and whether the
//! files could be reloaded.

use prometheus_client::{
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::registrar::set;

/// How many characters of a subject a label has.
const MAX_SUBJECT_CHARS: usize = 128;

/// When a certificate or a revocation list in use is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateValidity {
    /// The use: `server`, `client_ca` or `client_crl`.
    pub usage: &'static str,
    /// The subject of the certificate, or the issuer of the list.
    pub subject: String,
    /// The serial number of the certificate; empty for a list.
    pub serial: String,
    /// The start, or the time of this list, in seconds since the Unix epoch.
    pub not_before: u64,
    /// The end, or the time of the next list.
    pub not_after: u64,
}

/// The metrics of the files. Only those of [`Metrics`](super::Metrics) are exported.
#[derive(Debug, Clone, Default)]
pub struct CredentialMetrics {
    /// `userpool_certificate_not_before_timestamp_seconds`
    not_before: Family<CertificateLabels, Gauge>,
    /// `userpool_certificate_not_after_timestamp_seconds`
    not_after: Family<CertificateLabels, Gauge>,
    /// `userpool_last_reload_successful`
    reloads: Family<[(&'static str, &'static str); 1], Gauge>,
}

type CertificateLabels = [(&'static str, String); 3];

impl CredentialMetrics {
    /// Replaces the certificates that are in use. Of several with the same labels, the first
    /// one is shown: of the lists of one issuer, it is the one that is used.
    pub fn set_certificates(&self, all: &[CertificateValidity]) {
        self.not_before.clear();
        self.not_after.clear();
        for CertificateValidity { usage, subject, serial, not_before, not_after } in
            all.iter().rev()
        {
            let subject = subject.chars().take(MAX_SUBJECT_CHARS).collect();
            let usage = (*usage).to_owned();
            let labels = [("use", usage), ("subject", subject), ("serial", serial.clone())];
            set(&self.not_before.get_or_create_owned(&labels), *not_before);
            set(&self.not_after.get_or_create_owned(&labels), *not_after);
        }
    }

    /// Sets whether the files of a name could be loaded the last time.
    pub fn set_reload(&self, name: &'static str, is_successful: bool) {
        self.reloads.get_or_create(&[("files", name)]).set(is_successful.into());
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Start of the validity of a certificate in use, or time of a CRL";
        let name = "userpool_certificate_not_before_timestamp_seconds";
        registry.register(name, help, Family::clone(&self.not_before));
        let help = "End of the validity of a certificate in use, or time of the next CRL";
        let name = "userpool_certificate_not_after_timestamp_seconds";
        registry.register(name, help, Family::clone(&self.not_after));
        let help = "1 if the files could be loaded when they last changed, otherwise 0";
        registry.register("userpool_last_reload_successful", help, Family::clone(&self.reloads));
    }
}
