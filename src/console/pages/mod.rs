//! The pages, one file for each.

mod activity;
mod diff;
mod domain;
mod domains;
mod found_pools;
mod go;
mod history;
mod live;
mod log;
mod me;
mod pool;
mod pool_rows;
mod pools;
mod proof;
mod records;
mod schema;
mod strip;

use self::records::Format;
use super::{answer::Answer, failure::Failure, url::Route, visit::Visit};

/// Makes the answer to a request.
pub(super) async fn answer(visit: &Visit) -> Result<Answer, Failure> {
    match &visit.route {
        Route::Home => Ok(Answer::Elsewhere(Route::Pools.path())),
        Route::Pools => pools::page(visit).await,
        Route::Pool(id) => pool::page(visit, id).await,
        Route::History(id) => history::page(visit, id).await,
        Route::Diff(id) => diff::page(visit, id).await,
        Route::Domains => domains::page(visit).await,
        Route::Domain(name) => domain::page(visit, name).await,
        Route::Log => log::page(visit).await,
        Route::Live => live::stream(visit).await,
        Route::Records => records::stream(visit, Format::Records).await,
        Route::Export => records::stream(visit, Format::Export).await,
        Route::Proof => proof::page(visit).await,
        Route::Inclusion => proof::inclusion(visit).await,
        Route::Verifier => Ok(proof::verifier()),
        Route::Go => go::page(visit).await,
        Route::Me => me::page(visit).await,
    }
}
