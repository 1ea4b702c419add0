//! Signature Version 4 of AWS, for requests without a query.
//!
//! Source: "Create a signed AWS API request" in the IAM User Guide.

use http::{HeaderMap, HeaderName, header::AUTHORIZATION};
use ring::{digest, hmac};

use super::BadSignature;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The end of every scope.
const TERMINATOR: &str = "aws4_request";
/// The longest key ID that is recorded, in characters.
const MAX_KEY_ID_CHARS: usize = 128;

/// The parts of the header `Authorization`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authorization<'a> {
    pub(crate) key_id: &'a str,
    /// The day, as `YYYYMMDD`.
    pub(super) day: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
    /// The names of the signed headers, separated by semicolons.
    pub(super) signed_headers: &'a str,
    /// In hexadecimal digits.
    pub(super) signature: &'a str,
}

impl<'a> Authorization<'a> {
    /// Reads the header.
    pub(super) fn read(headers: &'a HeaderMap) -> Result<Self, BadSignature> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let value = values.next().ok_or(BadSignature::Missing)?;
        if values.next().is_some() {
            return Err(BadSignature::Malformed("there is more than one"));
        }
        let value = value.to_str().map_err(|_| BadSignature::Malformed("it is not ASCII"))?;
        let (scheme, parameters) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            return Err(BadSignature::BearerToken);
        }
        if scheme != ALGORITHM {
            return Err(BadSignature::Malformed("it begins with another algorithm"));
        }
        let find = |name: &str| {
            let mut values = parameters.split(',').filter_map(|parameter| {
                let (found, value) = parameter.trim().split_once('=')?;
                (found == name).then_some(value)
            });
            values.next().filter(|_| values.next().is_none())
        };
        let credential = find("Credential");
        let credential = credential.ok_or(BadSignature::Malformed("it needs one Credential"))?;
        let signed_headers = find("SignedHeaders");
        let signed_headers =
            signed_headers.ok_or(BadSignature::Malformed("it needs one SignedHeaders"))?;
        let signature = find("Signature");
        let signature = signature.ok_or(BadSignature::Malformed("it needs one Signature"))?;
        let [key_id, day, region, service, TERMINATOR] =
            credential.split('/').collect::<Vec<_>>()[..]
        else {
            return Err(BadSignature::Malformed("the Credential has another form"));
        };
        Ok(Self { key_id, day, region, service, signed_headers, signature })
    }

    /// Whether a header is signed.
    pub(super) fn signs(&self, name: &str) -> bool {
        self.signed_headers.split(';').any(|signed| signed == name)
    }

    /// Checks the signature in constant time.
    pub(super) fn verify(
        &self,
        secret: &str,
        at: &str,
        method: &str,
        headers: &HeaderMap,
        body: &[u8],
    ) -> Result<(), BadSignature> {
        let Self { day, region, service, signed_headers, signature, .. } = self;
        let signature = data_encoding::HEXLOWER
            .decode(signature.as_bytes())
            .map_err(|_| BadSignature::Malformed("the Signature is not in hexadecimal digits"))?;
        let canonical = canonical_request(method, headers, signed_headers, body)?;
        let message = format!(
            "{ALGORITHM}\n{at}\n{day}/{region}/{service}/{TERMINATOR}\n{}",
            hex_digest(canonical.as_bytes())
        );
        // Derived for each request: that takes less time than to hash the request.
        let mut key = mac(format!("AWS4{secret}").as_bytes(), day);
        for part in [*region, *service, TERMINATOR] {
            key = mac(key.as_ref(), part);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_ref());
        hmac::verify(&key, message.as_bytes(), &signature).map_err(|_| BadSignature::Mismatch)
    }
}

/// The key ID and the region in a signature that is not verified; both are only claims.
/// `None` if there is no signature.
///
/// # Errors
/// There is a bearer token, which is no signature and would otherwise be ignored in silence.
pub(crate) fn claimed_credential(
    headers: &HeaderMap,
) -> Result<Option<(String, String)>, BadSignature> {
    match Authorization::read(headers) {
        Ok(Authorization { key_id, region, .. }) => {
            let is_printable = |letter: &char| letter.is_ascii_graphic();
            let key_id = key_id.chars().filter(is_printable).take(MAX_KEY_ID_CHARS).collect();
            Ok(Some((key_id, region.chars().take(MAX_KEY_ID_CHARS).collect())))
        }
        Err(BadSignature::BearerToken) => Err(BadSignature::BearerToken),
        Err(_) => Ok(None),
    }
}

fn canonical_request(
    method: &str,
    headers: &HeaderMap,
    signed_headers: &str,
    body: &[u8],
) -> Result<String, BadSignature> {
    let mut canonical = format!("{method}\n/\n\n");
    for name in signed_headers.split(';') {
        let known = HeaderName::from_bytes(name.as_bytes()).ok();
        let known = known.filter(|known| headers.contains_key(known));
        let known = known.ok_or(BadSignature::Malformed("a signed header is missing"))?;
        canonical.push_str(name);
        let mut separator = ':';
        for value in headers.get_all(known) {
            let value = value.to_str().map_err(|_| BadSignature::Mismatch)?;
            canonical.push(separator);
            canonical.push_str(&value.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
            separator = ',';
        }
        canonical.push('\n');
    }
    canonical.extend(["\n", signed_headers, "\n", &hex_digest(body)]);
    Ok(canonical)
}

fn hex_digest(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn mac(key: &[u8], message: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes())
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::{Authorization, BadSignature};

    /// The example key of AWS's documentation.
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    // Here, because the door is another service than that of AWS's test suite, whose vectors
    // are the published ones.
    #[test]
    fn the_published_vectors_verify() {
        for (method, headers, signed, body, signature) in [
            (
                "GET",
                vec![],
                "host;x-amz-date",
                "",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            (
                "POST",
                vec![],
                "host;x-amz-date",
                "",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            ),
            (
                "POST",
                vec![("content-type", "application/x-www-form-urlencoded")],
                "content-type;host;x-amz-date",
                "Param1=value1",
                "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            ),
            (
                "GET",
                vec![("my-header1", " value1"), ("my-header2", " \"a   b   c\"")],
                "host;my-header1;my-header2;x-amz-date",
                "",
                "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
            ),
        ] {
            let authorization = format!(
                "AWS4-HMAC-SHA256 \
                 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
                 SignedHeaders={signed}, Signature={signature}"
            );
            let mut all = HeaderMap::new();
            all.insert("host", "example.amazonaws.com".parse().expect("a value"));
            all.insert("x-amz-date", "20150830T123600Z".parse().expect("a value"));
            all.insert("authorization", authorization.parse().expect("a value"));
            for (name, value) in headers {
                all.insert(name, value.parse().expect("a value"));
            }
            let verify = |secret: &str, body: &str| {
                let read = Authorization::read(&all).expect("a signature");
                read.verify(secret, "20150830T123600Z", method, &all, body.as_bytes())
            };
            assert_eq!(verify(SECRET, body), Ok(()), "{signed}");
            assert_eq!(verify(SECRET, "other"), Err(BadSignature::Mismatch));
            assert_eq!(verify("other", body), Err(BadSignature::Mismatch));
        }
    }
}
