//! The heaps of a process with many threads.
//!
//! glibc has up to eight heaps for each core, so that threads wait less for each other. What one thread makes and another drops
//! leaves a gap in the heap that it came from, which only threads of that heap can use again. Where lists are long, those gaps become
//! several times what is in use; and more heaps than cores spare hardly any waiting.
//!
//! Owns: saying so to the allocator.
//! Does not own: allocating.
//!
//! Source: mallopt(3).

// The call is the C library's; the block argues why nobody is beside it.
#![allow(unsafe_code)]

/// Lets the whole process have no more than `count` heaps from now on, where the allocator knows such a limit. For the beginning of a
/// program: once there are other threads it does nothing. Whether it did something.
pub fn limit_heaps(count: usize) -> bool {
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    threads == 1 && set_arena_max(count.max(1))
}

#[cfg(target_env = "gnu")]
fn set_arena_max(count: usize) -> bool {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    // SAFETY: mallopt(3) reads and writes nothing but its own settings, and is unsafe only beside other threads, which the caller
    // excludes: this is the only one, and so none can come into being meanwhile.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, count) == 1 }
}

#[cfg(not(target_env = "gnu"))]
fn set_arena_max(_: usize) -> bool {
    false
}
