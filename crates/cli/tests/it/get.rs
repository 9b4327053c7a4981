//! Tests of `haul get` against scripted servers.

mod certificates;
mod cookies;
mod descriptors;
mod fields;
mod names;
mod requests;
mod sync;
