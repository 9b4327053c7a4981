//! Requests without an engine: every way to make one, and to get its result.

mod fetching;
mod front;
mod pending;
mod requests;
mod stream;
