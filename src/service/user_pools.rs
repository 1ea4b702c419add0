//! The operations on user pools.

use crate::{
    app::{EncodedPool, Outcome},
    proto::{
        AddCustomAttributesRequest, AddCustomAttributesResponse, CreateUserPoolRequest,
        DeleteUserPoolRequest, DeleteUserPoolResponse, DescribeUserPoolRequest,
        ListUserPoolsRequest, ListUserPoolsResponse, UpdateUserPoolRequest, UserPool,
        UserPoolDescription,
        served::{CreateUserPoolResponse, DescribeUserPoolResponse, UpdateUserPoolResponse},
    },
    user_pool::{CheckedCommand, PageRequest, UserPoolId},
};

use super::{Caller, Error, Operations, arn, page_token};

impl Operations {
    pub(crate) async fn create_user_pool(
        &self,
        request: CreateUserPoolRequest,
        caller: Caller,
    ) -> Result<CreateUserPoolResponse, Error> {
        let check = |request| CheckedCommand::create_user_pool(request, self.app.limits());
        let Outcome { user_pool, revision, position } =
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
        self.check_min_position(min_position)?;
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
        let Outcome { user_pool, revision, position } = outcome;
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

    pub(crate) fn list_user_pools(
        &self,
        request: ListUserPoolsRequest,
    ) -> Result<ListUserPoolsResponse, Error> {
        let min_position = request.min_position;
        let PageRequest { max_results, next_token } = PageRequest::of_user_pools(request)?;
        self.check_min_position(min_position)?;
        let list = self.list_name("ListUserPools");
        let after = match next_token {
            Some(token) => page_token::decode_number(&list, &token)?,
            None => 0,
        };
        let mut entries = self.app.list(after, max_results.saturating_add(1))?;
        let next_token = page_token::end_page(&mut entries, max_results)
            .map(|last| page_token::encode(&list, &last.created_position.to_be_bytes()));
        let user_pools = entries
            .into_iter()
            .map(|entry| (entry.pool.revision, UserPool::from(entry.pool)))
            .map(|(revision, pool)| summary(pool, revision))
            .collect();
        Ok(ListUserPoolsResponse { user_pools, next_token, head_position: self.head_position() })
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

fn summary(pool: UserPool, revision: i64) -> UserPoolDescription {
    UserPoolDescription {
        id: pool.id,
        name: pool.name,
        lambda_config: pool.lambda_config,
        status: pool.status,
        last_modified_date: pool.last_modified_date,
        creation_date: pool.creation_date,
        revision,
    }
}
