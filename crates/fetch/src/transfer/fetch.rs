//! The order of steps of one attempt: conditions, redirects and ranges, until the body has been received.
//!
//! Owns: which request comes next, and which response is final.
//! Does not own: the steps themselves.

mod meaning;

use std::borrow::Cow;

use haul_http1::{Framing, ProtocolError, ResponseHead};
use haul_io::Io;
use http::header::{Entry, RANGE, SET_COOKIE};
use http::{HeaderMap, Method, StatusCode};

use crate::body::coding::archive;
use crate::body::coding::decoding::Decoding;
use crate::body::download::{Download, NothingNew};
use crate::body::receiver::Receiver;
use crate::kept::condition::{Judgement, LocalCopy};
use crate::kept::resume::{Ask, Verdict, answers};
use crate::route::origin::Origin;
use crate::transfer::attempt::Attempt;
use crate::transfer::exchange::Answered;
use crate::transfer::fetch::meaning::Meaning;
use crate::transfer::redirect;
use crate::transfer::retry_after::host_pause;
use crate::{Error, Request, Response};

/// Parts of fewer bytes are small: a server that sends only such ones would be asked without end.
const SMALL_PART_BYTES: u64 = 4 * 1024;
/// How many small parts one attempt takes.
const SMALL_PARTS_MAX: u32 = 16;

/// How far [`Attempt::begin`] came.
#[expect(
    clippy::large_enum_variant,
    reason = "it is made once for each request; a box would cost an allocation"
)]
pub(crate) enum Begun<'r> {
    /// The response is complete.
    Complete(Response),
    /// The body of the whole comes next.
    Body(WholeBody<'r>),
    /// Another host is to be asked.
    Elsewhere(Hop),
}

/// How far [`Attempt::look`] came.
pub(crate) enum Looked {
    /// At the response.
    Head(ResponseHead, Response),
    /// Another host is to be asked.
    Elsewhere(Hop),
}

/// A request that a redirect to another host leads to.
pub(crate) struct Hop {
    pub(crate) request: Request,
    /// Redirects that were followed so far.
    pub(crate) redirect_count: u32,
}

/// A response whose body is the whole representation, and comes next.
pub(crate) struct WholeBody<'r> {
    /// The request that was answered, after redirects.
    pub(crate) request: Cow<'r, Request>,
    pub(crate) answered: Answered,
    pub(crate) decoding: Option<Decoding>,
}

/// What one URL led to.
enum Step {
    Complete(Response),
    Body(Answered, Option<Decoding>),
    Redirect(Request),
}

/// The answer to a request that may have been conditional.
enum Asked {
    Answered(Answered),
    /// The local copy is current.
    Unchanged(Response),
}

impl<I: Io> Attempt<'_, I> {
    /// Fetches `request`, or what `download` lacks of it, after `redirect_count` redirects, up to the body of the whole
    /// if that is what comes, or to a redirect to another host.
    pub(crate) async fn begin<'r>(
        &mut self,
        request: &'r Request,
        redirect_count: u32,
        download: &mut Download,
    ) -> Result<Begun<'r>, Error> {
        let mut request = Cow::Borrowed(request);
        for redirect_count in redirect_count..=self.config().redirects_max_of(&request) {
            self.trace.redirect_count = redirect_count;
            match self.step(&request, download).await? {
                Step::Complete(response) => return Ok(Begun::Complete(response)),
                Step::Body(answered, decoding) => {
                    return Ok(Begun::Body(WholeBody { request, answered, decoding }));
                }
                Step::Redirect(next) if Origin::of(&next.url) == Origin::of(&request.url) => {
                    request = Cow::Owned(next);
                }
                Step::Redirect(request) => {
                    return Ok(Begun::Elsewhere(Hop { request, redirect_count: redirect_count + 1 }));
                }
            }
        }
        Err(Error::TooManyRedirects)
    }

    /// Receives the body that [`Attempt::begin`] led to.
    pub(crate) async fn receive_whole(
        &mut self,
        body: WholeBody<'_>,
        download: &mut Download,
    ) -> Result<Response, Error> {
        let WholeBody { request, answered, decoding } = body;
        self.receive(&request, answered, decoding, download).await
    }

    /// Requests one URL until its response is final: whole, or what `download` lacks of it.
    async fn step(&mut self, request: &Request, download: &mut Download) -> Result<Step, Error> {
        let is_ranged = request.headers.contains_key(RANGE);
        let can_resume = request.may_come_in_parts() && download.prefix().is_some();
        let mut ask = if can_resume { Ask::IfRange } else { Ask::Whole };
        let mut small_part_count = 0;
        loop {
            let prefix = download.prefix();
            let asked = ask.of(request, prefix.as_ref());
            let answered = match self.ask_unless_current(&asked, download).await? {
                Asked::Answered(answered) => answered,
                Asked::Unchanged(response) => return Ok(Step::Complete(response)),
            };
            let head = &answered.head;
            self.trace.host_pause = host_pause(&request.url, head.status, &head.headers, self.config());
            let meaning = self.meaning(request, ask, head.status, download.makes_result());
            if let Meaning::Nothing(reason) = meaning {
                download.set_nothing_new(reason);
                return Ok(Step::Complete(self.without_body(request, answered).await));
            }
            let next = self.followed(request, head)?;
            if next.is_none() && ask.is_refused(head) {
                self.drain(request, answered).await;
                ask = Ask::Whole;
                continue;
            }
            if next.is_some() || meaning == Meaning::Failure {
                let Some(next) = next else { return Err(self.status_error(request, answered).await) };
                self.drain(request, answered).await;
                return Ok(Step::Redirect(next));
            }
            let decoding = if is_ranged { None } else { self.decoding(request, head)? };
            let verdict = ask.judge(prefix.as_ref(), head, is_ranged && answers(request, head))?;
            match verdict.without_coded_parts(decoding.is_some()) {
                Verdict::TakeWhole => {
                    download.check_source(&request.url, head)?;
                    if download.bytes() > 0 {
                        download.set_aside(self.io).await?;
                    }
                    self.expect_whole(request, head, decoding.is_some(), download).await?;
                    return Ok(Step::Body(answered, decoding));
                }
                Verdict::TakePart { bytes, total } => {
                    small_part_count += u32::from(bytes < SMALL_PART_BYTES);
                    if small_part_count > SMALL_PARTS_MAX {
                        return Err(incomplete(download.bytes(), total));
                    }
                    let part = Part { bytes, total };
                    // On the heap, as most requests never need it: so a task in flight is smaller.
                    match Box::pin(self.receive_part(request, answered, part, download)).await? {
                        Some(response) => return Ok(Step::Complete(response)),
                        None => ask = Ask::IfRange,
                    }
                }
                Verdict::Complete => {
                    download.expect_nothing();
                    let response = self.without_body(request, answered).await;
                    return Ok(Step::Complete(Response { body_bytes: download.bytes(), ..response }));
                }
                Verdict::AskPlain => ask = Ask::PlainRange,
                Verdict::AskLastByte => {
                    self.drain(request, answered).await;
                    ask = Ask::LastByte;
                }
                Verdict::StartOver => {
                    download.set_aside(self.io).await?;
                    ask = Ask::Whole;
                }
            }
        }
    }

    /// The response whose head is all that is needed.
    async fn without_body(&self, request: &Request, answered: Answered) -> Response {
        let response = self.response(request, answered.head.clone());
        self.drain(request, answered).await;
        response
    }

    /// Sends `request`, on condition that the local copy of `download` is out of date, if there is one.
    async fn ask_unless_current(
        &mut self,
        request: &Request,
        download: &mut Download,
    ) -> Result<Asked, Error> {
        if let Some(copy) = download.local_copy(&request.url)
            && let Some(asked) = Box::pin(self.ask_whether_current(request, copy, download)).await?
        {
            return Ok(asked);
        }
        Ok(Asked::Answered(self.answered(request).await?))
    }

    /// Sends `request` on condition that `copy` is out of date; `None` if the answer says nothing about that.
    async fn ask_whether_current(
        &mut self,
        request: &Request,
        copy: LocalCopy,
        download: &mut Download,
    ) -> Result<Option<Asked>, Error> {
        let answered = self.answered(&copy.conditional(request)).await?;
        let judgement = copy.judge(&answered.head);
        if judgement == Judgement::Changed {
            return Ok(Some(Asked::Answered(answered)));
        }
        let unchanged = self.without_body(request, answered).await;
        if judgement == Judgement::Unchanged {
            download.set_nothing_new(NothingNew::Unchanged);
            return Ok(Some(Asked::Unchanged(unchanged)));
        }
        download.drop_local_copy();
        Ok(None)
    }

    /// The head of the response to `request`, which is where `redirect_count` redirects led; or a redirect to another
    /// host. The body is not needed.
    pub(crate) async fn look(&mut self, mut request: Request, redirect_count: u32) -> Result<Looked, Error> {
        for redirect_count in redirect_count..=self.config().redirects_max_of(&request) {
            self.trace.redirect_count = redirect_count;
            let answered = self.answered(&request).await?;
            let head = answered.head.clone();
            self.trace.host_pause = host_pause(&request.url, head.status, &head.headers, self.config());
            let next = self.redirected(&request, &head)?;
            if next.is_none()
                && self.meaning(&request, Ask::PlainRange, head.status, true) == Meaning::Failure
            {
                return Err(self.status_error(&request, answered).await);
            }
            self.drain(&request, answered).await;
            match next {
                Some(next) if Origin::of(&next.url) == Origin::of(&request.url) => request = next,
                Some(request) => {
                    return Ok(Looked::Elsewhere(Hop { request, redirect_count: redirect_count + 1 }));
                }
                None => {
                    let response = self.response(&request, head.clone());
                    return Ok(Looked::Head(head, response));
                }
            }
        }
        Err(Error::TooManyRedirects)
    }

    /// As [`Attempt::redirected`], unless a redirect is what `request` asks for.
    fn followed(&self, request: &Request, head: &ResponseHead) -> Result<Option<Request>, Error> {
        if self.config().takes_redirects(request) { Ok(None) } else { self.redirected(request, head) }
    }

    /// The request that the response with `head` redirects to.
    pub(crate) fn redirected(
        &self,
        request: &Request,
        head: &ResponseHead,
    ) -> Result<Option<Request>, Error> {
        let next = redirect::follow(request, head.status, &head.headers, self.config().allow_downgrade)?;
        next.map(|next| self.authorized(request, next)).transpose()
    }

    /// `next`, which `request` was redirected to, with the login of its host if that is another origin.
    fn authorized(&self, request: &Request, next: Request) -> Result<Request, Error> {
        let is_elsewhere = Origin::of(&request.url) != Origin::of(&next.url);
        let logins = self.config().logins.as_ref().filter(|_| is_elsewhere);
        match logins.and_then(|logins| logins.of(&next.url)) {
            Some(login) => next.basic_auth(&login.name, &login.password).checked(),
            None => Ok(next),
        }
    }

    /// The decoders for a body, if it has content codings and they are to be undone.
    fn decoding(&self, request: &Request, head: &ResponseHead) -> Result<Option<Decoding>, Error> {
        let config = self.config();
        let is_left = || !config.decode_archives && archive::is_archive(&request.url, &head.headers);
        if config.compressed && head.framing != Framing::None && !is_left() {
            Ok(Decoding::of(&head.headers, self.config().decoded_ratio_max)?)
        } else {
            Ok(None)
        }
    }

    /// Prepares `download` for the whole body that comes after `head`.
    async fn expect_whole(
        &mut self,
        request: &Request,
        head: &ResponseHead,
        is_decoded: bool,
        download: &mut Download,
    ) -> Result<(), Error> {
        if download.is_named_by_server() {
            Box::pin(download.name(self.io, &head.headers)).await?;
        }
        self.announce(if request.method == Method::HEAD { Some(0) } else { length(head) });
        // A part that the user asked for: no other gets here.
        let is_excerpt = request.headers.contains_key(RANGE) && head.status == StatusCode::PARTIAL_CONTENT;
        if request.method == Method::HEAD {
            download.expect_head_only();
        } else if is_excerpt {
            download.expect_excerpt(self.io, &head.headers, length(head))?;
        } else if is_decoded {
            download.expect_decoded(self.io, &head.headers)?;
        } else {
            download.expect_whole(self.io, &request.url, &head.headers, length(head))?;
        }
        download.announce(|| self.response(request, head.clone()));
        Ok(())
    }

    async fn receive(
        &mut self,
        request: &Request,
        answered: Answered,
        decoding: Option<Decoding>,
        download: &mut Download,
    ) -> Result<Response, Error> {
        let answered_at = self.io.now();
        let received = self.receive_body(answered, decoding, download).await;
        self.trace.times.body += self.io.now() - answered_at;
        let received = received?;
        let trailers = received.body.trailers().cloned().unwrap_or_default();
        let head = self.keep(request, received);
        download.end(self.io).await?;
        let body_bytes = download.bytes();
        Ok(Response { trailers, body_bytes, ..self.response(request, head) })
    }

    /// Receives `part`; returns the response if no byte is missing afterwards.
    async fn receive_part(
        &mut self,
        request: &Request,
        answered: Answered,
        part: Part,
        download: &mut Download,
    ) -> Result<Option<Response>, Error> {
        let end = download.bytes() + part.bytes;
        self.announce(part.total.map(|total| total.saturating_sub(download.bytes())).or(Some(part.bytes)));
        download.expect_part(self.io, &answered.head.headers, part.total)?;
        let response = self.receive(request, answered, None, download).await?;
        if download.bytes() < end {
            // What came is right as far as it goes.
            return Err(incomplete(download.bytes(), Some(end)));
        }
        if download.bytes() > end {
            download.set_aside(self.io).await?;
            return Err(Error::UnaskedPart);
        }
        Ok(download.has_all().then_some(response))
    }

    /// The response with `head`, its body empty.
    pub(crate) fn response(&self, request: &Request, head: ResponseHead) -> Response {
        let (url, mut headers) = (request.url.clone(), head.headers);
        if let Entry::Occupied(mut set_cookie) = headers.entry(SET_COOKIE) {
            set_cookie.iter_mut().for_each(|field| field.set_sensitive(true));
        }
        let (status, trailers, body) = (head.status, HeaderMap::new(), Vec::new());
        let redirect_count = self.trace.redirect_count;
        Response { status, headers, trailers, url, body, body_bytes: 0, redirect_count }
    }
}

/// A part of a representation, as its response announces it.
struct Part {
    bytes: u64,
    /// Length of the whole, if known.
    total: Option<u64>,
}

/// The error of a whole that ended after `received_bytes`, which another attempt may continue.
fn incomplete(received_bytes: u64, expected_bytes: Option<u64>) -> Error {
    ProtocolError::Incomplete { received_bytes, expected_bytes }.into()
}

fn length(head: &ResponseHead) -> Option<u64> {
    match head.framing {
        Framing::Length(bytes) => Some(bytes),
        _ => None,
    }
}
