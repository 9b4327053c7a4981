//! Tests of `haul get` against scripted servers.

mod certificates;
mod cookies;
mod names;
mod requests;
mod sync;
