//! What happens between the request and its response: codings, cookies, expectations, stale connections.

mod codings;
mod cookies;
mod deadlines;
mod expectations;
mod framing;
mod stale;
mod statuses;
