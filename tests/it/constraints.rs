//! Every field rule of Cognito's model of 2017-12-11 holds, and those of the members and the
//! operations of later years: its last allowed value is accepted and the next one is refused.
//!
//! The rules are read from `data/constraints*.json`, and the requests are built from
//! the names in them, so a member or a rule that is missing here or in the product
//! fails the test.

mod extensions;
mod invitations;
mod patterns;
mod requests;
mod violations;

use std::{collections::BTreeMap, iter};

use serde::Deserialize;
use tonic_types::StatusExt as _;

use self::{
    patterns::{ANY_TEXT, Samples},
    requests::{Change, Path, Request},
};
use crate::{
    json::data,
    support::{TestServer, metadata, reason},
};

/// The rules that are not applied, or not as field rules, with the reason.
const EXCEPTIONS: [(&str, Rule, &str); 10] = [
    ("Schema", Rule::Least, EMPTY_LIST),
    ("Policies.SignInPolicy.AllowedFirstAuthFactors", Rule::Least, EMPTY_LIST),
    ("AccountRecoverySetting.RecoveryMechanisms", Rule::Least, EMPTY_LIST),
    ("CustomAttributes", Rule::Least, "the same, but it is required"),
    ("Tags{key}", Rule::Least, "a rule for tags; see `tags`"),
    ("Tags{key}", Rule::Most, "a rule for tags; see `tags`"),
    ("Tags{value}", Rule::Least, "a text has no length below 0"),
    ("Tags{value}", Rule::Most, "a rule for tags; see `tags`"),
    ("TagKeys[]", Rule::Least, "see `tags`"),
    ("TagKeys[]", Rule::Most, "see `tags`"),
];
const EMPTY_LIST: &str =
    "protobuf does not tell an empty list from one that is left out, which is allowed";

/// The members of today that this server ignores, with all that is in them.
const IGNORED: [&str; 7] = [
    "AcrConfiguration",
    "DcrConfiguration",
    "IssuerConfiguration",
    "KeyConfiguration",
    "LambdaConfig.InboundFederation",
    "Routing",
    "SmsConfiguration.EumsSms",
];

#[derive(Debug, Deserialize)]
struct Constraints {
    operations: BTreeMap<String, Vec<Member>>,
}

/// The rules of the model for a member of a request.
#[derive(Debug, Deserialize)]
struct Member {
    #[serde(skip)]
    operation: String,
    path: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    required: bool,
    min: Option<i64>,
    max: Option<i64>,
    pattern: Option<String>,
    #[serde(rename = "enum")]
    values: Option<Vec<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Required,
    Least,
    Most,
    Pattern,
    Enum,
}

/// A change of one member of a valid request, and the expected result: success, or
/// these violations, each with its reason, the value in Cognito's text, and the
/// constraint in the text.
#[derive(Debug)]
struct Case {
    change: Change,
    refused: Vec<(&'static str, String, String)>,
    /// The text of the rule beyond the field rules that the value breaks, if it breaks one.
    broken_rule: Option<&'static str>,
}

/// An invite message needs more than its pattern asks for; see `settings::messages`.
const INVITATION: &str = "The invite message must contain {username} and {####}.";

/// No sample is the ARN of a user pool of the server.
const RESOURCE_ARN: &str = "Invalid resource ARN: the ARN of a user pool of this server is \
     arn:aws:cognito-idp:us-east-1:123456789012:userpool/ and its ID.";

/// The members of each operation in a file.
fn read(file: &str) -> BTreeMap<String, Vec<Member>> {
    let read: Constraints = serde_json::from_value(data(file)).expect("constraints");
    let operations = read.operations.into_iter().map(|(operation, members)| {
        let members = members.into_iter();
        let members = members.map(|it| Member { operation: operation.clone(), ..it }).collect();
        (operation, members)
    });
    operations.collect()
}

/// The members of today that this server has.
fn later_members() -> BTreeMap<String, Vec<Member>> {
    let mut operations = read("constraints-today.json");
    for members in operations.values_mut() {
        members.retain(|member| !IGNORED.iter().any(|ignored| member.is_in(ignored)));
    }
    operations
}

/// The members of 2017, those of today, and those of later operations.
fn constraints() -> BTreeMap<String, Vec<Member>> {
    let mut operations = read("constraints.json");
    for (operation, later) in later_members().into_iter().chain(read("constraints-operations.json"))
    {
        operations.entry(operation).or_default().extend(later);
    }
    operations
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_holds_at_its_exact_bounds() {
    let server = TestServer::start().await;
    let mut client = server.client().await;
    let (mut rules, mut accepted, mut refused) = (0, 0, 0);
    for (operation, members) in constraints() {
        for member in &members {
            rules += member.rules().len();
            let path = Path::new(&member.path);
            let valid = Request::valid(&operation, &path);
            for case in member.cases() {
                // Given a valid request that differs only in this member.
                let what = format!("{operation} {} {:?}", member.path, case.change);
                let request = valid.clone().with(&path, &case.change);

                // When it is parsed and when it is sent.
                let parsed = request.parse();
                let answer = request.send(&mut client).await;

                // Then both accept it, or both name exactly its violations.
                if case.is_accepted() {
                    accepted += 1;
                    assert_eq!(parsed, Ok(()), "{what}");
                    let refusal = answer.err().filter(|status| reason(status) == "INVALID_REQUEST");
                    assert!(refusal.is_none(), "{what}: {refusal:?}");
                    continue;
                }
                refused += 1;
                assert!(parsed.is_err(), "{what} was parsed");
                let status = answer.expect_err(&what);
                assert_eq!(status.code(), tonic::Code::InvalidArgument, "{what}");
                assert_eq!(status.message(), case.message(&path), "{what}");
                assert_eq!(reason(&status), "INVALID_REQUEST", "{what}");
                let aws_error = metadata(&status, "aws_error");
                assert_eq!(aws_error.as_deref(), Some("InvalidParameterException"), "{what}");
                let reasons = case.reasons();
                let total = metadata(&status, "violations");
                assert_eq!(total, Some(reasons.len().to_string()), "{what}");
                let details = status.get_details_bad_request().expect("a BadRequest");
                let reported: Vec<_> = details
                    .field_violations
                    .iter()
                    .map(|violation| (violation.field.as_str(), violation.reason.as_str()))
                    .collect();
                let field = request.proto_path(&path);
                let expected: Vec<_> =
                    reasons.into_iter().map(|reason| (field.as_str(), reason)).collect();
                assert_eq!(reported, expected, "{what}");
                let spoken = details
                    .field_violations
                    .iter()
                    .all(|violation| violation.description.len() > 8);
                assert!(spoken, "{what} has no explanation");
            }
        }
    }
    assert_eq!((rules, accepted, refused), (372, 667, 1489), "rules and cases");
    server.stop().await;
}

#[test]
fn the_requests_have_exactly_the_members_of_the_model() {
    for (operation, members) in constraints() {
        let modelled: Vec<_> = members.iter().map(|member| member.path.clone()).collect();
        let mut ours = requests::members(&operation);
        assert_eq!(ours.len(), modelled.len(), "{operation}");
        ours.retain(|path| !modelled.contains(path));
        assert_eq!(ours, Vec::<String>::new(), "{operation}");
    }
}

/// The version of the AWS API that the door for AWS clients answers as depends on it.
#[test]
fn exactly_the_later_members_have_a_month() {
    let months = |operations: BTreeMap<String, Vec<Member>>| {
        let months = operations.into_iter().flat_map(|(operation, members)| {
            let has_field = |member: &Member| !member.path.ends_with(['}', ']']);
            let members: Vec<_> = members.into_iter().filter(has_field).collect();
            members.into_iter().map(move |member| {
                let month = requests::aws_since(&operation, &Path::new(&member.path));
                (format!("{operation} {}", member.path), month)
            })
        });
        months.collect::<Vec<_>>()
    };
    for (member, month) in months(read("constraints.json")) {
        assert_eq!(month, None, "{member}");
    }
    let mut domains = read("constraints-operations.json");
    domains.retain(|operation, _| operation == "CreateUserPoolDomain");
    for (member, month) in months(later_members()).into_iter().chain(months(domains)) {
        let month = month.expect(&member);
        let (year, of_year) = month.split_once('-').expect("a year and a month");
        let (year, of_year): (u32, u32) =
            (year.parse().expect("a year"), of_year.parse().expect("a month"));
        assert!((2018..=2026).contains(&year) && (1..=12).contains(&of_year), "{member} {month}");
    }
}

#[test]
fn the_ignored_members_are_members_of_today() {
    let today: Vec<_> = read("constraints-today.json").into_values().flatten().collect();
    for ignored in IGNORED {
        assert!(today.iter().any(|member| member.path == ignored), "{ignored}");
    }
}

#[test]
fn every_enum_has_the_values_of_the_model_in_order() {
    for (operation, members) in constraints() {
        for member in members {
            let Some(values) = &member.values else { continue };
            let path = Path::new(&member.path);
            let ours = Request::valid(&operation, &path).enum_values(&path);
            assert_eq!(ours[0], "UNSPECIFIED", "{operation} {}", member.path);
            assert_eq!(&ours[1..], values, "{operation} {}", member.path);
        }
    }
}

#[test]
fn the_exceptions_are_rules_of_the_model() {
    for (path, rule, why) in EXCEPTIONS {
        let mut members =
            constraints().into_values().flatten().filter(|member| member.path == path);
        assert!(members.any(|member| member.all_rules().contains(&rule)), "{path}: {why}");
    }
}

impl Member {
    /// The rules that must hold.
    fn rules(&self) -> Vec<Rule> {
        let excepted =
            |rule| EXCEPTIONS.iter().any(|(path, other, _)| (*path, *other) == (&self.path, rule));
        self.all_rules().into_iter().filter(|rule| !excepted(*rule)).collect()
    }

    /// Whether it is the member at this path, or in it.
    fn is_in(&self, path: &str) -> bool {
        self.path
            .strip_prefix(path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '{']))
    }

    fn all_rules(&self) -> Vec<Rule> {
        let mut rules = Vec::new();
        rules.extend(self.required.then_some(Rule::Required));
        rules.extend(self.min.map(|_| Rule::Least));
        rules.extend(self.max.map(|_| Rule::Most));
        rules.extend(self.pattern.as_ref().map(|_| Rule::Pattern));
        rules.extend(self.values.as_ref().map(|_| Rule::Enum));
        rules
    }

    fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        if self.required {
            let text = ("REQUIRED", "null".to_owned(), "not be null".to_owned());
            cases.push(Case::new(Change::Absent, vec![text]));
        }
        let mut rules = self.rules();
        rules.retain(|rule| *rule != Rule::Required);
        match (self.kind.as_str(), &self.pattern, &self.values) {
            ("string", Some(pattern), None) => cases.extend(self.texts(pattern)),
            ("string", None, None) if !rules.is_empty() => cases.extend(self.texts(ANY_TEXT)),
            ("string", None, Some(values)) => cases.extend(self.numbers_of_an_enum(values)),
            ("integer", None, None) => cases.extend(self.integers()),
            ("list", None, None) => cases.extend(self.lists()),
            ("string" | "boolean" | "structure" | "map", None, None) => {
                assert_eq!(rules, [], "{} has untested rules", self.path);
            }
            _ => unreachable!("{self:?}"),
        }
        cases
    }

    fn texts(&self, pattern: &str) -> Vec<Case> {
        let samples = Samples::of(pattern);
        let limits = [self.min.map(|min| min - 1), self.min, self.max, self.max.map(|max| max + 1)];
        // If a rule has no limit, a long value is accepted.
        let lengths = limits.into_iter().flatten().chain(self.max.is_none().then_some(5_000));
        let mut values = Vec::new();
        for length in lengths.filter_map(|length| usize::try_from(length).ok()) {
            let matches = self.pattern.is_none() || samples.lengths().contains(&length);
            values.push((samples.value(length), matches));
            values.extend(samples.wide_value(length).map(|value| (value, matches)));
        }
        if self.is_invitation() {
            let lengths = [16].into_iter().chain(self.max).chain(self.max.map(|max| max + 1));
            values.extend(lengths.map(|length| {
                let text = "{####}{username}".chars().chain(iter::repeat('a'));
                (text.take(usize::try_from(length).expect("a length")).collect(), true)
            }));
        }
        values.extend(samples.inside.iter().map(|value| ((*value).to_owned(), true)));
        // The name of a custom domain, which the model does not mention.
        let is_known_domain = self.path == "Domain" && self.operation != "CreateUserPoolDomain";
        let is_allowed = |value: &str| is_known_domain && value == "a.b";
        let outside = samples.outside.iter();
        values.extend(outside.map(|value| ((*value).to_owned(), is_allowed(value))));
        values.into_iter().map(|(value, matches)| self.text(value, matches, pattern)).collect()
    }

    fn text(&self, value: String, matches: bool, pattern: &str) -> Case {
        let length = i64::try_from(value.chars().count()).expect("a length");
        let shown = shown(&value);
        let mut refused = Vec::new();
        let mut refuse = |reason, must| refused.push((reason, shown.clone(), must));
        if let Some(min) = self.min.filter(|min| length < *min) {
            refuse("LENGTH", format!("have length greater than or equal to {min}"));
        }
        if let Some(max) = self.max.filter(|max| length > *max) {
            refuse("LENGTH", format!("have length less than or equal to {max}"));
        }
        // The pattern of an invitation is reached only if its length is allowed.
        if !matches && (!self.is_invitation() || self.allows_length(length)) {
            refuse("PATTERN", format!("satisfy regular expression pattern: {pattern}"));
        }
        let broken_rule = match self.path.as_str() {
            "ResourceArn" => Some(RESOURCE_ARN),
            _ if self.is_invitation() && !value.contains("{username}") => Some(INVITATION),
            _ => None,
        };
        let broken_rule = broken_rule.filter(|_| refused.is_empty());
        Case { broken_rule, ..Case::new(Change::Text(value), refused) }
    }

    fn allows_length(&self, length: i64) -> bool {
        self.min.is_none_or(|min| length >= min) && self.max.is_none_or(|max| length <= max)
    }

    /// Whether this is a message that invites users.
    fn is_invitation(&self) -> bool {
        self.path.contains("InviteMessageTemplate.") && self.path.ends_with("Message")
    }

    fn integers(&self) -> Vec<Case> {
        let (min, max) = (self.min.expect("a minimum"), self.max.expect("a maximum"));
        let below = [i64::from(i32::MIN), min - 1]
            .map(|value| (value, Some(format!("have value greater than or equal to {min}"))));
        let within = [min, max].map(|value| (value, None));
        let above = [max + 1, i64::from(i32::MAX)]
            .map(|value| (value, Some(format!("have value less than or equal to {max}"))));
        let values = below.into_iter().chain(within).chain(above);
        values
            .map(|(value, must)| {
                let change = Change::Number(i32::try_from(value).expect("an int32"));
                let refused = must.map(|must| ("RANGE", format!("'{value}'"), must));
                Case::new(change, refused.into_iter().collect())
            })
            .collect()
    }

    fn numbers_of_an_enum(&self, values: &[String]) -> Vec<Case> {
        let count = i32::try_from(values.len()).expect("a small number");
        let names = values.join(", ");
        let in_list = self.path.ends_with("[]");
        let known = (1..=count).map(|number| (number, true));
        let unknown = [0, count + 1, -1, i32::MAX].map(|number| (number, false));
        known
            .chain(unknown)
            .map(|(number, known)| {
                let must = format!("satisfy enum value set: [{names}]");
                let (value, must) = if in_list {
                    (format!("'[{number}]'"), format!("satisfy constraint: [Member must {must}]"))
                } else {
                    (format!("'{number}'"), must)
                };
                let refused = if known { vec![] } else { vec![("ENUM", value, must)] };
                Case::new(Change::Enum(number), refused)
            })
            .collect()
    }

    fn lists(&self) -> Vec<Case> {
        let Some(max) = self.max.and_then(|max| usize::try_from(max).ok()) else { return vec![] };
        let value = format!("'[{} items]'", max + 1);
        let refusal = ("LENGTH", value, format!("have length less than or equal to {max}"));
        vec![
            Case::new(Change::Items(max), vec![]),
            Case::new(Change::Items(max + 1), vec![refusal]),
        ]
    }
}

impl Case {
    fn new(change: Change, refused: Vec<(&'static str, String, String)>) -> Self {
        Self { change, refused, broken_rule: None }
    }

    fn is_accepted(&self) -> bool {
        self.refused.is_empty() && self.broken_rule.is_none()
    }

    /// The reasons of the violations.
    fn reasons(&self) -> Vec<&'static str> {
        let fields = self.refused.iter().map(|(reason, ..)| *reason);
        fields.chain(self.broken_rule.map(|_| "PATTERN")).collect()
    }

    /// The message of the refusal, in the words of Cognito's framework, or of the rule.
    fn message(&self, path: &Path) -> String {
        if let Some(text) = self.broken_rule {
            return text.to_owned();
        }
        let texts = self.refused.iter().map(|(reason, value, must)| {
            let at = path.cognito_path(*reason == "PATTERN");
            format!("Value {value} at '{at}' failed to satisfy constraint: Member must {must}")
        });
        let texts: Vec<_> = texts.collect();
        let plural = if texts.len() == 1 { "" } else { "s" };
        format!("{} validation error{plural} detected: {}", texts.len(), texts.join("; "))
    }
}

/// A value in a message, truncated after 128 characters.
fn shown(value: &str) -> String {
    let start: String = value.chars().take(128).collect();
    let end = if start.len() < value.len() { "…" } else { "" };
    format!("'{start}{end}'")
}
