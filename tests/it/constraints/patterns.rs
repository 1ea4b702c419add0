//! Which values each of Cognito's patterns accepts and refuses, in particular where
//! Java and Rust differ: `\w` and `\s` are ASCII, `.` matches line ends too, and a
//! value must match as a whole.

use std::{iter, ops::RangeInclusive};

/// Sample values for a pattern.
pub(super) struct Samples {
    pub(super) pattern: &'static str,
    /// The beginning of a value of any length.
    begins: &'static str,
    /// Its repeated character: one of one byte, and one of three bytes if allowed.
    narrow: char,
    wide: Option<char>,
    /// The longest value that the pattern itself accepts.
    most: usize,
    pub(super) inside: &'static [&'static str],
    pub(super) outside: &'static [&'static str],
}

impl Samples {
    /// The samples of a pattern, which must be in the table.
    pub(super) fn of(pattern: &str) -> &'static Self {
        TABLE.iter().find(|samples| samples.pattern == pattern).expect("samples of the pattern")
    }

    /// The lengths of the generated values that the pattern accepts.
    pub(super) fn lengths(&self) -> RangeInclusive<usize> {
        self.begins.chars().count().max(1)..=self.most
    }

    /// A value of this many characters.
    pub(super) fn value(&self, length: usize) -> String {
        self.filled(length, self.narrow)
    }

    /// The same, with characters of three bytes.
    pub(super) fn wide_value(&self, length: usize) -> Option<String> {
        self.wide.map(|wide| self.filled(length, wide))
    }

    fn filled(&self, length: usize, fill: char) -> String {
        self.begins.chars().chain(iter::repeat(fill)).take(length).collect()
    }
}

const ARN: &str = r"arn:[\w+=/,.@-]+:[\w+=/,.@-]+:([\w+=/,.@-]*)?:[0-9]+:[\w+=/,.@-]+(:[\w+=/,.@-]+)?(:[\w+=/,.@-]+)?";
const EMAIL_MESSAGE: &str =
    r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*\{####\}[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*";
const EMAIL_MESSAGE_BY_LINK: &str = r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*\{##[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*##\}[\p{L}\p{M}\p{S}\p{N}\p{P}\s*]*";
const EMAIL_ADDRESS: &str = r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+@[\p{L}\p{M}\p{S}\p{N}\p{P}]+";

/// Stands for a text without a pattern.
pub(super) const ANY_TEXT: &str = "";

static TABLE: [Samples; 13] = [
    Samples {
        pattern: ANY_TEXT,
        begins: "",
        narrow: 'a',
        wide: Some('界'),
        most: usize::MAX,
        inside: &["a b\n\u{0}"],
        outside: &[],
    },
    Samples {
        pattern: r"^[a-zA-Z0-9_-]+$",
        begins: "",
        narrow: 'a',
        wide: None,
        most: usize::MAX,
        inside: &["aZ09_-"],
        outside: &["a b", "a.b", "é", "a\n", "\na"],
    },
    Samples {
        pattern: r"[\w\s+=,.@-]+",
        begins: "",
        narrow: 'a',
        wide: None,
        most: usize::MAX,
        inside: &["aZ09_", "+=,.@-", " ", "a\nb\n", "\t\u{b}\u{c}\r"],
        outside: &[
            "プール",
            "é",
            "ª",
            "٣",
            "a\u{301}",
            "a/b",
            "a!",
            "a\u{85}b",
            "a\u{a0}b",
            "a\u{2028}b",
            "a\u{0}",
        ],
    },
    Samples {
        pattern: r"[\w-]+_[0-9a-zA-Z]+",
        begins: "a_0",
        narrow: '0',
        wide: None,
        most: usize::MAX,
        inside: &["us-east-1_AbCdEfGhI", "_-_Z", "__0"],
        outside: &[
            "a",
            "_0",
            "a_",
            "é_0",
            "a_é",
            "a_٣",
            "a_0\n",
            "\na_0",
            "a_0 ",
            "a_0-",
            "a.b_0",
            "a_0\u{85}",
        ],
    },
    Samples {
        pattern: ARN,
        begins: "arn:a:b::0:r",
        narrow: 'r',
        wide: None,
        most: usize::MAX,
        inside: &[
            "arn:aws:iam::123456789012:role/service-role/sms",
            "arn:aws:lambda:eu-west-1:123456789012:function:name",
            "arn:aws:lambda:eu-west-1:123456789012:function:name:1",
            "arn:aws:ses:eu-west-1:1:identity/a+b=c,d.e@f-g_h",
        ],
        outside: &[
            "arn:aws:lambda:eu-west-1:123456789012",
            "arn:aws:lambda:eu-west-1:123456789012:",
            "arn:aws:lambda:eu-west-1::function:name",
            "arn:aws:lambda:eu-west-1:x:function:name",
            "arn:aws::eu-west-1:123456789012:name",
            "arn::iam::123456789012:role/name",
            "arn:aws:lambda:eu-west-1:123456789012:function:name:1:2",
            "arn:aws:iam::123456789012:role/é",
            "arn:aws:iam::١٢٣:role/some-name",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:iam::123456789012:role/a\n",
            "\narn:aws:iam::123456789012:role/a",
            "arn:aws:iam::123456789012:role/a\u{85}",
            "urn:aws:iam::123456789012:role/a",
        ],
    },
    Samples {
        pattern: r".*\{####\}.*",
        begins: "{####}",
        narrow: 'a',
        wide: Some('プ'),
        most: usize::MAX,
        inside: &["a{####}", "a\n{####}\r\n", "\u{85}{####}\u{2028}", "{{####}}", "\u{0}{####}"],
        // Three characters in nine bytes.
        outside: &["プール", "######", "{###}a", "{#####}", "{## ##}", "{username}"],
    },
    Samples {
        pattern: EMAIL_MESSAGE,
        begins: "{####}",
        narrow: 'a',
        wide: Some('プ'),
        most: usize::MAX,
        inside: &["a{####}", "<b>é\n\t\r\u{b}\u{c}</b> {####} a\u{301} ∑ ٣ 😀", "{####}{####}"],
        outside: &[
            "プール",
            "######",
            "{###}a",
            "{#####}",
            "{####}\u{0}",
            "\u{7}{####}",
            "{####}\u{85}",
            "\u{a0}{####}",
            "{####}\u{2028}",
            "{####}\u{200b}",
        ],
    },
    Samples {
        pattern: EMAIL_MESSAGE_BY_LINK,
        begins: "{##a##}",
        narrow: 'a',
        wide: Some('プ'),
        most: usize::MAX,
        inside: &["{##a##}", "é\n{##\nClick é ∑\t##}\r\n😀", "{##{##a##}##}"],
        outside: &[
            "プール",
            "######",
            "{##a#}",
            "{#a##}",
            "##}{##",
            "{##\u{85}##}",
            "\u{a0}{##a##}",
            "{##a##}\u{0}",
            "{##a##}\u{2028}",
        ],
    },
    Samples {
        pattern: r"[\p{L}\p{M}\p{S}\p{N}\p{P}\s]+",
        begins: "",
        narrow: 'a',
        wide: Some('プ'),
        most: usize::MAX,
        inside: &["Hello, a\u{301} ∑ ٣!", " ", "a\nb\n", "\t\u{b}\u{c}\r", "😀"],
        outside: &["a\u{0}", "\u{7}", "a\u{85}", "a\u{a0}b", "\u{2028}", "a\u{200b}b"],
    },
    Samples {
        pattern: EMAIL_ADDRESS,
        begins: "a@b",
        narrow: 'c',
        wide: Some('プ'),
        most: usize::MAX,
        inside: &["support@example.com", "@@@", "ポスト@例え.jp", "\"a\"@[::1]", "∑@a\u{301}"],
        outside: &[
            "a",
            "",
            "@b",
            "a@",
            "a b@c",
            "a@b ",
            "a@b\n",
            "\na@b",
            "a\u{85}@b",
            "a@\u{a0}b",
        ],
    },
    Samples {
        pattern: r"[\p{L}\p{M}\p{S}\p{N}\p{P}]+",
        begins: "",
        narrow: 'a',
        wide: Some('プ'),
        most: usize::MAX,
        inside: &["a:b-c_d", "é", "a\u{301}", "∑", "٣", "😀", "{}"],
        outside: &[" ", "a b", "a\n", "\na", "a\tb", "a\u{85}", "a\u{a0}b", "a\u{200b}b", "\u{0}"],
    },
    Samples {
        pattern: r"^[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?$",
        begins: "",
        narrow: 'a',
        wide: None,
        most: 63,
        inside: &["0", "a-b", "a--b", "9z"],
        outside: &["-", "-a", "a-", "A", "aB", "é", "a_b", "a.b", "a b", "a\n", "\na", "a\u{85}"],
    },
    Samples {
        // Unlike the other patterns, this one excludes only ASCII space.
        pattern: r"[\S]+",
        begins: "",
        narrow: 'a',
        wide: Some('プ'),
        most: usize::MAX,
        inside: &["!", "é", "\u{85}", "\u{a0}", "\u{2028}", "\u{0}"],
        outside: &[" ", "a b", "a\n", "\na", "a\tb", "\u{b}", "\u{c}", "\r"],
    },
];
