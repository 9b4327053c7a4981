//! The heaps of a process with many threads.
//!
//! glibc has up to eight heaps (arenas) for each core, so that threads wait less for each other. Memory that one
//! thread allocates and another frees leaves a gap in its heap, which only threads of that heap can use again. With
//! long lists, those gaps become several times what is in use, and more heaps than cores hardly reduce waiting.
//!
//! Owns: the limit.
//! Does not own: allocating.
//!
//! Source: mallopt(3).

// The call is the C library's; the block argues why no other thread runs meanwhile.
#![allow(unsafe_code)]

/// Limits the whole process to `count` heaps, if the allocator supports that. Returns whether it did. To be called at
/// the start of a program: once there are other threads, it does nothing.
pub fn limit_heaps(count: usize) -> bool {
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    threads == 1 && set_arena_max(count.max(1))
}

#[cfg(target_env = "gnu")]
fn set_arena_max(count: usize) -> bool {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    // SAFETY: mallopt(3) reads and writes only its own settings, and is unsafe only if other threads run. The caller
    // excludes that: this is the only thread, and so no other one can be created meanwhile.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, count) == 1 }
}

#[cfg(not(target_env = "gnu"))]
fn set_arena_max(_: usize) -> bool {
    false
}
