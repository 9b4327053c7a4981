//! Tests of the fixtures.

mod haul;
mod outcomes;
mod server;
mod tls;
mod tree;
mod workdir;
