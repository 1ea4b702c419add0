//! The operations of this door: a row each.

use std::sync::LazyLock;

use futures_util::future::BoxFuture;
use prost::Message;

use crate::{
    proto::{
        AddCustomAttributesRequest, CreateUserPoolDomainRequest, CreateUserPoolRequest,
        DESCRIPTORS, DeleteUserPoolDomainRequest, DeleteUserPoolRequest,
        DescribeUserPoolDomainRequest, DescribeUserPoolRequest, GetUserPoolMfaConfigRequest,
        ListTagsForResourceRequest, ListUserPoolsRequest, SetUserPoolMfaConfigRequest,
        TagResourceRequest, UntagResourceRequest, UpdateUserPoolDomainRequest,
        UpdateUserPoolRequest,
    },
    service::{Caller, Error, Operations},
};

use super::{api::AwsApi, shape::Shape};

/// What a target begins with.
const TARGET_PREFIX: &str = "AWSCognitoIdentityProviderService.";
/// The gRPC service that has the operations.
const SERVICE: &str = "userpool.v1.UserPoolService";

/// The names of all operations in metrics; the last one stands for unknown ones.
pub const NAMES: [&str; 16] = [
    "CreateUserPool",
    "DescribeUserPool",
    "UpdateUserPool",
    "DeleteUserPool",
    "ListUserPools",
    "CreateUserPoolDomain",
    "DescribeUserPoolDomain",
    "DeleteUserPoolDomain",
    "UpdateUserPoolDomain",
    "AddCustomAttributes",
    "GetUserPoolMfaConfig",
    "SetUserPoolMfaConfig",
    "TagResource",
    "UntagResource",
    "ListTagsForResource",
    OTHER,
];
/// The name of an unknown operation in metrics.
pub(super) const OTHER: &str = "other";

/// An operation.
pub(super) struct Operation {
    pub(super) name: &'static str,
    /// The path of its gRPC method.
    pub(super) path: &'static str,
    /// Whether it changes something.
    pub(super) is_change: bool,
    pub(super) answer: Answer,
    /// The month since which AWS has it; `None` if it had it on 2017-12-11.
    pub(super) since: Option<&'static str>,
    call: Call,
}

/// The body of a successful answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    /// The response message. The empty lists and maps in these fields are shown.
    Message { show_empty: &'static [&'static str] },
    /// An object without members, whatever the response message has.
    EmptyObject,
    /// Nothing.
    Nothing,
}

/// The options of a change.
#[derive(Debug, Default)]
pub(super) struct ChangeOptions {
    pub(super) request_id: Option<String>,
    pub(super) validate_only: bool,
}

/// Calls the operation with an encoded request. Returns the encoded response.
type Call = for<'a> fn(
    &'a Operations,
    &'a [u8],
    Caller,
    ChangeOptions,
) -> BoxFuture<'a, Result<Vec<u8>, Error>>;

macro_rules! change {
    ($name:literal, $function:ident, $request:ty, $answer:expr) => {
        Operation {
            name: $name,
            path: concat!("/userpool.v1.UserPoolService/", $name),
            is_change: true,
            answer: $answer,
            since: None,
            call: |operations, request, caller, options| {
                Box::pin(async move {
                    let mut request: $request = parse(request)?;
                    request.request_id = options.request_id;
                    request.validate_only = options.validate_only;
                    Ok(operations.$function(request, caller).await?.encode_to_vec())
                })
            },
        }
    };
}

macro_rules! read {
    ($name:literal, $function:ident, $request:ty, $answer:expr) => {
        Operation {
            name: $name,
            path: concat!("/userpool.v1.UserPoolService/", $name),
            is_change: false,
            answer: $answer,
            since: None,
            call: |operations, request, _, _| {
                Box::pin(async move {
                    let request: $request = parse(request)?;
                    Ok(operations.$function(request).await?.encode_to_vec())
                })
            },
        }
    };
}

/// Source: the operations on user pools and domains in botocore 1.8.12, and those of
/// botocore 1.44.8 that Terraform's provider calls. A row of an operation that AWS did not have on
/// 2017-12-11 ends with the month since which it has it.
#[rustfmt::skip]
static OPERATIONS: [Operation; 15] = [
    change!("CreateUserPool", create_user_pool, CreateUserPoolRequest, Answer::Message { show_empty: &[] }),
    read!("DescribeUserPool", describe_user_pool, DescribeUserPoolRequest, Answer::Message { show_empty: &["userpool.v1.UserPool.user_pool_tags"] }),
    change!("UpdateUserPool", update_user_pool, UpdateUserPoolRequest, Answer::EmptyObject),
    change!("DeleteUserPool", delete_user_pool, DeleteUserPoolRequest, Answer::Nothing),
    read!("ListUserPools", list_user_pools, ListUserPoolsRequest, Answer::Message { show_empty: &["userpool.v1.ListUserPoolsResponse.user_pools"] }),
    change!("CreateUserPoolDomain", create_user_pool_domain, CreateUserPoolDomainRequest, Answer::Message { show_empty: &[] }),
    read!("DescribeUserPoolDomain", describe_user_pool_domain, DescribeUserPoolDomainRequest, Answer::Message { show_empty: &[] }),
    change!("DeleteUserPoolDomain", delete_user_pool_domain, DeleteUserPoolDomainRequest, Answer::EmptyObject),
    change!("UpdateUserPoolDomain", update_user_pool_domain, UpdateUserPoolDomainRequest, Answer::Message { show_empty: &[] }).since("2018-12"),
    change!("AddCustomAttributes", add_custom_attributes, AddCustomAttributesRequest, Answer::EmptyObject),
    read!("GetUserPoolMfaConfig", get_user_pool_mfa_config, GetUserPoolMfaConfigRequest, Answer::Message { show_empty: &[] }),
    change!("SetUserPoolMfaConfig", set_user_pool_mfa_config, SetUserPoolMfaConfigRequest, Answer::Message { show_empty: &[] }),
    change!("TagResource", tag_resource, TagResourceRequest, Answer::EmptyObject).since("2019-03"),
    change!("UntagResource", untag_resource, UntagResourceRequest, Answer::EmptyObject).since("2019-03"),
    read!("ListTagsForResource", list_tags_for_resource, ListTagsForResourceRequest, Answer::Message { show_empty: &["userpool.v1.ListTagsForResourceResponse.tags"] }).since("2019-03"),
];

/// The shapes of a request and of its response.
type Shapes = (Shape, Shape);

/// The shapes of all operations, in their order.
static SHAPES: LazyLock<Vec<Option<Shapes>>> = LazyLock::new(|| read_all_shapes(AwsApi::Today));
/// The same, as of 2017-12-11.
static SHAPES_OF_2017: LazyLock<Vec<Option<Shapes>>> =
    LazyLock::new(|| read_all_shapes(AwsApi::Of2017));

fn read_all_shapes(api: AwsApi) -> Vec<Option<Shapes>> {
    OPERATIONS.iter().map(|operation| operation.read_shapes(api)).collect()
}

impl Operation {
    /// The same operation, which AWS has since this month.
    const fn since(self, month: &'static str) -> Self {
        Self { since: Some(month), ..self }
    }

    /// The operation of a target.
    pub(super) fn of(target: &str) -> Option<&'static Self> {
        let name = operation_name(target)?;
        OPERATIONS.iter().find(|operation| operation.name == name)
    }

    /// The shapes of its request and of its response in `api`.
    ///
    /// # Errors
    /// The schema has a type that AWS's JSON does not have. Every test of an operation finds
    /// that.
    pub(super) fn shapes(&self, api: AwsApi) -> Result<&'static Shapes, Error> {
        let all = match api {
            AwsApi::Today => &SHAPES,
            AwsApi::Of2017 => &SHAPES_OF_2017,
        };
        let index = OPERATIONS.iter().position(|operation| operation.name == self.name);
        let shapes = index.and_then(|index| all.get(index)).and_then(Option::as_ref);
        shapes.ok_or_else(Error::internal)
    }

    fn read_shapes(&self, api: AwsApi) -> Option<Shapes> {
        let service = DESCRIPTORS.get_service_by_name(SERVICE)?;
        let method = service.methods().find(|method| method.name() == self.name)?;
        let show_empty = match self.answer {
            Answer::Message { show_empty } => show_empty,
            Answer::EmptyObject | Answer::Nothing => &[],
        };
        let request = Shape::of(&method.input(), api, &[])?;
        Some((request, Shape::of(&method.output(), api, show_empty)?))
    }

    /// Calls it with an encoded request. Returns the encoded response.
    pub(super) async fn call(
        &self,
        operations: &Operations,
        request: &[u8],
        caller: Caller,
        options: ChangeOptions,
    ) -> Result<Vec<u8>, Error> {
        (self.call)(operations, request, caller, options).await
    }
}

/// The name of the operation in a target of this service.
pub(super) fn operation_name(target: &str) -> Option<&str> {
    target.strip_prefix(TARGET_PREFIX)
}

/// The decoder wrote these bytes, so they are a message.
fn parse<M: Message + Default>(request: &[u8]) -> Result<M, Error> {
    M::decode(request).map_err(|_| Error::internal())
}

#[cfg(test)]
mod tests {
    use super::{Answer, AwsApi, NAMES, OPERATIONS};

    #[test]
    fn each_row_is_a_method_and_the_change_that_it_says() {
        let names: Vec<_> = OPERATIONS.iter().map(|operation| operation.name).collect();
        assert_eq!(names, NAMES[..15]);
        for operation in &OPERATIONS {
            let (request, response) = operation.shapes(AwsApi::Today).expect(operation.name);
            let service = crate::proto::DESCRIPTORS.get_service_by_name(super::SERVICE);
            let service = service.expect("the service");
            let method = service.methods().find(|method| method.name() == operation.name);
            let method = method.expect(operation.name);
            let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
            assert_eq!(operation.path, path);
            let input = method.input();
            let is_change = input.get_field_by_name("request_id").is_some();
            assert_eq!(operation.is_change, is_change, "{}", operation.name);
            assert!(!request.members().is_empty(), "{}", operation.name);
            // AWS shows no user pool after an update.
            let shows = matches!(operation.answer, Answer::Message { .. });
            let expected = !response.members().is_empty() && operation.name != "UpdateUserPool";
            assert_eq!(shows, expected, "{}", operation.name);
        }
    }
}
