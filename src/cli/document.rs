//! JSON documents that hold the request to send.

use std::{ffi::OsString, fs, io, path::PathBuf};

use prost::{Message, Name};
use serde_json::{Map, Value};

use crate::{
    proto::{self, CreateUserPoolRequest, UserPool},
    user_pool,
};

use super::error::CliError;

/// The members that hold a user pool in the output of other commands and of grpcurl.
const USER_POOL: [&str; 3] = ["UserPool", "userPool", "user_pool"];
/// The members that a user pool has and a request to create one does not.
const USER_POOL_ONLY: [&str; 6] =
    ["Id", "id", "Name", "name", "SchemaAttributes", "schema_attributes"];
/// The members of a user pool that no request has, in both spellings. They are removed
/// before the message is parsed, because the AWS CLI writes times in its own formats.
const OUTPUT_ONLY: [&str; 16] = [
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
    /// Reads a request to create a user pool, or makes one from a user pool.
    pub(super) fn create_user_pool(&self) -> Result<CreateUserPoolRequest, CliError> {
        let mut document = self.object()?;
        let user_pool = USER_POOL.iter().find_map(|member| document.remove(*member));
        let mut pool = match user_pool {
            Some(Value::Object(pool)) => pool,
            Some(_) => return Err(self.invalid("UserPool is not an object")),
            None if USER_POOL_ONLY.iter().any(|member| document.contains_key(*member)) => document,
            None => return self.message(document),
        };
        pool.retain(|member, _| !OUTPUT_ONLY.contains(&member.as_str()));
        let pool: UserPool = self.message(pool)?;
        Ok(user_pool::to_create_request(pool))
    }

    /// Reads a message.
    pub(super) fn read<M: Message + Name + Default>(&self) -> Result<M, CliError> {
        self.message(self.object()?)
    }

    fn object(&self) -> Result<Map<String, Value>, CliError> {
        let text = match self {
            Self::Stdin => io::read_to_string(io::stdin()),
            Self::File(path) => fs::read_to_string(path),
        };
        let text = text.map_err(|error| self.invalid(&error.to_string()))?;
        let value: Value =
            serde_json::from_str(&text).map_err(|error| self.invalid(&error.to_string()))?;
        match value {
            Value::Object(object) => Ok(object),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(self.invalid("not a JSON object")),
        }
    }

    fn message<M: Message + Name + Default>(
        &self,
        object: Map<String, Value>,
    ) -> Result<M, CliError> {
        let text = Value::Object(object).to_string();
        proto::from_json(&text).map_err(|error| {
            // The line and column are those of the text, not of the file.
            let error = error.to_string();
            self.invalid(error.split(" at line ").next().unwrap_or(&error))
        })
    }

    /// The error that the document cannot be used because of `problem`.
    pub(super) fn invalid(&self, problem: &str) -> CliError {
        let name = match self {
            Self::Stdin => "stdin".to_owned(),
            Self::File(path) => path.display().to_string(),
        };
        CliError::message(format!("{name}: {problem}"))
    }
}
