//! Signs requests with Signature Version 4, apart from the server, so that its verification is
//! not tested against itself.

use ring::{digest, hmac};

/// Who signs, when, and for which service.
#[derive(Debug, Clone)]
pub(crate) struct Signer<'a> {
    pub(crate) key_id: &'a str,
    pub(crate) secret: &'a str,
    /// The date and time in the header `x-amz-date`.
    pub(crate) at: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
}

impl Signer<'_> {
    /// The header `authorization` of a `POST /` with these headers, in the order of their names.
    pub(crate) fn authorization(&self, headers: &[(&str, &str)], body: &str) -> String {
        let Self { key_id, secret, at, region, service } = *self;
        let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        let names = names.join(";");
        let lines: Vec<_> = headers.iter().map(|(name, value)| format!("{name}:{value}")).collect();
        let lines = lines.join("\n");
        let canonical = format!("POST\n/\n\n{lines}\n\n{names}\n{}", hex(body));
        let day = at.get(..8).expect("a day");
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let text = format!("AWS4-HMAC-SHA256\n{at}\n{scope}\n{}", hex(&canonical));
        let mut key = format!("AWS4{secret}").into_bytes();
        for part in [day, region, service, "aws4_request"] {
            key = mac(&key, part);
        }
        let signature = data_encoding::HEXLOWER.encode(&mac(&key, &text));
        format!(
            "AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, \
             Signature={signature}"
        )
    }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
}

fn hex(text: &str) -> String {
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    data_encoding::HEXLOWER.encode(digest.as_ref())
}
