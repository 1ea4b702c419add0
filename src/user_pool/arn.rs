//! The Amazon Resource Names of user pools: `arn:aws:cognito-idp:REGION:ACCOUNT:userpool/ID`.

use crate::proto::ListTagsForResourceRequest;

use super::{
    InvalidRequest, UserPoolId,
    check::Check,
    fields,
    patterns::USER_POOL_ID,
    violation::{Rule, Violation},
};

/// The ARNs of the user pools of one server.
#[derive(Debug, Clone)]
pub struct UserPoolArns {
    prefix: String,
}

impl UserPoolArns {
    /// The ARNs of a region and an AWS account.
    #[must_use]
    pub fn new(region: &str, account_id: &str) -> Self {
        Self { prefix: format!("arn:aws:cognito-idp:{region}:{account_id}:userpool/") }
    }

    /// The ARN of the user pool with this ID.
    #[must_use]
    pub fn of(&self, user_pool_id: &str) -> String {
        format!("{}{user_pool_id}", self.prefix)
    }

    /// The user pool with this ARN.
    ///
    /// # Errors
    /// It is not the ARN of a user pool of this server.
    pub(super) fn parse(&self, arn: &str) -> Result<UserPoolId, InvalidRequest> {
        let id = arn.strip_prefix(self.prefix.as_str()).filter(|id| {
            id.chars().count() <= fields::MAX_USER_POOL_ID_LENGTH && USER_POOL_ID.matches(id)
        });
        id.map(|id| UserPoolId::from_trusted(id.to_owned())).ok_or_else(|| {
            let prefix = &self.prefix;
            let description = format!("must be {prefix} and the ID of a user pool");
            let text = format!(
                "Invalid resource ARN: the ARN of a user pool of this server is {prefix} and its ID."
            );
            Violation::new("resource_arn", Rule::Pattern, description, text).into()
        })
    }

    /// Checks a request for the tags of a user pool.
    ///
    /// # Errors
    /// The field rules that it breaks.
    pub fn parse_request(
        &self,
        request: &ListTagsForResourceRequest,
    ) -> Result<UserPoolId, InvalidRequest> {
        let resource_arn = request.resource_arn.as_ref();
        Check::run(|check| {
            fields::resource_arn(check, resource_arn);
            fields::min_position(check, request.min_position);
        })?;
        self.parse(resource_arn.map(String::as_str).unwrap_or_default())
    }
}
