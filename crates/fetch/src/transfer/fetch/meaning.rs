//! What the status of a final response means.
//!
//! Owns: which statuses are failures, and which leave nothing to publish.
//! Does not own: redirects that are followed ([`crate::transfer::redirect`]), what may be combined with bytes that are
//! there ([`crate::kept::resume`]).
//!
//! Source: RFC 9110, sections 15.3.5 and 15.3.6 (204 and 205 have no content).

use haul_io::Io;
use http::{Method, StatusCode};

use crate::Request;
use crate::body::download::NothingNew;
use crate::kept::condition::is_unchanged;
use crate::kept::resume::Ask;
use crate::transfer::attempt::Attempt;
use crate::transfer::retry_after::is_transient;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The body is what was asked for.
    Content,
    /// The request succeeded, and there is nothing to publish.
    Nothing(NothingNew),
    Failure,
}

impl<I: Io> Attempt<'_, I> {
    /// What `status` means as the answer to `request`, which was asked with `ask`. `makes_result`: whether the body is
    /// to become a file, an object or a member of a shard.
    pub(super) fn meaning(
        &self,
        request: &Request,
        ask: Ask,
        status: StatusCode,
        makes_result: bool,
    ) -> Meaning {
        let has_content = !matches!(status, StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT);
        if is_unchanged(request, status) {
            Meaning::Nothing(NothingNew::Unchanged)
        } else if self.has_failed(request, ask, status) {
            Meaning::Failure
        } else if has_content || !makes_result {
            Meaning::Content
        } else if request.method == Method::GET && self.is_strict(request) {
            // A file was asked for. Other methods do something, and nothing is what they may answer.
            Meaning::Failure
        } else {
            Meaning::Nothing(NothingNew::NoContent)
        }
    }

    fn has_failed(&self, request: &Request, ask: Ask, status: StatusCode) -> bool {
        let concerns_range = ask != Ask::Whole && status == StatusCode::RANGE_NOT_SATISFIABLE;
        let has_failed = if self.is_strict(request) {
            !status.is_success()
        } else {
            let is_tried_again = self.may_retry && is_transient(status, &self.config().retry_statuses);
            // A redirect without a target is no content, whatever is wanted of failed requests.
            let is_astray = status.is_redirection() && !self.config().takes_redirects(request);
            is_astray || is_tried_again
        };
        has_failed && !concerns_range
    }

    /// Whether only a success counts. A file that is kept up to date must not be replaced by the body of any other
    /// response.
    fn is_strict(&self, request: &Request) -> bool {
        self.config().sync || self.config().fails_on_status(request)
    }
}
