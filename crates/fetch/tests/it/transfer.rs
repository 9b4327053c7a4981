//! What happens between the request and its response: codings, cookies, expectations.

mod codings;
mod cookies;
mod expectations;
mod statuses;
