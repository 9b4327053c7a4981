//! Object stores: everything whose address begins with `s3://`.
//!
//! In: addresses, the variables that describe a store. Out: readers, writers, and the place that fetched results are
//! uploaded to. Requests belong to [`haul_store`].

pub(crate) mod objects;
pub(crate) mod uploads;
pub(crate) mod variables;
