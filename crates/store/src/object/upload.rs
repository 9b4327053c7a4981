//! An upload in parts, as a store lists it.

use std::time::SystemTime;

use crate::access::address::Object;

/// An upload in parts that was neither completed nor aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The object that it would become.
    pub object: Object,
    /// When it began, by the store's clock, if the store tells.
    pub initiated: Option<SystemTime>,
    pub(crate) id: String,
}

impl Upload {
    pub(crate) fn new(object: Object, id: &str, initiated: Option<&str>) -> Self {
        let initiated = initiated.and_then(|text| humantime::parse_rfc3339_weak(text).ok());
        Self { object, initiated, id: id.to_owned() }
    }
}
