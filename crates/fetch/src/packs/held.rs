//! A result whose shard is still being written.
//!
//! Owns: what is kept of it until then.
//! Does not own: waiting ([`haul_pack::PackSource`]).

use std::path::PathBuf;

use haul_io::{Io, Shortfalls};
use haul_pack::Ticket;
use http::HeaderMap;

use crate::packs::name::PackName;
use crate::{Checksum, Error, Response, Times};

/// A complete result, a member of a shard.
pub(crate) struct HeldResult {
    pub(crate) ticket: Ticket,
    pub(crate) times: Times,
    /// Taken by the start that ends the task.
    response: Option<Response>,
    hash: Option<Checksum>,
}

/// A result whose shard is published.
pub(crate) struct PackedResult {
    pub(crate) response: Response,
    pub(crate) hash: Option<Checksum>,
    pub(crate) shard: PathBuf,
    /// What the file system of the shard couldn't do.
    pub(crate) shortfalls: Shortfalls,
}

impl HeldResult {
    /// Header fields aren't kept: tens of thousands of results wait.
    pub(crate) fn new(ticket: Ticket, response: Response, hash: Option<Checksum>, times: Times) -> Self {
        let (headers, trailers) = (HeaderMap::new(), HeaderMap::new());
        Self { ticket, times, response: Some(Response { headers, trailers, ..response }), hash }
    }

    /// What became of the result, whose shard is published if it is still open.
    ///
    /// # Errors
    /// Why the shard could not be published.
    pub(crate) async fn settle(&mut self, io: &impl Io, to: &PackName) -> Result<PackedResult, Error> {
        let (shard, shortfalls) = to.packer.settle(io, &self.ticket).await.map_err(Error::write)?;
        let response = self.response.take().ok_or(Error::Cancelled)?;
        Ok(PackedResult { response, hash: self.hash.take(), shard, shortfalls })
    }
}
