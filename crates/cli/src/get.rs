//! `haul get`.
//!
//! In: the arguments and the environment. Out: [`GetPlan`], which is printed or run. On the way, items become requests
//! ([`requests`]) with destinations ([`naming`]). This room opens the files that options name, and stdout; connections
//! and files of results belong to [`haul_fetch`].

mod cookies;
mod describe;
mod hidden;
mod naming;
mod netrc;
pub(crate) mod network;
mod observer;
mod plan;
pub(crate) mod requests;
mod retries;
mod sealing;
mod shard;
mod terminal;
pub(crate) mod transfers;
mod urls;

pub(crate) use self::plan::GetPlan;
