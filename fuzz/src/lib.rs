//! The properties of the fuzz targets: those of the crates' own tests.

#[path = "../../crates/age-format/tests/it/properties/checks.rs"]
pub mod properties;

#[path = "../../crates/http1/tests/it/properties/checks.rs"]
pub mod http1;

#[path = "../../crates/fetch/tests/it/properties/checks.rs"]
pub mod fetch;

#[path = "../../crates/cli/tests/it/properties/checks.rs"]
pub mod cli;
