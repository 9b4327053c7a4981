//! Whether a result that was uploaded earlier is what the server has.
//!
//! Owns: what counts as a match.
//! Does not own: the request that finds out ([`crate::kept::existing`]).

use haul_io::Io;

use crate::kept::existing::{look, total};
use crate::kept::validator::last_modified;
use crate::transfer::attempt::Attempt;
use crate::transfer::fetch::{Hop, Looked};
use crate::uploads::uploader::Uploaded;
use crate::{Error, Expected, Request, Response};

/// What there is.
#[derive(Clone, Copy)]
pub(crate) struct Earlier {
    pub(crate) there: Uploaded,
    /// Whether results are stored in a format.
    pub(crate) is_encoded: bool,
}

/// What the server says of it.
pub(crate) enum CheckedUpload {
    /// It is what the server has.
    Complete(Box<Response>),
    /// Another host is to be asked, by this request for the whole.
    Elsewhere(Box<Hop>),
}

/// Checks whether a result that was uploaded earlier is what the server has: the lengths and the times of both must be
/// known and the same. Its checksums were checked before it got its name. `hop` is where an earlier look led.
///
/// # Errors
/// [`Error::Differs`] if it is something else, or if that can't be known.
pub(crate) async fn check_uploaded<I: Io>(
    attempt: &mut Attempt<'_, I>,
    request: &Request,
    hop: Option<&Hop>,
    expected: &Expected,
    earlier: Earlier,
) -> Result<CheckedUpload, Error> {
    let Earlier { there, is_encoded } = earlier;
    let bytes = if is_encoded { there.content_bytes } else { Some(there.bytes) };
    let bytes = bytes.ok_or(Error::Differs)?;
    if expected.size.is_some_and(|size| size != bytes) {
        return Err(Error::Differs);
    }
    let (request, redirect_count) = hop.map_or((request, 0), |hop| (&hop.request, hop.redirect_count));
    match look(attempt, request, redirect_count).await? {
        Some(Looked::Head(head, response)) => {
            let is_same = total(&head) == Some(bytes)
                && there.modified.is_some()
                && last_modified(&head.headers) == there.modified;
            if is_same {
                Ok(CheckedUpload::Complete(Box::new(Response { body_bytes: bytes, ..response })))
            } else {
                Err(Error::Differs)
            }
        }
        Some(Looked::Elsewhere(hop)) => Ok(CheckedUpload::Elsewhere(Box::new(hop))),
        None => Err(Error::Differs),
    }
}
