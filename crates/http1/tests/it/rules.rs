//! The rules of an HTTP/1.1 client, each with accepted and refused cases.
//!
//! Owns: one module for each part of the protocol; cases are tables.
//! Does not own: cases of other projects (see [`llhttp`](crate::llhttp)).

mod body;
mod chunked;
mod errors;
mod framing;
mod head;
mod limits;
mod properties;
mod range;
mod request;
mod reuse;
