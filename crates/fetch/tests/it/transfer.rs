//! What happens between the request and its response: codings, cookies, expectations, stale connections.

mod bulk;
#[cfg(feature = "codings")]
mod codings;
#[cfg(feature = "cookies")]
mod cookies;
mod deadlines;
mod expectations;
mod framing;
mod stale;
mod statuses;
