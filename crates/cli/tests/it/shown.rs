//! What people see: the progress while a run goes on, what its end says, the guides and the other pages.

mod bench_page;
mod endings;
mod guides;
mod json;
mod messages;
mod pages;
mod progress;
mod settings;
mod trace;
mod version;
