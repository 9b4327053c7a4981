//! Tests of `haul get` against scripted servers.

mod certificates;
mod cookies;
mod fields;
mod names;
mod requests;
mod sync;
