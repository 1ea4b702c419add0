//! The operations on user pools.

use prost::Message as _;

use crate::{
    app::{EncodedPool, Outcome, PoolPage, ReplayPoint, ReplayQuery, StoredPool},
    proto::{
        AddCustomAttributesRequest, AddCustomAttributesResponse, CreateUserPoolRequest,
        DeleteUserPoolRequest, DeleteUserPoolResponse, DescribeUserPoolRequest,
        ListUserPoolsRequest, ListUserPoolsResponse, RestoreUserPoolRequest,
        RestoreUserPoolResponse, UpdateUserPoolRequest, UserPool, UserPoolDescription,
        served::{CreateUserPoolResponse, DescribeUserPoolResponse, UpdateUserPoolResponse},
    },
    user_pool::{
        CheckedCommand, PageRequest, PoolFilter, PoolPageRequest, RestorePoint, UserPoolId,
        kept_fields,
    },
};

use super::{Caller, Error, Operations, arn, decode_pool, page_token};

impl Operations {
    pub(crate) async fn create_user_pool(
        &self,
        request: CreateUserPoolRequest,
        caller: Caller,
    ) -> Result<CreateUserPoolResponse, Error> {
        let check = |request| CheckedCommand::create_user_pool(request, self.app.limits());
        let Outcome { user_pool, revision, position, .. } =
            self.execute(request, caller, check).await?;
        let user_pool = arn::insert(user_pool, &self.arns);
        Ok(CreateUserPoolResponse { user_pool: Some(user_pool), revision, position })
    }

    pub(crate) async fn describe_user_pool(
        &self,
        request: DescribeUserPoolRequest,
    ) -> Result<DescribeUserPoolResponse, Error> {
        let min_position = request.min_position;
        let id = UserPoolId::parse(request)?;
        self.wait_to_read(min_position).await?;
        let EncodedPool { user_pool, revision, position, .. } = self.existing_pool(id).await?;
        let user_pool = user_pool.map(|user_pool| arn::insert(user_pool, &self.arns));
        Ok(DescribeUserPoolResponse {
            user_pool,
            revision,
            position,
            head_position: self.head_position(),
        })
    }

    pub(crate) async fn update_user_pool(
        &self,
        request: UpdateUserPoolRequest,
        caller: Caller,
    ) -> Result<UpdateUserPoolResponse, Error> {
        let outcome = self.execute(request, caller, CheckedCommand::update_user_pool).await?;
        let Outcome { user_pool, revision, position, .. } = outcome;
        let user_pool = arn::insert(user_pool, &self.arns);
        Ok(UpdateUserPoolResponse { user_pool: Some(user_pool), revision, position })
    }

    pub(crate) async fn delete_user_pool(
        &self,
        request: DeleteUserPoolRequest,
        caller: Caller,
    ) -> Result<DeleteUserPoolResponse, Error> {
        let outcome = self.execute(request, caller, CheckedCommand::delete_user_pool).await?;
        let Outcome { revision, position, .. } = outcome;
        Ok(DeleteUserPoolResponse { revision, position })
    }

    pub(crate) async fn restore_user_pool(
        &self,
        request: RestoreUserPoolRequest,
        caller: Caller,
    ) -> Result<RestoreUserPoolResponse, Error> {
        let RestorePoint { user_pool_id, revision } = RestorePoint::parse(&request)?;
        let as_of = ReplayPoint::Revision(revision);
        let replay = ReplayQuery { user_pool_id, as_of };
        self.app.history().wait_for_end().await?;
        // The past never changes, so it can be read before the writer decides.
        let past = self.app.history().replay(&replay, self.app.source().now()).await?.state;
        let before = past.user_pool().cloned().unwrap_or_default();
        let check = |request| CheckedCommand::restore_user_pool(request, past);
        let outcome = self.execute(request, caller, check).await?;
        let restored = decode_pool(outcome.user_pool.clone())?;
        let kept = kept_fields(&before, &restored);
        let Outcome { revision, position, changed, .. } = outcome;
        let user_pool = Some(self.with_arn(restored));
        Ok(RestoreUserPoolResponse { user_pool, kept, changed, revision, position })
    }

    pub(crate) async fn list_user_pools(
        &self,
        request: ListUserPoolsRequest,
    ) -> Result<ListUserPoolsResponse, Error> {
        let min_position = request.min_position;
        let PoolPageRequest { page, filter } = PoolPageRequest::parse(request)?;
        let PageRequest { max_results, next_token } = page;
        self.wait_to_read(min_position).await?;
        let list = self.list_name(&list_of_pools(&filter));
        let place = next_token.map(|token| page_token::decode(&list, &token)).transpose()?;
        let PoolPage { pools, next } = self.app.find(&filter, place, max_results).await?;
        Ok(ListUserPoolsResponse {
            user_pools: pools.into_iter().map(summary).collect(),
            next_token: next.map(|place| page_token::encode(&list, &place)),
            head_position: self.head_position(),
        })
    }

    pub(crate) async fn add_custom_attributes(
        &self,
        request: AddCustomAttributesRequest,
        caller: Caller,
    ) -> Result<AddCustomAttributesResponse, Error> {
        let outcome = self.execute(request, caller, CheckedCommand::add_custom_attributes).await?;
        let Outcome { revision, position, .. } = outcome;
        Ok(AddCustomAttributesResponse { revision, position })
    }
}

/// The name of the list of the user pools that meet a filter.
fn list_of_pools(filter: &PoolFilter) -> String {
    const NAME: &str = "ListUserPools";
    match filter.conditions().encode_to_vec().as_slice() {
        [] => NAME.to_owned(),
        conditions => page_token::list_of(NAME, conditions),
    }
}

fn summary(stored: StoredPool) -> UserPoolDescription {
    let StoredPool { revision, deletion_time, .. } = stored;
    let pool = UserPool::from(stored);
    UserPoolDescription {
        id: pool.id,
        name: pool.name,
        lambda_config: pool.lambda_config,
        status: pool.status,
        last_modified_date: pool.last_modified_date,
        creation_date: pool.creation_date,
        revision,
        deletion_time,
        domain: pool.domain,
        custom_domain: pool.custom_domain,
    }
}
