//! Requests for user pools that differ as those of real applications do: in their names,
//! their texts, their attributes, and in what they set at all. Every run makes the same
//! ones.

use std::collections::BTreeSet;

use userpool::proto::{
    AdminCreateUserConfig, CreateUserPoolRequest, DeviceConfiguration, EmailConfiguration,
    LambdaConfig, MessageTemplate, NumberAttributeConstraints, PasswordPolicy, SchemaAttribute,
    SmsConfiguration, StringAttributeConstraints, UserPoolAddOns, UserPoolPolicies,
    VerificationMessageTemplate, advanced_security_mode, alias_attribute, attribute_data_type,
    default_email_option, mfa_configuration, username_attribute, verified_attribute,
};

const SEED: u64 = 0x7573_6572_706f_6f6c;

/// At most nine letters, so that two of them and an underscore are the name of an
/// attribute. None is the name of a standard attribute.
#[rustfmt::skip]
const NOUNS: [&str; 72] = [
    "account", "agreement", "basket", "batch", "benefit", "billing", "branch", "broker",
    "budget", "campaign", "cargo", "carrier", "category", "channel", "claim", "clinic", "club",
    "company", "consent", "contract", "country", "coupon", "course", "currency", "customer",
    "delivery", "device", "discount", "district", "employee", "event", "expiry", "feature",
    "fleet", "format", "grade", "group", "health", "hotel", "insurance", "interest", "invoice",
    "journey", "language", "lead", "lender", "level", "license", "loan", "loyalty", "market",
    "meter", "mobile", "order", "parcel", "partner", "patient", "payment", "permit", "plan",
    "policy", "portal", "product", "project", "quota", "region", "renewal", "score", "season",
    "segment", "student", "ticket",
];
#[rustfmt::skip]
const VERBS: [&str; 24] = [
    "accept", "activate", "approve", "book", "cancel", "change", "check", "close", "collect",
    "complete", "confirm", "continue", "download", "extend", "finish", "keep", "manage", "open",
    "order", "protect", "read", "renew", "review", "use",
];
#[rustfmt::skip]
const ADJECTIVES: [&str; 24] = [
    "active", "annual", "blue", "central", "digital", "early", "european", "external", "first",
    "global", "internal", "local", "main", "monthly", "national", "new", "northern", "open",
    "personal", "premium", "preferred", "public", "shared", "temporary",
];
const NAMES: [&str; 12] = [
    "Åkerblom",
    "Bergamo",
    "Castañeda",
    "Delacroix",
    "Eichhorn",
    "Fjordkraft",
    "Göteborg",
    "Hanseatic",
    "Ibáñez",
    "Juniper",
    "Kestrel",
    "Łódź",
];
const DOMAINS: [&str; 6] =
    ["example.com", "example.org", "example.net", "mail.example", "shop.example", "id.example"];
const REGIONS: [&str; 6] =
    ["us-east-1", "us-west-2", "eu-west-1", "eu-central-1", "ap-southeast-2", "sa-east-1"];
const ENVIRONMENTS: [&str; 5] = ["production", "staging", "test", "development", "sandbox"];
const ATTRIBUTES: u64 = 20;
/// The longest SMS message of Cognito.
const SMS_CHARACTERS: usize = 140;

/// This many requests. Each is valid for the server.
pub(crate) fn requests(count: usize) -> Vec<CreateUserPoolRequest> {
    let mut random = Random(SEED);
    (0..count).map(|_| request(&mut random)).collect()
}

/// Pseudorandom numbers, by `SplitMix64`.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let scaled = (u128::from(self.number()) * u128::from(bound)) >> 64;
        u64::try_from(scaled).unwrap_or_default()
    }

    /// True in one of this many cases.
    fn one_in(&mut self, cases: u64) -> bool {
        self.below(cases) == 0
    }

    fn flag(&mut self) -> bool {
        self.one_in(2)
    }

    pub(crate) fn pick<T: Copy>(&mut self, values: &[T]) -> T {
        let index = self.below(u64::try_from(values.len()).unwrap_or_default());
        *usize::try_from(index).ok().and_then(|index| values.get(index)).expect("a value")
    }

    /// Some value in one of this many cases.
    fn sometimes<T>(&mut self, cases: u64, value: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.one_in(cases).then(|| value(self))
    }
}

fn request(random: &mut Random) -> CreateUserPoolRequest {
    let (region, account) = (random.pick(&REGIONS), digits(random, 12));
    let (team, customer) = (random.pick(&NOUNS), random.pick(&NAMES));
    let sms = random.sometimes(3, |random| sms_configuration(random, &account, team));
    let mfa = match (&sms, random.below(3)) {
        (Some(_), 0) => mfa_configuration::Value::On,
        (Some(_), 1) => mfa_configuration::Value::Optional,
        (_, _) => mfa_configuration::Value::Off,
    };
    let mut verified = vec![verified_attribute::Value::Email];
    if sms.is_some() && random.flag() {
        verified.push(verified_attribute::Value::PhoneNumber);
    }
    let (aliases, usernames) = sign_in(random);
    CreateUserPoolRequest {
        pool_name: Some(pool_name(random, team)),
        policies: random.sometimes(2, policies),
        lambda_config: random.sometimes(2, |random| lambda_config(random, region, &account)),
        auto_verified_attributes: verified.into_iter().map(i32::from).collect(),
        alias_attributes: aliases,
        username_attributes: usernames,
        sms_verification_message: sms.is_some().then(|| sms_message(random, customer)),
        email_verification_message: random.sometimes(2, |random| email_message(random, customer)),
        email_verification_subject: random.sometimes(2, |random| subject(random, customer)),
        verification_message_template: random.sometimes(4, |random| templates(random, customer)),
        sms_authentication_message: sms.is_some().then(|| sms_message(random, customer)),
        mfa_configuration: Some(mfa.into()),
        device_configuration: random.sometimes(4, |random| DeviceConfiguration {
            challenge_required_on_new_device: Some(random.flag()),
            device_only_remembered_on_user_prompt: Some(random.flag()),
        }),
        email_configuration: random
            .sometimes(2, |random| email_configuration(random, region, &account, team)),
        sms_configuration: sms,
        user_pool_tags: (0..random.below(7)).map(|_| tag(random)).collect(),
        admin_create_user_config: random.sometimes(2, |random| administration(random, customer)),
        schema: schema(random),
        user_pool_add_ons: random.sometimes(5, |random| {
            let modes = [
                advanced_security_mode::Value::Off,
                advanced_security_mode::Value::Audit,
                advanced_security_mode::Value::Enforced,
            ];
            UserPoolAddOns {
                advanced_security_mode: Some(random.pick(&modes).into()),
                advanced_security_additional_flows: None,
            }
        }),
        ..CreateUserPoolRequest::default()
    }
}

fn pool_name(random: &mut Random, team: &str) -> String {
    let environment = random.pick(&ENVIRONMENTS);
    let (adjective, noun) = (random.pick(&ADJECTIVES), random.pick(&NOUNS));
    match random.below(3) {
        0 => format!("{team}-{noun}-{environment}"),
        1 => format!("{adjective}.{noun}@{}", random.pick(&DOMAINS)),
        _ => format!("{team} {adjective} {noun}s {}", digits(random, 3)),
    }
}

fn policies(random: &mut Random) -> UserPoolPolicies {
    let minimum_length = i32::try_from(6 + random.below(19)).ok();
    let password_policy = Some(PasswordPolicy {
        minimum_length,
        require_uppercase: Some(random.flag()),
        require_lowercase: Some(random.flag()),
        require_numbers: Some(random.flag()),
        require_symbols: Some(random.flag()),
        ..PasswordPolicy::default()
    });
    UserPoolPolicies { password_policy, sign_in_policy: None }
}

/// Each trigger in one of three cases.
fn lambda_config(random: &mut Random, region: &str, account: &str) -> LambdaConfig {
    let mut function = |what: &str| {
        random.sometimes(3, |random| {
            let (adjective, noun) = (random.pick(&ADJECTIVES), random.pick(&NOUNS));
            let alias = random.sometimes(4, |random| format!(":{}", random.below(200)));
            let alias = alias.unwrap_or_default();
            format!("arn:aws:lambda:{region}:{account}:function:{adjective}-{noun}-{what}{alias}")
        })
    };
    LambdaConfig {
        pre_sign_up: function("pre-sign-up"),
        custom_message: function("custom-message"),
        post_confirmation: function("post-confirmation"),
        pre_authentication: function("before"),
        post_authentication: function("after"),
        define_auth_challenge: function("define-challenge"),
        create_auth_challenge: function("create-challenge"),
        verify_auth_challenge_response: function("verify"),
        pre_token_generation: function("claims"),
        ..LambdaConfig::default()
    }
}

/// Aliases or usernames; a user pool cannot have both.
fn sign_in(random: &mut Random) -> (Vec<i32>, Vec<i32>) {
    let aliases = [
        alias_attribute::Value::Email,
        alias_attribute::Value::PhoneNumber,
        alias_attribute::Value::PreferredUsername,
    ];
    let usernames = [username_attribute::Value::Email, username_attribute::Value::PhoneNumber];
    match random.below(3) {
        0 => (aliases.into_iter().filter(|_| random.flag()).map(i32::from).collect(), Vec::new()),
        1 => (Vec::new(), usernames.into_iter().filter(|_| random.flag()).map(i32::from).collect()),
        _ => (Vec::new(), Vec::new()),
    }
}

fn sms_configuration(random: &mut Random, account: &str, team: &str) -> SmsConfiguration {
    let (noun, id) = (random.pick(&NOUNS), hexadecimal(random, 8));
    SmsConfiguration {
        sns_caller_arn: Some(format!("arn:aws:iam::{account}:role/service-role/{noun}-sms-{id}")),
        external_id: random.sometimes(2, |random| format!("{team}-{}", hexadecimal(random, 12))),
        sns_region: None,
    }
}

fn email_configuration(
    random: &mut Random,
    region: &str,
    account: &str,
    team: &str,
) -> EmailConfiguration {
    let (noun, domain) = (random.pick(&NOUNS), random.pick(&DOMAINS));
    let identity = format!("arn:aws:ses:{region}:{account}:identity/{team}-{noun}@{domain}");
    EmailConfiguration {
        source_arn: Some(identity),
        reply_to_email_address: random.sometimes(2, |_| format!("{noun}.support@{domain}")),
        ..EmailConfiguration::default()
    }
}

fn administration(random: &mut Random, customer: &str) -> AdminCreateUserConfig {
    AdminCreateUserConfig {
        allow_admin_create_user_only: Some(random.flag()),
        unused_account_validity_days: i32::try_from(random.below(366)).ok(),
        invite_message_template: random.sometimes(2, |random| MessageTemplate {
            sms_message: Some(invitation(random)),
            email_message: Some(format!(
                "Hello {{username}},\n{}",
                email_message(random, customer)
            )),
            email_subject: Some(subject(random, customer)),
        }),
    }
}

fn templates(random: &mut Random, customer: &str) -> VerificationMessageTemplate {
    let (verb, noun) = (random.pick(&VERBS), random.pick(&NOUNS));
    let by_link = format!("{} {{##{verb} the {noun}##}} {}", sentence(random), sentence(random));
    let options = [
        default_email_option::Value::ConfirmWithLink,
        default_email_option::Value::ConfirmWithCode,
    ];
    VerificationMessageTemplate {
        sms_message: Some(sms_message(random, customer)),
        email_message: Some(email_message(random, customer)),
        email_subject: Some(subject(random, customer)),
        email_message_by_link: Some(by_link),
        email_subject_by_link: Some(subject(random, customer)),
        default_email_option: Some(random.pick(&options).into()),
    }
}

fn sms_message(random: &mut Random, customer: &str) -> String {
    let text = match random.below(3) {
        0 => format!("{{####}} is your code for {customer}. {}", sentence(random)),
        1 => format!("{customer}: use {{####}} to {}.", clause(random)),
        _ => format!("Your {} code is {{####}}. {}", random.pick(&NOUNS), sentence(random)),
    };
    text.chars().take(SMS_CHARACTERS).collect()
}

fn invitation(random: &mut Random) -> String {
    let text = format!("{{username}}, your password is {{####}}. {}", sentence(random));
    text.chars().take(SMS_CHARACTERS).collect()
}

fn email_message(random: &mut Random, customer: &str) -> String {
    let mut text = format!("Welcome to {customer}. {}", sentence(random));
    for _ in 0..random.below(3) {
        text.push_str(&sentence(random));
        text.push(' ');
    }
    text.push_str("\nYour code is {####}.\n");
    for _ in 0..random.below(3) {
        text.push(' ');
        text.push_str(&sentence(random));
    }
    text
}

fn subject(random: &mut Random, customer: &str) -> String {
    format!("{customer}: {}", clause(random))
}

fn sentence(random: &mut Random) -> String {
    let (first, second) = (clause(random), clause(random));
    match random.below(4) {
        0 => format!("Please {first} within {} hours.", 1 + random.below(72)),
        1 => format!("If you did not {first}, you need not {second}."),
        2 => format!("With it you can {first} and {second}."),
        _ => format!("Call {} to {first}.", digits(random, 10)),
    }
}

fn clause(random: &mut Random) -> String {
    let verb = random.pick(&VERBS);
    format!("{verb} your {} {}", random.pick(&ADJECTIVES), random.pick(&NOUNS))
}

fn tag(random: &mut Random) -> (String, String) {
    match random.below(5) {
        0 => ("team".to_owned(), random.pick(&NOUNS).to_owned()),
        1 => ("cost-center".to_owned(), digits(random, 6)),
        2 => ("environment".to_owned(), random.pick(&ENVIRONMENTS).to_owned()),
        3 => {
            let owner = format!("{}@{}", random.pick(&NOUNS), random.pick(&DOMAINS));
            ("owner".to_owned(), owner)
        }
        _ => {
            let key = format!("{}:{}", random.pick(&NOUNS), random.pick(&NOUNS));
            (key, hexadecimal(random, 10))
        }
    }
}

/// Up to 20 custom attributes, and sometimes a standard one that is required.
fn schema(random: &mut Random) -> Vec<SchemaAttribute> {
    let mut names = BTreeSet::new();
    for _ in 0..random.below(ATTRIBUTES + 1) {
        names.insert(format!("{}_{}", random.pick(&NOUNS), random.pick(&NOUNS)));
    }
    let mut schema: Vec<_> = names.into_iter().map(|name| attribute(random, name)).collect();
    if random.one_in(3) {
        schema.push(SchemaAttribute {
            name: Some("email".to_owned()),
            attribute_data_type: Some(attribute_data_type::Value::String.into()),
            mutable: Some(true),
            required: Some(true),
            ..SchemaAttribute::default()
        });
    }
    schema
}

fn attribute(random: &mut Random, name: String) -> SchemaAttribute {
    let mut attribute = SchemaAttribute {
        name: Some(name),
        developer_only_attribute: random.one_in(8).then_some(true),
        mutable: Some(!random.one_in(4)),
        ..SchemaAttribute::default()
    };
    let data_type = match random.below(6) {
        0 | 1 => {
            attribute.number_attribute_constraints = random.sometimes(2, number_bounds);
            attribute_data_type::Value::Number
        }
        2 => attribute_data_type::Value::DateTime,
        3 => attribute_data_type::Value::Boolean,
        _ => {
            attribute.string_attribute_constraints = Some(string_bounds(random));
            attribute_data_type::Value::String
        }
    };
    SchemaAttribute { attribute_data_type: Some(data_type.into()), ..attribute }
}

fn number_bounds(random: &mut Random) -> NumberAttributeConstraints {
    let least = random.below(100);
    NumberAttributeConstraints {
        min_value: Some(least.to_string()),
        max_value: random.sometimes(2, |random| (least + random.below(1_000_000)).to_string()),
    }
}

fn string_bounds(random: &mut Random) -> StringAttributeConstraints {
    let least = random.below(16);
    let most = least + random.below(2048 - least);
    StringAttributeConstraints {
        min_length: Some(least.to_string()),
        max_length: Some(most.to_string()),
    }
}

fn digits(random: &mut Random, count: usize) -> String {
    (0..count).map(|_| char::from(random.pick(b"0123456789"))).collect()
}

fn hexadecimal(random: &mut Random, count: usize) -> String {
    (0..count).map(|_| char::from(random.pick(b"0123456789abcdef"))).collect()
}
