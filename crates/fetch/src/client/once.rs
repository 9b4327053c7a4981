//! A request in a single attempt, without an engine.
//!
//! Owns: the beginning and the end of its download.
//! Does not own: retries, which take a [`crate::FetchJob`].

use std::time::Duration;

use haul_io::Io;

use crate::body::download::Download;
use crate::body::sink::Sink;
use crate::transfer::attempt::Attempt;
use crate::transfer::shared::Shared;
use crate::{Error, Expected, Request, Response};

/// Fetches `request` into `sink`. On failure nothing is left in the place of the sink.
pub(crate) async fn fetch_once(
    io: &impl Io,
    shared: &Shared,
    request: &Request,
    sink: Sink,
) -> Result<Response, Error> {
    let mut attempt = Attempt::start(io, shared, Duration::ZERO);
    let mut download = Download::new(sink, Expected::default());
    match attempt.fetch(request, &mut download).await {
        Ok(response) if download.is_unchanged() => {
            download.abandon(io).await;
            Ok(response)
        }
        Ok(response) => {
            let complete = download.complete(io).await?;
            Ok(Response { body: complete.stored.body, ..response })
        }
        Err(error) => {
            download.abandon(io).await;
            Err(error)
        }
    }
}
