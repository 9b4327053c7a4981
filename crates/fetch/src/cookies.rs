//! The cookies room: cookies shared by the requests of a client (RFC 6265bis).
//!
//! Enters: Set-Cookie fields, cookie files.
//! Leaves: Cookie fields, cookie files.
//! Not to be touched from outside: the store and its rules; other rooms see the [`jar::CookieJar`] only.

mod cookie;
mod date;
pub(crate) mod jar;
mod netscape;
mod scope;
mod store;
