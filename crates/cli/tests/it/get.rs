//! Tests of `haul get` against scripted servers.

mod certificates;
mod cookies;
mod logins;
mod names;
mod places;
mod requests;
mod sync;
