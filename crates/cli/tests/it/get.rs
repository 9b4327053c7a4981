//! Tests of `haul get` against scripted servers.

mod certificates;
mod cookies;
mod descriptors;
mod fields;
mod hidden;
mod logins;
mod mounts;
mod names;
mod places;
mod requests;
mod retries;
mod sealed;
mod sealed_cuts;
mod sync;
mod waiting;
