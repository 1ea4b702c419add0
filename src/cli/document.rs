//! JSON documents that hold the request to send.

use std::{
    ffi::OsString,
    fmt::Display,
    fs,
    io::{self, Read as _},
    path::PathBuf,
};

use prost::{Message, Name};
use serde_json::Value;

use crate::{
    proto::{self, CreateUserPoolRequest, JsonError, JsonScope, UpdateUserPoolRequest, UserPool},
    user_pool,
};

use super::error::CliError;

/// The members that hold a user pool in the output of other commands and of grpcurl.
const USER_POOL: [&str; 3] = ["UserPool", "userPool", "user_pool"];
/// The members that a user pool has and a request to create one does not.
const USER_POOL_ONLY: [&str; 6] =
    ["Id", "id", "Name", "name", "SchemaAttributes", "schema_attributes"];
/// The members that only a request to create or to update a user pool has.
const REQUEST_ONLY_CREATE: [&str; 3] = ["PoolName", "pool_name", "Schema"];
const REQUEST_ONLY_UPDATE: [&str; 2] = ["UserPoolId", "user_pool_id"];
/// The members that the service assigns, but that an update compares with the current ones.
const COMPARED: [&str; 4] = ["Id", "id", "Domain", "domain"];
/// The members of a user pool that no request has, in both spellings. They are removed
/// before the message is parsed, because the AWS CLI writes times in its own formats.
const OUTPUT_ONLY: [&str; 18] = [
    "Arn",
    "arn",
    "Id",
    "id",
    "Status",
    "status",
    "LastModifiedDate",
    "last_modified_date",
    "CreationDate",
    "creation_date",
    "EstimatedNumberOfUsers",
    "estimated_number_of_users",
    "SmsConfigurationFailure",
    "sms_configuration_failure",
    "EmailConfigurationFailure",
    "email_configuration_failure",
    "Domain",
    "domain",
];

/// What a document holds.
enum Content<M> {
    Request(Box<M>),
    UserPool(Box<UserPool>),
}

/// The source of a document.
#[derive(Debug, Clone)]
pub(super) enum Document {
    Stdin,
    File(PathBuf),
}

impl From<OsString> for Document {
    fn from(name: OsString) -> Self {
        if name == "-" { Self::Stdin } else { Self::File(name.into()) }
    }
}

impl Document {
    /// Reads a request to create a user pool, or makes one from a user pool, which is returned as
    /// well.
    pub(super) fn create_user_pool(
        &self,
    ) -> Result<(CreateUserPoolRequest, Option<UserPool>), CliError> {
        match self.parse(&REQUEST_ONLY_CREATE)? {
            Content::UserPool(pool) => {
                Ok((user_pool::to_create_request((*pool).clone()), Some(*pool)))
            }
            Content::Request(request) => Ok((*request, None)),
        }
    }

    /// Reads a request to update a user pool, or makes one from a user pool, which is
    /// returned as well.
    pub(super) fn update_user_pool(
        &self,
    ) -> Result<(UpdateUserPoolRequest, Option<UserPool>), CliError> {
        match self.parse(&REQUEST_ONLY_UPDATE)? {
            Content::UserPool(pool) => {
                Ok((user_pool::to_update_request((*pool).clone()), Some(*pool)))
            }
            Content::Request(request) => Ok((*request, None)),
        }
    }

    /// Reads a request that no user pool can stand for.
    pub(super) fn request<M: Message + Name + Default>(&self) -> Result<M, CliError> {
        proto::from_json(&self.text()?).map_err(|error| self.invalid(&error))
    }

    /// Reads a request, or the user pool in the output of another command.
    fn parse<M: Message + Name + Default>(
        &self,
        request_only: &[&str],
    ) -> Result<Content<M>, CliError> {
        let text = self.text()?;
        let value: Value =
            serde_json::from_str(&text).map_err(|error| self.invalid(&JsonError::from(error)))?;
        let Value::Object(document) = value else {
            return Err(self.invalid(&"not a JSON object"));
        };
        let wrapper = USER_POOL.into_iter().find(|member| document.contains_key(*member));
        let has = |members: &[&str]| members.iter().any(|member| document.contains_key(*member));
        let is_pool = wrapper.is_some() || (has(&USER_POOL_ONLY) && !has(request_only));
        if !is_pool {
            let request = proto::from_json(&text).map_err(|error| self.invalid(&error))?;
            return Ok(Content::Request(Box::new(request)));
        }
        let scope = JsonScope { member: wrapper, ignored: &OUTPUT_ONLY };
        if let Some(problem) = proto::find_json_problem::<UserPool>(&text, scope) {
            return Err(self.invalid(&problem));
        }
        let pool = match wrapper {
            Some(member) => document.get(member).and_then(Value::as_object).cloned(),
            None => Some(document),
        };
        let mut pool = pool.unwrap_or_default();
        // What the service assigns, except for what an update compares.
        pool.retain(|member, value| {
            let is_compared = COMPARED.contains(&member.as_str()) && value.is_string();
            is_compared || !OUTPUT_ONLY.contains(&member.as_str())
        });
        let pool = proto::from_json(&Value::Object(pool).to_string());
        // The line and column would not be those of the file.
        let pool = pool.map_err(|error| self.invalid(&error.problem))?;
        Ok(Content::UserPool(Box::new(pool)))
    }

    /// Refuses a document for another user pool.
    pub(super) fn check_user_pool(
        &self,
        given: Option<String>,
        user_pool_id: &str,
    ) -> Result<(), CliError> {
        match given.filter(|id| id != user_pool_id) {
            Some(id) => Err(self.invalid(&format!("is for user pool {id}, not {user_pool_id}"))),
            None => Ok(()),
        }
    }

    fn text(&self) -> Result<String, CliError> {
        let mut bytes = Vec::new();
        let read = match self {
            Self::Stdin => io::stdin().read_to_end(&mut bytes).map(|_| bytes),
            Self::File(path) => fs::read(path),
        };
        let bytes = read.map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                self.missing()
            } else {
                self.invalid(&error)
            }
        })?;
        if bytes.trim_ascii().is_empty() {
            return Err(self.invalid(&"it is empty; a JSON document is expected"));
        }
        proto::decode_json(bytes).map_err(|error| self.invalid(&error))
    }

    /// The error that there is no such file, as of someone who gave the name of a user pool.
    fn missing(&self) -> CliError {
        self.invalid(
            &"there is no such file; to pass a document, such as {\"PoolName\": \"people\"}, on \
              standard input, name -",
        )
    }

    /// The error that the document cannot be used because of `problem`.
    pub(super) fn invalid(&self, problem: &dyn Display) -> CliError {
        let name = match self {
            Self::Stdin => "stdin".to_owned(),
            Self::File(path) => path.display().to_string(),
        };
        CliError::message(format!("{name}: {problem}"))
    }
}
