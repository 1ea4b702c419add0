//! Load that the server cannot carry, and clients that it cannot trust: others are
//! served meanwhile, whoever is too many is told at once, and all of it passes.

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

async fn describe(client: &mut Client, id: &str) -> Result<DescribeUserPoolResponse, Status> {
    let request = DescribeUserPoolRequest { user_pool_id: Some(id.to_owned()) };
    Ok(client.describe_user_pool(request).await?.into_inner())
}
