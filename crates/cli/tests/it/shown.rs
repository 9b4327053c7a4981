//! What people see: the progress while a run goes on, and what its end says.

mod endings;
mod json;
mod messages;
mod pages;
mod progress;
