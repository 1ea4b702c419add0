//! The patterns of Cognito's shapes.
//!
//! They are patterns of Java: `\w` and `\s` are ASCII, and the whole value must match. In
//! Cognito, `.` also matches line breaks (today its patterns begin with `(?s)`).

use std::sync::LazyLock;

use regex::Regex;

/// A pattern that a whole value must match.
#[derive(Debug)]
pub(super) struct FieldPattern {
    /// The pattern as Cognito shows it.
    pub(super) cognito: &'static str,
    /// The rule, for people.
    pub(super) description: &'static str,
    regex: LazyLock<Regex>,
}

impl FieldPattern {
    pub(super) fn matches(&self, value: &str) -> bool {
        self.regex.is_match(value)
    }
}

#[expect(clippy::expect_used, reason = "the patterns are constants; a test compiles each of them")]
fn compile(pattern: &str) -> Regex {
    Regex::new(pattern).expect("a regular expression")
}

/// A pattern in Cognito's spelling, then in one that means the same in Rust.
macro_rules! pattern {
    ($name:ident, $cognito:literal, $rust:expr, $description:literal) => {
        pub(super) static $name: FieldPattern = FieldPattern {
            cognito: $cognito,
            description: $description,
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
    "may contain only ASCII letters, digits, white space and _ + = , . @ -"
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
    "must contain {####}, the placeholder for the code"
);

// Source: Cognito `EmailVerificationMessageType`.
pattern!(
    EMAIL_MESSAGE,
    r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*\{####\}[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*",
    concat!("[", printable!(), space!(), r"]*\{####\}[", printable!(), space!(), "]*"),
    "must contain {####}, the placeholder for the code, and no control characters except line \
     breaks and tabs"
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
    "must contain {##text of the link##}, and no control characters except line breaks and tabs"
);

// Source: Cognito `EmailVerificationSubjectType`, `EmailVerificationSubjectByLinkType`.
pattern!(
    EMAIL_SUBJECT,
    r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s]+",
    concat!("[", printable!(), space!(), "]+"),
    "may contain only letters, digits, symbols, punctuation and spaces"
);

// Source: Cognito `EmailAddressType`.
pattern!(
    EMAIL_ADDRESS,
    r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+@[\p{L}\p{M}\p{S}\p{N}\p{P}]+",
    concat!("[", printable!(), "]+@[", printable!(), "]+"),
    "must be an email address without spaces"
);

// Source: Cognito `SESConfigurationSet`.
pattern!(
    CONFIGURATION_SET,
    r"^[a-zA-Z0-9_-]+$",
    r"[a-zA-Z0-9_\-]+",
    "may contain only ASCII letters, digits, _ and -"
);

// Source: Cognito `CustomAttributeNameType`.
pattern!(
    ATTRIBUTE_NAME,
    r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+",
    concat!("[", printable!(), "]+"),
    "may contain only letters, digits, symbols and punctuation"
);

// Source: Cognito `DomainType`.
pattern!(
    DOMAIN,
    r"^[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?$",
    r"[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?",
    "may contain only lower-case letters, digits and hyphens, and no hyphen at either end"
);

// Source: Cognito `DomainType`, whose pattern is that of a prefix, and the developer guide on
// custom domains.
pattern!(
    CUSTOM_DOMAIN,
    r"^[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?$",
    r"[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9\-]*[a-z0-9])?)+",
    "must be a fully qualified domain name in lower case, such as auth.example.com"
);

// A prefix or a custom domain.
pattern!(
    DOMAIN_NAME,
    r"^[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?$",
    r"[a-z0-9](?:[a-z0-9\-\.]{0,61}[a-z0-9])?",
    "may contain only lower-case letters, digits, hyphens and dots, and must begin and end with a \
     letter or a digit"
);

// The beginning of a domain name.
pattern!(
    DOMAIN_PREFIX,
    r"^[a-z0-9][a-z0-9\-]{0,62}$",
    r"[a-z0-9][a-z0-9\-\.]{0,62}",
    "may contain only lower-case letters, digits, hyphens and dots, and must begin with a letter \
     or a digit"
);

// Source: Cognito `PaginationKeyType`.
pattern!(
    PAGINATION_KEY,
    r"[\S]+",
    concat!("[^", space!(), "]+"),
    "must be the token of a previous page"
);
