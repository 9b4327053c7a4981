//! The client room: the library as a caller without an engine sees it.
//!
//! Enters: settings and requests.
//! Leaves: responses, by a return value, a callback, a future, an iterator or a reader.
//! Not to be touched from outside: the worker threads and the slots of pending requests.

pub(crate) mod config;
pub(crate) mod details;
pub(crate) mod each;
pub(crate) mod handle;
pub(crate) mod observer;
mod once;
pub(crate) mod pending;
pub(crate) mod reader;
pub(crate) mod request;
pub(crate) mod response;
mod response_body;
mod secret_fields;
pub(crate) mod url_login;
pub(crate) mod workers;
pub(crate) mod zone;
