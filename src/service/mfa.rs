//! The operations on multi-factor authentication.

use crate::{
    app::{EncodedPool, Outcome},
    proto::{
        GetUserPoolMfaConfigRequest, GetUserPoolMfaConfigResponse, SetUserPoolMfaConfigRequest,
        SetUserPoolMfaConfigResponse,
    },
    user_pool::{CheckedCommand, mfa_config, parse_mfa_config_request},
};

use super::{Caller, Error, Operations, decode_pool};

impl Operations {
    pub(crate) async fn get_user_pool_mfa_config(
        &self,
        request: GetUserPoolMfaConfigRequest,
    ) -> Result<GetUserPoolMfaConfigResponse, Error> {
        let min_position = request.min_position;
        let id = parse_mfa_config_request(request)?;
        self.wait_to_read(min_position).await?;
        let pool = self.existing_pool(id).await?;
        let EncodedPool { revision, position, .. } = pool;
        let config = mfa_config(&decode_pool(pool.user_pool.unwrap_or_default())?);
        Ok(GetUserPoolMfaConfigResponse {
            revision,
            position,
            head_position: self.head_position(),
            ..config
        })
    }

    pub(crate) async fn set_user_pool_mfa_config(
        &self,
        request: SetUserPoolMfaConfigRequest,
        caller: Caller,
    ) -> Result<SetUserPoolMfaConfigResponse, Error> {
        let outcome =
            self.execute(request, caller, CheckedCommand::set_user_pool_mfa_config).await?;
        let GetUserPoolMfaConfigResponse {
            sms_mfa_configuration,
            software_token_mfa_configuration,
            mfa_configuration,
            ..
        } = mfa_config(&decode_pool(outcome.user_pool.clone())?);
        let Outcome { revision, position, .. } = outcome;
        Ok(SetUserPoolMfaConfigResponse {
            sms_mfa_configuration,
            software_token_mfa_configuration,
            mfa_configuration,
            revision,
            position,
        })
    }
}
