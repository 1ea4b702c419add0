//! Health: one status for the whole server, which is true at every moment, also
//! while the server starts and after it has begun to stop.

use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status, codegen::BoxStream};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_server::Health as HealthService,
};

use crate::transport::Phase;

/// The services that may be asked for, by name; "" is all of them.
const SERVICES: [&str; 3] =
    ["", "userpool.v1.UserPoolService", "userpool.v1.UserPoolHistoryService"];

#[derive(Debug)]
pub(super) struct Health {
    pub(super) phase: watch::Receiver<Phase>,
}

impl Health {
    fn knows(request: &Request<HealthCheckRequest>) -> Result<(), Status> {
        let known = SERVICES.contains(&request.get_ref().service.as_str());
        if known { Ok(()) } else { Err(Status::not_found("there is no such service")) }
    }
}

#[tonic::async_trait]
impl HealthService for Health {
    type WatchStream = BoxStream<HealthCheckResponse>;

    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        Self::knows(&request)?;
        Ok(Response::new(response(*self.phase.borrow())))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Self::knows(&request)?;
        let statuses = stream::unfold(Some((None, self.phase.clone())), |watching| async {
            let (told, mut phase) = watching?;
            let now = next(told, &mut phase).await;
            // After the last phase there is nothing to tell: a server that waited for
            // its watchers to leave would wait in vain.
            let watching = (now != Phase::Stopping).then_some((Some(now), phase));
            Some((Ok(response(now)), watching))
        });
        Ok(Response::new(statuses.boxed()))
    }
}

/// The phase after the one that was told; a server that is gone has stopped.
async fn next(told: Option<Phase>, phase: &mut watch::Receiver<Phase>) -> Phase {
    let other = phase.wait_for(|now| Some(*now) != told).await;
    other.map_or(Phase::Stopping, |now| *now)
}

fn response(phase: Phase) -> HealthCheckResponse {
    HealthCheckResponse { status: status(phase).into() }
}

const fn status(phase: Phase) -> ServingStatus {
    match phase {
        Phase::Starting | Phase::Stopping => ServingStatus::NotServing,
        Phase::Serving => ServingStatus::Serving,
    }
}
