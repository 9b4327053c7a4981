//! The properties of the fuzz targets: those of the crates' own tests.

#[path = "../../crates/age-format/tests/properties/checks.rs"]
pub mod properties;
