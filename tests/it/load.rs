//! Overload and misbehaving clients: other clients are served meanwhile, excess calls
//! are refused at once, and the server recovers.

mod capacity;
mod deadlines;
mod hostile_clients;
mod memory;
mod stalled_clients;
mod startup;
pub(crate) mod wire;

use tonic::Status;
use userpool::proto::{DescribeUserPoolRequest, DescribeUserPoolResponse};

use crate::support::Client;

pub(crate) async fn describe(
    client: &mut Client,
    id: &str,
) -> Result<DescribeUserPoolResponse, Status> {
    let request = DescribeUserPoolRequest {
        user_pool_id: Some(id.to_owned()),
        ..DescribeUserPoolRequest::default()
    };
    Ok(client.describe_user_pool(request).await?.into_inner())
}
