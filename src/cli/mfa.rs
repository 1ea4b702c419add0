//! `userpool mfa show` and `set`.

use clap::{Args, Subcommand, ValueEnum};

use crate::proto::{
    GetUserPoolMfaConfigRequest, SetUserPoolMfaConfigRequest, SmsConfiguration, SmsMfaConfig,
    SoftwareTokenMfaConfig, mfa_configuration,
};

use super::{
    connection::ConnectionArgs,
    error::CliError,
    mutation::{ExpectedRevision, MutationArgs},
    outcome::Outcome,
    output::JsonOutputArgs,
};

#[derive(Debug, Subcommand)]
pub(super) enum MfaCommand {
    /// Show the MFA configuration of a user pool.
    Show(ShowMfaCommand),
    /// Set the MFA configuration of a user pool. Factors that are not given are disabled.
    Set(SetMfaCommand),
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  userpool mfa show us-east-1_tXLpktx5t")]
pub(super) struct ShowMfaCommand {
    /// The ID of the user pool.
    #[arg(value_name = "POOL")]
    pool: String,
    #[command(flatten)]
    output: JsonOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples, software tokens alone, and both factors:\n  \
                        userpool mfa set us-east-1_tXLpktx5t on --software-token\n  \
                        userpool mfa set us-east-1_tXLpktx5t optional --software-token \\\n    \
                        --sms-role arn:aws:iam::123456789012:role/sms")]
pub(super) struct SetMfaCommand {
    /// The ID of the user pool.
    #[arg(value_name = "POOL")]
    pool: String,
    /// Turn MFA off, require it of all users (on), or let users choose (optional).
    #[arg(value_name = "VALUE")]
    value: MfaValue,
    /// Enable software tokens as a factor.
    #[arg(long)]
    software_token: bool,
    /// Enable SMS messages as a factor, with the role that the user pool already has.
    #[arg(long)]
    sms: bool,
    /// Enable SMS messages as a factor, sent with this IAM role.
    #[arg(long, value_name = "ARN")]
    sms_role: Option<String>,
    /// The external ID in the trust policy of that role.
    #[arg(long, value_name = "ID", requires = "sms_role")]
    sms_external_id: Option<String>,
    /// Enable SMS messages as a factor, with this text, in which {####} stands for the code. If
    /// omitted, the user pool keeps no text of its own.
    #[arg(long, value_name = "TEXT")]
    sms_message: Option<String>,
    #[command(flatten)]
    expected: ExpectedRevision,
    #[command(flatten)]
    mutation: MutationArgs,
    #[command(flatten)]
    output: JsonOutputArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Whether users authenticate with several factors.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum MfaValue {
    Off,
    On,
    Optional,
}

impl From<MfaValue> for mfa_configuration::Value {
    fn from(value: MfaValue) -> Self {
        match value {
            MfaValue::Off => Self::Off,
            MfaValue::On => Self::On,
            MfaValue::Optional => Self::Optional,
        }
    }
}

impl MfaCommand {
    pub(super) async fn run(self) -> Result<Outcome, CliError> {
        match self {
            Self::Show(show) => show.run().await,
            Self::Set(set) => set.run().await,
        }
    }
}

impl ShowMfaCommand {
    async fn run(self) -> Result<Outcome, CliError> {
        let request = GetUserPoolMfaConfigRequest {
            user_pool_id: Some(self.pool),
            ..GetUserPoolMfaConfigRequest::default()
        };
        let client = self.connection.connect().await?;
        let config = client.get_user_pool_mfa_config(request).await?;
        self.output.format().message(&config)?;
        Ok(Outcome::Success)
    }
}

impl SetMfaCommand {
    async fn run(self) -> Result<Outcome, CliError> {
        let sms_configuration = self.sms_role.map(|role| SmsConfiguration {
            sns_caller_arn: Some(role),
            external_id: self.sms_external_id,
            ..SmsConfiguration::default()
        });
        let has_sms = self.sms || sms_configuration.is_some() || self.sms_message.is_some();
        let sms = SmsMfaConfig { sms_authentication_message: self.sms_message, sms_configuration };
        let token = SoftwareTokenMfaConfig { enabled: Some(true) };
        let request = SetUserPoolMfaConfigRequest {
            user_pool_id: Some(self.pool),
            sms_mfa_configuration: has_sms.then_some(sms),
            software_token_mfa_configuration: self.software_token.then_some(token),
            mfa_configuration: Some(mfa_configuration::Value::from(self.value).into()),
            request_id: self.mutation.request_id,
            validate_only: self.mutation.validate_only,
            expected_revision: self.expected.expected_revision,
        };
        let client = self.connection.connect().await?;
        let set = client.set_user_pool_mfa_config(request).await?;
        self.output.format().message(&set)?;
        Ok(Outcome::Success)
    }
}
