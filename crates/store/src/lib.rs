//! Object storage that speaks S3.
//!
//! | entry point | what it does |
//! |---|---|
//! | [`Store::writer`] | writes an object, in parts and in parallel, and publishes it whole |
//! | [`Store::assembly`] | writes an object whose parts come from several threads |
//! | [`Store::reader`] | reads an object at any position, and never a mixture of two |
//! | [`Store::list`] | yields the objects of a bucket, however many they are |
//! | [`Store::uploads`], [`Store::sweep`] | lists, or aborts, the uploads that earlier runs left |
//! | [`Store::probe`] | finds conditions that a store ignores |
//!
//! ```no_run
//! use std::io::Write as _;
//!
//! use haul_store::{Cancel, Credentials, Endpoint, Object, Settings, Store, WriterOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let variable = |name: &str| std::env::var(name).ok();
//! let settings = Settings::new(Endpoint::from_environment(&variable)?, Credentials::from_environment(&variable)?);
//! let store = Store::new(settings, &Cancel::new()?)?;
//! let object: Object = "s3://bucket/key".parse()?;
//! let mut writer = store.writer(&object, WriterOptions::default());
//! writer.write_all(b"hello")?;
//! println!("{:?}", writer.finish()?);
//! # Ok(())
//! # }
//! ```
//!
//! Owns: addresses, credentials and signatures; requests and the meaning of answers; objects that appear whole.
//! Does not own: HTTP ([`haul_fetch`]), sealing.
#![forbid(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!("haul-store works on Linux only");

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod access;
mod call;
mod error;
mod object;
mod refusal;

pub use access::address::{Bucket, Object};
pub use access::credentials::Credentials;
pub use access::endpoint::{Endpoint, Style};
pub use access::keys::Keys;
pub use call::store::{Settings, Store};
pub use error::{Error, Fault};
pub use haul_fetch::Config;
pub use haul_io::Cancel;
pub use object::assembly::Assembly;
pub use object::conditions::Conditions;
pub use object::listing::{Listed, Listing};
pub use object::options::{Existing, Published, WriterOptions};
pub use object::reader::ObjectReader;
pub use object::requests::Stat;
pub use object::upload::Upload;
pub use object::writer::ObjectWriter;
pub use refusal::{Kind, Refusal};
