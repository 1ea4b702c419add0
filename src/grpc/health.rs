//! Health: one status for the whole server. It is served from the start of the server to
//! its end.

use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status, codegen::BoxStream};
use tonic_health::pb::{
    HealthCheckRequest, HealthCheckResponse, health_check_response::ServingStatus,
    health_server::Health as HealthService,
};

use crate::transport::Phase;

/// The names of the services that a client can check; "" is the whole server.
const SERVICES: [&str; 3] =
    ["", "userpool.v1.UserPoolService", "userpool.v1.UserPoolHistoryService"];

#[derive(Debug)]
pub(super) struct Health {
    pub(super) phase: watch::Receiver<Phase>,
}

impl Health {
    fn check_name(request: &Request<HealthCheckRequest>) -> Result<(), Status> {
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
        Self::check_name(&request)?;
        Ok(Response::new(response(*self.phase.borrow())))
    }

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Self::check_name(&request)?;
        let statuses = stream::unfold(Some((None, self.phase.clone())), |watching| async {
            let (sent, mut phase) = watching?;
            let now = next(sent, &mut phase).await;
            // The last phase ends the stream, so that open watches do not delay the
            // shutdown.
            let watching = (!now.is_last()).then_some((Some(now), phase));
            Some((Ok(response(now)), watching))
        });
        Ok(Response::new(statuses.boxed()))
    }
}

/// Waits for a phase with another status than the one that was sent, or for the last one. A
/// dropped server has stopped.
async fn next(sent: Option<Phase>, phase: &mut watch::Receiver<Phase>) -> Phase {
    let is_news =
        |now: &Phase| now.is_last() || sent.is_none_or(|sent| sent.is_ready() != now.is_ready());
    phase.wait_for(is_news).await.map_or(Phase::Stopping, |now| *now)
}

fn response(phase: Phase) -> HealthCheckResponse {
    HealthCheckResponse { status: status(phase).into() }
}

const fn status(phase: Phase) -> ServingStatus {
    if phase.is_ready() { ServingStatus::Serving } else { ServingStatus::NotServing }
}
