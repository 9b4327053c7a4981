//! Tests of `haul seal`, `haul open`, `haul verify`, `haul cat`, `haul rekey` and `haul keygen`: keys, plugins, streams
//! and trees.

mod attributes;
mod cat;
mod directories;
mod hard_links;
mod inspect;
mod keys;
mod metadata;
mod plugins;
mod prompts;
mod rekey;
mod secrets;
mod streams;
mod trees;
mod update;
mod whose;
