//! Tests of `haul seal`, `haul open`, `haul verify` and `haul keygen`: keys, plugins, streams and trees.

mod attributes;
mod directories;
mod hard_links;
mod inspect;
mod keys;
mod plugins;
mod prompts;
mod secrets;
mod streams;
mod trees;
mod whose;
