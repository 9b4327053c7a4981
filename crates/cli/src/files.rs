//! The commands on files: `haul seal`, `open`, `verify`, `cat`, `rekey`, `xor` and `inspect`, on trees and on streams.
//!
//! In: the arguments and the environment. Out: one plan for each command. Plans resolve from names alone whether a
//! command works on a stream; what kind of file a path leads to is looked up when the plan is printed or run
//! ([`endpoints`]). Streams and tasks share the report ([`crate::report`]), so nothing else here prints.

mod cat;
mod describe;
mod endpoints;
mod inspect;
mod open;
mod packed;
mod part;
mod plan;
mod rekey;
mod seal;
mod stored;
mod stream;
mod tasks;
mod verify;
mod xor;

pub(crate) use self::cat::CatPlan;
pub(crate) use self::inspect::InspectPlan;
pub(crate) use self::open::OpenPlan;
pub(crate) use self::rekey::RekeyPlan;
pub(crate) use self::seal::SealPlan;
pub(crate) use self::verify::VerifyPlan;
pub(crate) use self::xor::XorPlan;
