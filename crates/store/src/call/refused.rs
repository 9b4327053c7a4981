//! Refusals as a store writes them: an XML document, or a status alone.
//!
//! Owns: reading them; words that can't control a terminal.
//! Does not own: what they mean ([`crate::refusal`]).

use haul_fetch::Response;

use crate::call::xml::Element;
use crate::refusal::{Kind, Refusal};

impl Refusal {
    /// The refusal that `response` is. A HEAD request's has no body, and so no code.
    pub(crate) fn of(response: &Response) -> Self {
        let status = response.status.as_u16();
        let error = Element::parse(&response.body).ok().filter(|element| element.name == "Error");
        let text = |name: &str| error.as_ref().and_then(|error| error.text(name)).map_or(String::new(), tame);
        let code = text("Code");
        let request_id = response.headers.get("x-amz-request-id").and_then(|id| id.to_str().ok());
        let request_id = request_id.map_or_else(|| text("RequestId"), tame);
        Self { kind: Kind::of(status, &code), status, code, message: text("Message"), request_id }
    }

    /// The refusal in an answer with a success's status: a completed upload is announced before it is assembled.
    pub(crate) fn within(error: &Element) -> Self {
        let text = |name: &str| error.text(name).map_or(String::new(), tame);
        let code = text("Code");
        Self {
            kind: Kind::of(500, &code),
            status: 200,
            message: text("Message"),
            request_id: text("RequestId"),
            code,
        }
    }
}

/// At most 300 characters, none of which controls a terminal.
fn tame(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}
