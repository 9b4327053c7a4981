//! The shared memory: a sealed memfd, mapped, accessed by atomics only.
//!
//! Owns: creating, sealing, checking, mapping; all unsafe access to the mapping.
//! Does not own: the layout (see `layout.rs`).
//!
//! Bytes are copied as relaxed 64-bit atomics: whatever another process does, a read yields some bytes and is never
//! undefined behaviour. The slot's word guarantees that they are the right bytes (`PROTOCOL.md`, part 2).

use super::error::TableError;
use super::event_count::EventCount;
use super::layout::{AT_WORDS, Layout, Part};
use crate::sync::{AtomicU64, Ordering};
use rustix::fs::{MemfdFlags, SealFlags};
use rustix::mm::{MapFlags, ProtFlags};
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;

const WORD: usize = size_of::<AtomicU64>();

/// No process can change the size again, so an access within it never faults.
const SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

pub(super) struct Map {
    /// Invariant: the start of a shared, readable and writable mapping of `bytes` bytes of a file sealed with `SEALS`,
    /// which lives as long as this value and is accessed by atomics only.
    base: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the mapping belongs to the process, not to a thread, and all access is atomic.
unsafe impl Send for Map {}
// SAFETY: as above.
unsafe impl Sync for Map {}

impl Map {
    /// Creates fresh memory, all zero but for the header.
    pub(super) fn create(layout: &Layout) -> Result<(OwnedFd, Self), TableError> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let memfd = rustix::fs::memfd_create("haul-leases", flags).map_err(system("memfd_create"))?;
        rustix::fs::ftruncate(&memfd, layout.total as u64).map_err(system("ftruncate"))?;
        rustix::fs::fcntl_add_seals(&memfd, SEALS).map_err(system("sealing"))?;
        let map = Self::of_sealed(&memfd, layout.total)?;
        for (at, value) in layout.header() {
            map.word(at).store(value, Ordering::Relaxed);
        }
        Ok((memfd, map))
    }

    /// Maps the memory of another process after checking its seals, size and header.
    pub(super) fn attach(memfd: impl AsFd) -> Result<(Self, Layout), TableError> {
        let seals = rustix::fs::fcntl_get_seals(&memfd).map_err(|_| TableError::NotSealed)?;
        if !seals.contains(SEALS) {
            return Err(TableError::NotSealed);
        }
        let size = rustix::fs::fstat(&memfd).map_err(system("fstat"))?.st_size as u64;
        let bytes = usize::try_from(size).map_err(|_| TableError::Header)?;
        if bytes < AT_WORDS {
            return Err(TableError::NotATable);
        }
        let map = Self::of_sealed(&memfd, bytes)?;
        let layout = Layout::check(size, |at| map.word(at).load(Ordering::Relaxed))?;
        Ok((map, layout))
    }

    /// Maps `memfd`, which is sealed and `bytes` long.
    fn of_sealed(memfd: impl AsFd, bytes: usize) -> Result<Self, TableError> {
        let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::SHARED);
        // SAFETY: the kernel chooses a free address range, so no memory of this process is replaced.
        let base = unsafe { rustix::mm::mmap(std::ptr::null_mut(), bytes, protection, flags, memfd, 0) };
        let base = NonNull::new(base.map_err(system("mmap"))?.cast()).ok_or(TableError::Header)?;
        Ok(Self { base, bytes })
    }

    /// # Panics
    /// If the words are outside the memory or not aligned, which is a bug in `layout.rs`.
    pub(super) fn words(&self, at: usize, count: usize) -> &[AtomicU64] {
        self.assert_within(at, count * WORD);
        let first = self.base.as_ptr().wrapping_add(at).cast::<AtomicU64>();
        // SAFETY: within the mapping and aligned (asserted; the base is aligned to a page), alive as long as `self`,
        // any bits are a valid `AtomicU64`, and the mapping is accessed by atomics only (invariant of `base`).
        unsafe { std::slice::from_raw_parts(first, count) }
    }

    pub(super) fn word(&self, at: usize) -> &AtomicU64 {
        &self.words(at, 1)[0]
    }

    /// # Panics
    /// As [`words`](Self::words).
    pub(super) fn events(&self, at: usize) -> &EventCount {
        self.assert_within(at, size_of::<EventCount>());
        let events = self.base.as_ptr().wrapping_add(at).cast::<EventCount>();
        // SAFETY: as in `words`; an `EventCount` is a transparent `AtomicU32`, and no other access has another size.
        unsafe { &*events }
    }

    /// Copies `bytes` to the words at `at`; the last word is padded with zeros.
    fn write(&self, at: usize, bytes: &[u8]) {
        let words = self.words(at, bytes.len().div_ceil(WORD));
        for (word, chunk) in words.iter().zip(bytes.chunks(WORD)) {
            let mut whole = [0; WORD];
            whole[..chunk.len()].copy_from_slice(chunk);
            word.store(u64::from_ne_bytes(whole), Ordering::Relaxed);
        }
    }

    /// Replaces the content of `bytes` by the `length` bytes at `at`.
    fn read(&self, at: usize, length: usize, bytes: &mut Vec<u8>) {
        bytes.clear();
        bytes.reserve(length.next_multiple_of(WORD));
        for word in self.words(at, length.div_ceil(WORD)) {
            bytes.extend_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        bytes.truncate(length);
    }

    /// Writes a part of a slot, then its length. `bytes` must be within the part's bound.
    pub(super) fn put(&self, layout: &Layout, slot: usize, part: Part, bytes: &[u8]) {
        self.write(layout.bytes_at(slot, part, bytes.len()), bytes);
        self.length(layout, slot, part).store(bytes.len() as u64, Ordering::Release);
    }

    /// Replaces the content of `bytes` by a part of a slot.
    pub(super) fn get(&self, layout: &Layout, slot: usize, part: Part, bytes: &mut Vec<u8>) {
        let length = self.length(layout, slot, part).load(Ordering::Acquire);
        let length = length.min(layout.bytes_max(part) as u64) as usize;
        self.read(layout.bytes_at(slot, part, length), length, bytes);
    }

    fn length(&self, layout: &Layout, slot: usize, part: Part) -> &AtomicU64 {
        self.word(layout.length_at(slot, part))
    }

    fn assert_within(&self, at: usize, length: usize) {
        assert!(
            at.is_multiple_of(WORD) && at <= self.bytes && length <= self.bytes - at,
            "outside the table"
        );
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: this value owns the mapping (invariant of `base`), and no reference into it outlives `self`.
        let unmapped = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.bytes) };
        debug_assert!(unmapped.is_ok());
    }
}

fn system(step: &'static str) -> impl Fn(rustix::io::Errno) -> TableError {
    move |errno| TableError::System { step, source: errno.into() }
}
