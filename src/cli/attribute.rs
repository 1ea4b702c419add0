//! `userpool attribute add`.

use clap::{Args, Subcommand, ValueHint};

use crate::proto::AddCustomAttributesRequest;

use super::{
    connection::ConnectionArgs,
    document::Document,
    error::CliError,
    mutation::{ExpectedRevision, MutationArgs},
    outcome::Outcome,
    output::JsonOutputArgs,
};

#[derive(Debug, Subcommand)]
pub(super) enum AttributeCommand {
    /// Add custom attributes to a user pool; they can never be removed.
    Add(AddAttributesCommand),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  echo '{\"CustomAttributes\":\n    \
                        [{\"Name\": \"plan\", \"AttributeDataType\": \"String\"}]}' |\n    \
                        userpool attribute add us-east-1_tXLpktx5t -")]
pub(super) struct AddAttributesCommand {
    /// The ID of the user pool.
    #[arg(value_name = "POOL")]
    pool: String,
    /// A JSON file, or "-" for stdin: a request, in the format of "aws cognito-idp
    /// add-custom-attributes --cli-input-json", in which UserPoolId is optional.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    document: Document,
    #[command(flatten)]
    expected: ExpectedRevision,
    #[command(flatten)]
    mutation: MutationArgs,
    #[command(flatten)]
    output: JsonOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl AttributeCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        match self {
            Self::Add(add) => add.run().await,
        }
    }
}

impl AddAttributesCommand {
    async fn run(self) -> Result<Outcome, CliError> {
        let request: AddCustomAttributesRequest = self.document.request()?;
        self.document.check_user_pool(request.user_pool_id, &self.pool)?;
        let request = AddCustomAttributesRequest {
            user_pool_id: Some(self.pool),
            request_id: self.mutation.request_id.or(request.request_id),
            validate_only: self.mutation.validate_only || request.validate_only,
            expected_revision: self.expected.expected_revision.or(request.expected_revision),
            ..request
        };
        let client = self.connection.connect().await?;
        let added = client.add_custom_attributes(request).await?;
        self.output.format().message(&added)?;
        Ok(Outcome::Success)
    }
}
