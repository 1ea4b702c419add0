//! JSON documents: the requests that are sent.

use std::{convert::Infallible, fs, io, path::PathBuf, str::FromStr};

use prost::{Message, Name};
use serde_json::{Map, Value};

use crate::{
    proto::{self, CreateUserPoolRequest, UserPool},
    user_pool,
};

use super::error::CliError;

/// Where a user pool is found in what other commands and grpcurl print.
const USER_POOL: [&str; 3] = ["UserPool", "userPool", "user_pool"];
/// What tells a user pool from a request to create one.
const SHOWN_ONLY: [&str; 6] = ["Id", "id", "Name", "name", "SchemaAttributes", "schema_attributes"];
/// What a user pool shows and no request has, in both spellings. Removed before it
/// is read, because the AWS CLI writes times in forms of its own.
const NOT_REQUESTED: [&str; 16] = [
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

/// A file to read, or stdin.
#[derive(Debug, Clone)]
pub(super) enum Document {
    Stdin,
    File(PathBuf),
}

impl FromStr for Document {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "-" { Self::Stdin } else { Self::File(text.into()) })
    }
}

impl Document {
    /// The request to create a user pool: as it is, or made of a user pool that was
    /// shown.
    pub(super) fn create_user_pool(&self) -> Result<CreateUserPoolRequest, CliError> {
        let mut document = self.object()?;
        let shown = USER_POOL.iter().find_map(|member| document.remove(*member));
        let mut pool = match shown {
            Some(Value::Object(pool)) => pool,
            Some(_) => return Err(self.unfit("UserPool is not an object")),
            None if SHOWN_ONLY.iter().any(|member| document.contains_key(*member)) => document,
            None => return self.message(document),
        };
        pool.retain(|member, _| !NOT_REQUESTED.contains(&member.as_str()));
        let pool: UserPool = self.message(pool)?;
        Ok(user_pool::creation_of(pool))
    }

    /// The message in the file.
    pub(super) fn read<M: Message + Name + Default>(&self) -> Result<M, CliError> {
        self.message(self.object()?)
    }

    fn object(&self) -> Result<Map<String, Value>, CliError> {
        let text = match self {
            Self::Stdin => io::read_to_string(io::stdin()),
            Self::File(path) => fs::read_to_string(path),
        };
        let text = text.map_err(|error| self.unfit(&error.to_string()))?;
        let value: Value =
            serde_json::from_str(&text).map_err(|error| self.unfit(&error.to_string()))?;
        match value {
            Value::Object(object) => Ok(object),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => Err(self.unfit("not a JSON object")),
        }
    }

    fn message<M: Message + Name + Default>(
        &self,
        object: Map<String, Value>,
    ) -> Result<M, CliError> {
        let text = Value::Object(object).to_string();
        proto::from_json(&text).map_err(|error| {
            // The place in the text is not that in the file.
            let error = error.to_string();
            self.unfit(error.split(" at line ").next().unwrap_or(&error))
        })
    }

    /// The file, and what is wrong with it.
    pub(super) fn unfit(&self, what: &str) -> CliError {
        let name = match self {
            Self::Stdin => "stdin".to_owned(),
            Self::File(path) => path.display().to_string(),
        };
        CliError::Other(format!("{name}: {what}").into())
    }
}
