//! The operations on the tags of user pools, which are named by their ARNs.

use crate::{
    app::{EncodedPool, Outcome},
    proto::{
        ListTagsForResourceRequest, ListTagsForResourceResponse, TagResourceRequest,
        TagResourceResponse, UntagResourceRequest, UntagResourceResponse,
    },
    user_pool::CheckedCommand,
};

use super::{Caller, Error, Operations, decode_pool};

impl Operations {
    pub(crate) async fn tag_resource(
        &self,
        request: TagResourceRequest,
        caller: Caller,
    ) -> Result<TagResourceResponse, Error> {
        let limits = self.app.limits();
        let check = |request| CheckedCommand::tag_resource(request, &self.arns, limits);
        let Outcome { revision, position, .. } = self.execute(request, caller, check).await?;
        Ok(TagResourceResponse { revision, position })
    }

    pub(crate) async fn untag_resource(
        &self,
        request: UntagResourceRequest,
        caller: Caller,
    ) -> Result<UntagResourceResponse, Error> {
        let check = |request| CheckedCommand::untag_resource(request, &self.arns);
        let Outcome { revision, position, .. } = self.execute(request, caller, check).await?;
        Ok(UntagResourceResponse { revision, position })
    }

    pub(crate) async fn list_tags_for_resource(
        &self,
        request: ListTagsForResourceRequest,
    ) -> Result<ListTagsForResourceResponse, Error> {
        let min_position = request.min_position;
        let id = self.arns.parse_request(&request)?;
        self.wait_to_read(min_position).await?;
        let pool = self.existing_pool(id).await?;
        let EncodedPool { revision, position, .. } = pool;
        let tags = decode_pool(pool.user_pool.unwrap_or_default())?.user_pool_tags;
        Ok(ListTagsForResourceResponse {
            tags,
            revision,
            position,
            head_position: self.head_position(),
        })
    }
}
