//! The patterns of Cognito's shapes.
//!
//! They are Java's: `\w` and `\s` are ASCII, and the whole value must match. The
//! service lets `.` match line ends (its patterns begin with `(?s)` today).

use std::sync::LazyLock;

use regex::Regex;

/// A pattern that a whole value must match.
#[derive(Debug)]
pub(super) struct Pattern {
    /// The pattern as Cognito shows it.
    pub(super) cognito: &'static str,
    /// What it allows, for people.
    pub(super) allows: &'static str,
    regex: LazyLock<Regex>,
}

impl Pattern {
    pub(super) fn matches(&self, value: &str) -> bool {
        self.regex.is_match(value)
    }
}

#[expect(clippy::expect_used, reason = "constants, each of which a test compiles")]
fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a regular expression")
}

/// A pattern with Cognito's spelling and, where Rust reads it otherwise, ours.
macro_rules! pattern {
    ($name:ident, $cognito:literal, $rust:expr, $allows:literal) => {
        pub(super) static $name: Pattern = Pattern {
            cognito: $cognito,
            allows: $allows,
            regex: LazyLock::new(|| compile(concat!(r"\A(?s:", $rust, r")\z"))),
        };
    };
}

/// Java's `\s`, for use inside a class.
macro_rules! space {
    () => {
        r" \t\n\x0B\f\r"
    };
}

/// Letters, marks, symbols, numbers, punctuation.
macro_rules! printable {
    () => {
        r"\p{L}\p{M}\p{S}\p{N}\p{P}"
    };
}

// Source: Cognito `UserPoolNameType`.
pattern!(
    POOL_NAME,
    r"[\w\s+=,.@-]+",
    concat!(r"[0-9A-Za-z_", space!(), r"+=,.@\-]+"),
    "may have ASCII letters, digits, spaces and _ + = , . @ -"
);

// Source: Cognito `UserPoolIdType`.
pattern!(
    USER_POOL_ID,
    r"[\w-]+_[0-9a-zA-Z]+",
    r"[0-9A-Za-z_\-]+_[0-9a-zA-Z]+",
    "must look like us-east-1_AbCdEfGhI: a region, an underscore, letters and digits"
);

// Source: Cognito `ArnType`.
pattern!(
    ARN,
    r"arn:[\w+=/,.@-]+:[\w+=/,.@-]+:([\w+=/,.@-]*)?:[0-9]+:[\w+=/,.@-]+(:[\w+=/,.@-]+)?(:[\w+=/,.@-]+)?",
    concat!(
        r"arn:[0-9A-Za-z_+=/,.@\-]+:[0-9A-Za-z_+=/,.@\-]+:[0-9A-Za-z_+=/,.@\-]*:[0-9]+:",
        r"[0-9A-Za-z_+=/,.@\-]+(?::[0-9A-Za-z_+=/,.@\-]+){0,2}"
    ),
    "must be an ARN: arn:partition:service:region:account:resource"
);

// Source: Cognito `SmsVerificationMessageType`.
pattern!(
    SMS_MESSAGE,
    r".*\{####\}.*",
    r".*\{####\}.*",
    "must contain {####}, the place of the code"
);

// Source: Cognito `EmailVerificationMessageType`.
pattern!(
    EMAIL_MESSAGE,
    r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*\{####\}[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*",
    concat!("[", printable!(), space!(), r"]*\{####\}[", printable!(), space!(), "]*"),
    "must contain {####}, the place of the code, and no control characters but line ends and tabs"
);

// Source: Cognito `EmailVerificationMessageByLinkType`.
pattern!(
    EMAIL_MESSAGE_BY_LINK,
    r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*\{##[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*##\}[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*",
    concat!(
        "[",
        printable!(),
        space!(),
        r"]*\{##[",
        printable!(),
        space!(),
        r"]*##\}[",
        printable!(),
        space!(),
        "]*"
    ),
    "must contain {##text of the link##}, and no control characters but line ends and tabs"
);

// Source: Cognito `EmailVerificationSubjectType`, `EmailVerificationSubjectByLinkType`.
pattern!(
    EMAIL_SUBJECT,
    r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s]+",
    concat!("[", printable!(), space!(), "]+"),
    "may have letters, digits, symbols, punctuation and spaces"
);

// Source: Cognito `EmailAddressType`.
pattern!(
    EMAIL_ADDRESS,
    r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+@[\p{L}\p{M}\p{S}\p{N}\p{P}]+",
    concat!("[", printable!(), "]+@[", printable!(), "]+"),
    "must be an email address, without spaces"
);

// Source: Cognito `CustomAttributeNameType`.
pattern!(
    ATTRIBUTE_NAME,
    r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+",
    concat!("[", printable!(), "]+"),
    "may have letters, digits, symbols and punctuation, but no spaces"
);

// Source: Cognito `DomainType`.
pattern!(
    DOMAIN,
    r"^[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?$",
    r"[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?",
    "may have lower-case letters, digits and, not at either end, hyphens"
);

// Source: Cognito `PaginationKeyType`.
pattern!(PAGINATION_KEY, r"[\S]+", concat!("[^", space!(), "]+"), "must be a token from a page");
