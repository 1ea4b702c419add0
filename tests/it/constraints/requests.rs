//! Requests that are built from the names in Cognito's model.

use prost_reflect::{
    DynamicMessage, EnumDescriptor, Kind, MessageDescriptor, ReflectMessage as _, Value,
};
use serde_json::{Map, json};
use tonic::{Status, transport::Channel};
use userpool::{
    proto::{
        DESCRIPTORS, ListTagsForResourceRequest, user_pool_service_client::UserPoolServiceClient,
    },
    user_pool::{
        CheckedCommand, DomainName, InvalidRequest, Limits, PageRequest, PoolPageRequest,
        UserPoolArns, UserPoolId, parse_mfa_config_request,
    },
};

use crate::{json::data, support::arn};

/// The changed item of a list of messages: not the first, so that its index shows in
/// paths.
const ITEM: usize = 1;

/// The change of a member.
#[derive(Debug)]
pub(super) enum Change {
    Absent,
    Text(String),
    Number(i32),
    Enum(i32),
    Items(usize),
}

/// The path of a member in the model: `Schema[].Name`.
#[derive(Debug)]
pub(super) struct Path {
    steps: Vec<String>,
}

impl Path {
    pub(super) fn new(path: &str) -> Self {
        Self { steps: path.split('.').map(str::to_owned).collect() }
    }

    /// `schema.2.member.name`: the path in Cognito's messages. The messages of invitations have
    /// other names where their patterns are checked.
    pub(super) fn cognito_path(&self, is_pattern: bool) -> String {
        let last = self.steps.last().map(String::as_str);
        let is_internal = is_pattern && last != Some("EmailSubject");
        let mut segments = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            let last = index + 1 == self.steps.len();
            let name = step.trim_end_matches("[]");
            let name = match name {
                "InviteMessageTemplate" if is_internal => "inviteMessage".to_owned(),
                "SMSMessage" if is_internal => "smsMessage".to_owned(),
                name => name[..1].to_lowercase() + &name[1..],
            };
            segments.push(name);
            if step.ends_with("[]") && !last {
                segments.extend([(ITEM + 1).to_string(), "member".to_owned()]);
            }
        }
        segments.join(".")
    }
}

/// A request of an operation.
#[derive(Debug, Clone)]
pub(super) struct Request {
    operation: String,
    message: DynamicMessage,
}

impl Request {
    /// A valid request of the operation with every member that is allowed together
    /// with the one at `path`.
    pub(super) fn valid(operation: &str, path: &Path) -> Self {
        let mut members = merged(
            data("create-user-pool-full.json"),
            json!({
                "Policies": today("Policies"), "DeletionProtection": "ACTIVE",
                "LambdaConfig": today("LambdaConfig"), "UserPoolTier": "PLUS",
                "EmailConfiguration": today("EmailConfiguration"),
                "SmsConfiguration": today("SmsConfiguration"),
                "UserPoolAddOns": today("UserPoolAddOns"),
                "UserAttributeUpdateSettings": today("UserAttributeUpdateSettings"),
                "UsernameConfiguration": today("UsernameConfiguration"),
                "AccountRecoverySetting": today("AccountRecoverySetting"),
            }),
        );
        let others = json!({
            "UserPoolId": "us-east-1_AbCdEfGhI", "Domain": "people", "MaxResults": 10,
            "NextToken": "next", "ResourceArn": arn("us-east-1_AbCdEfGhI"),
            "Tags": { "team": "people" }, "TagKeys": ["team"], "ManagedLoginVersion": 1,
            "CustomAttributes": members["Schema"].as_array().map(|schema| &schema[1..]),
            "SmsMfaConfiguration": {
                "SmsAuthenticationMessage": members["SmsAuthenticationMessage"],
                "SmsConfiguration": members["SmsConfiguration"],
            },
            "SoftwareTokenMfaConfiguration": { "Enabled": true },
        });
        let object = members.as_object_mut().expect("an object");
        object.extend(others.as_object().expect("an object").clone());
        if path.steps[0] == "CustomDomainConfig" {
            let config = json!({ "CertificateArn": "arn:aws:acm:us-east-1:1:certificate/1" });
            object.insert("CustomDomainConfig".to_owned(), config);
            object.insert("Domain".to_owned(), json!("auth.example.com"));
        }
        // Members that depend on the one at the path.
        match path.steps[0].as_str() {
            "UsernameAttributes[]" => drop(object.remove("AliasAttributes")),
            "AutoVerifiedAttributes[]" => drop(object.remove("UserAttributeUpdateSettings")),
            _ => (),
        }
        let triggers = object["LambdaConfig"].as_object_mut().expect("an object");
        match path.steps.get(1).map(String::as_str) {
            Some("PreTokenGeneration") => drop(triggers.remove("PreTokenGenerationConfig")),
            Some("PreTokenGenerationConfig") => drop(triggers.remove("PreTokenGeneration")),
            _ => (),
        }
        let descriptor = descriptor(operation);
        let known: Map<_, _> = std::mem::take(object)
            .into_iter()
            .filter(|(name, _)| descriptor.get_field_by_json_name(name).is_some())
            .collect();
        let message = DynamicMessage::deserialize(descriptor, serde_json::Value::from(known));
        Self { operation: operation.to_owned(), message: message.expect("a request") }
    }

    pub(super) fn with(mut self, path: &Path, change: &Change) -> Self {
        set(&mut self.message, &path.steps, change);
        self
    }

    /// `schema[1].name`: the path in our messages.
    pub(super) fn proto_path(&self, path: &Path) -> String {
        let mut segments = Vec::new();
        let mut message = self.message.descriptor();
        for (index, step) in path.steps.iter().enumerate() {
            let last = index + 1 == path.steps.len();
            let name = step.trim_end_matches("[]");
            let field = message.get_field_by_json_name(name).expect(name);
            let item = if last { 0 } else { ITEM };
            let suffix = if step.ends_with("[]") { format!("[{item}]") } else { String::new() };
            segments.push(format!("{}{suffix}", field.name()));
            if let Some(nested) = field.kind().as_message() {
                message = nested.clone();
            }
        }
        segments.join(".")
    }

    /// The names of the enum values at `path`, in the order of their numbers.
    pub(super) fn enum_values(&self, path: &Path) -> Vec<String> {
        let (last, steps) = path.steps.split_last().expect("a path");
        let mut message = self.message.descriptor();
        for step in steps {
            message = kind(&message, step).as_message().expect(step).clone();
        }
        in_order(kind(&message, last).as_enum().expect(last))
    }

    /// The result of the parser.
    pub(super) fn parse(&self) -> Result<(), InvalidRequest> {
        let limits = Limits::default();
        let arns = UserPoolArns::new("us-east-1", "123456789012");
        match self.operation.as_str() {
            "CreateUserPool" => CheckedCommand::create_user_pool(self.typed(), &limits).map(drop),
            "DescribeUserPool" => UserPoolId::parse(self.typed()).map(drop),
            "UpdateUserPool" => CheckedCommand::update_user_pool(self.typed()).map(drop),
            "DeleteUserPool" => CheckedCommand::delete_user_pool(self.typed()).map(drop),
            "ListUserPools" => PoolPageRequest::parse(self.typed()).map(drop),
            "CreateUserPoolDomain" => {
                CheckedCommand::create_user_pool_domain(self.typed()).map(drop)
            }
            "DescribeUserPoolDomain" => DomainName::parse(self.typed()).map(drop),
            "DeleteUserPoolDomain" => {
                CheckedCommand::delete_user_pool_domain(self.typed()).map(drop)
            }
            "ListUserPoolDomains" => PageRequest::of_domains(self.typed()).map(drop),
            "UpdateUserPoolDomain" => {
                CheckedCommand::update_user_pool_domain(self.typed()).map(drop)
            }
            "AddCustomAttributes" => CheckedCommand::add_custom_attributes(self.typed()).map(drop),
            "GetUserPoolMfaConfig" => parse_mfa_config_request(self.typed()).map(drop),
            "SetUserPoolMfaConfig" => {
                CheckedCommand::set_user_pool_mfa_config(self.typed()).map(drop)
            }
            "TagResource" => CheckedCommand::tag_resource(self.typed(), &arns, &limits).map(drop),
            "UntagResource" => CheckedCommand::untag_resource(self.typed(), &arns).map(drop),
            "ListTagsForResource" => {
                let request: ListTagsForResourceRequest = self.typed();
                arns.parse_request(&request).map(drop)
            }
            operation => unreachable!("{operation} has no parser"),
        }
    }

    /// The answer of the server.
    pub(super) async fn send(
        &self,
        client: &mut UserPoolServiceClient<Channel>,
    ) -> Result<(), Status> {
        match self.operation.as_str() {
            "CreateUserPool" => client.create_user_pool(self.sent()).await.map(drop),
            "DescribeUserPool" => client.describe_user_pool(self.sent()).await.map(drop),
            "UpdateUserPool" => client.update_user_pool(self.sent()).await.map(drop),
            "DeleteUserPool" => client.delete_user_pool(self.sent()).await.map(drop),
            "ListUserPools" => client.list_user_pools(self.sent()).await.map(drop),
            "CreateUserPoolDomain" => client.create_user_pool_domain(self.sent()).await.map(drop),
            "DescribeUserPoolDomain" => {
                client.describe_user_pool_domain(self.sent()).await.map(drop)
            }
            "DeleteUserPoolDomain" => client.delete_user_pool_domain(self.sent()).await.map(drop),
            "ListUserPoolDomains" => client.list_user_pool_domains(self.sent()).await.map(drop),
            "UpdateUserPoolDomain" => client.update_user_pool_domain(self.sent()).await.map(drop),
            "AddCustomAttributes" => client.add_custom_attributes(self.sent()).await.map(drop),
            "GetUserPoolMfaConfig" => client.get_user_pool_mfa_config(self.sent()).await.map(drop),
            "SetUserPoolMfaConfig" => client.set_user_pool_mfa_config(self.sent()).await.map(drop),
            "TagResource" => client.tag_resource(self.sent()).await.map(drop),
            "UntagResource" => client.untag_resource(self.sent()).await.map(drop),
            "ListTagsForResource" => client.list_tags_for_resource(self.sent()).await.map(drop),
            operation => unreachable!("{operation} has no client"),
        }
    }

    fn sent<M: prost::Message + Default>(&self) -> tonic::Request<M> {
        tonic::Request::new(self.typed())
    }

    fn typed<M: prost::Message + Default>(&self) -> M {
        self.message.transcode_to().expect("a request")
    }
}

/// A member of the request with the members of today.
fn today(member: &str) -> serde_json::Value {
    data("create-user-pool-today.json")[member].clone()
}

/// `value` with the members of `more` at every level.
fn merged(mut value: serde_json::Value, more: serde_json::Value) -> serde_json::Value {
    let (Some(members), serde_json::Value::Object(more)) = (value.as_object_mut(), more.clone())
    else {
        return more;
    };
    for (name, member) in more {
        let merged = match members.remove(&name) {
            Some(known) => merged(known, member),
            None => member,
        };
        members.insert(name, merged);
    }
    value
}

/// The month since which AWS has the member at `path`.
pub(super) fn aws_since(operation: &str, path: &Path) -> Option<String> {
    let since = DESCRIPTORS.get_extension_by_name("userpool.v1.aws_since").expect("the option");
    let (last, steps) = path.steps.split_last().expect("a path");
    let mut message = descriptor(operation);
    for step in steps {
        message = kind(&message, step).as_message().expect(step).clone();
    }
    let options = message.get_field_by_json_name(last).expect(last).options();
    let month = options.has_extension(&since).then(|| options.get_extension(&since).into_owned());
    month.and_then(|month| month.as_str().map(str::to_owned))
}

/// The paths of all members of the operation that Cognito has too.
pub(super) fn members(operation: &str) -> Vec<String> {
    let mut paths = Vec::new();
    collect("", &descriptor(operation), &mut paths);
    paths
}

fn collect(prefix: &str, message: &MessageDescriptor, paths: &mut Vec<String>) {
    // Our own members have numbers from 101.
    for field in message.fields().filter(|field| field.number() <= 100) {
        let path = format!("{prefix}{}", field.json_name());
        paths.push(path.clone());
        if field.is_map() {
            paths.extend([format!("{path}{{key}}"), format!("{path}{{value}}")]);
            continue;
        }
        let item = if field.is_list() { format!("{path}[]") } else { path };
        if field.is_list() {
            paths.push(item.clone());
        }
        if let Some(nested) = field.kind().as_message() {
            collect(&format!("{item}."), nested, paths);
        }
    }
}

fn descriptor(operation: &str) -> MessageDescriptor {
    let name = format!("userpool.v1.{operation}Request");
    DESCRIPTORS.get_message_by_name(&name).expect("a request message")
}

fn in_order(values: &EnumDescriptor) -> Vec<String> {
    let count = i32::try_from(values.values().len()).expect("a small number");
    let name = |number| values.get_value(number).expect("numbers without gaps").name().to_owned();
    (0..count).map(name).collect()
}

fn set(message: &mut DynamicMessage, steps: &[String], change: &Change) {
    let (step, rest) = steps.split_first().expect("a path");
    let field = message.descriptor().get_field_by_json_name(step.trim_end_matches("[]"));
    let field = field.expect(step);
    if !rest.is_empty() {
        let value = message.get_field_mut(&field);
        let value = match value.as_list_mut() {
            Some(items) => &mut items[ITEM],
            None => message.get_field_mut(&field),
        };
        return set(value.as_message_mut().expect(step), rest, change);
    }
    let value = match change {
        Change::Absent => return message.clear_field(&field),
        Change::Text(text) => Value::String(text.clone()),
        Change::Number(number) => Value::I32(*number),
        Change::Enum(number) => Value::EnumNumber(*number),
        Change::Items(count) => {
            Value::List((0..*count).map(|index| item(&field.kind(), index)).collect())
        }
    };
    let value =
        if field.is_list() && step.ends_with("[]") { Value::List(vec![value]) } else { value };
    message.set_field(&field, value);
}

/// A valid item of a list.
fn item(kind: &Kind, index: usize) -> Value {
    let Some(descriptor) = kind.as_message() else { return Value::EnumNumber(1) };
    let members = match descriptor.name() {
        "SchemaAttribute" => json!({ "Name": format!("a{index}"), "AttributeDataType": "String" }),
        "RecoveryOption" => json!({ "Priority": 1, "Name": "admin_only" }),
        other => unreachable!("a list of {other}"),
    };
    Value::Message(DynamicMessage::deserialize(descriptor.clone(), members).expect("an item"))
}

fn kind(message: &MessageDescriptor, step: &str) -> Kind {
    message.get_field_by_json_name(step.trim_end_matches("[]")).expect(step).kind()
}
