//! Keeping huge files out of the page cache, so that they don't displace what other programs read again.
//!
//! | bytes are | how | what it leaves |
//! |---|---|---|
//! | written | writing back starts early, and what is stored is dropped | some 30 MiB, more on a slow device |
//! | read | what wasn't cached before is dropped behind the reads | nothing, or 40 MiB with worker processes |
//!
//! `RWF_DONTCACHE` leaves nothing, but costs more. A write with it starts to write back by itself, piece by piece, and
//! writes at two places of a file wait for each other. With it, fetching 1 GiB into a sealed file took 1.2 times as
//! long on xfs and 1.05 on ext4, in two segments 1.6 and 1.3 times, sealing 1.1 and 1.0, opening 1.1 and 0.86 (Linux
//! 6.18). In reads it drops what was read ahead with the piece before, so that up to a quarter of a file is read from
//! the device twice.
//!
//! Owns: the calls, what is cached of a file.
//! Does not own: which files this is done for (the jobs), when pages are dropped ([`crate::Io`]).
//!
//! Source: sync_file_range(2), posix_fadvise(2), mincore(2).

// Memory is mapped to learn what is cached, and never read; each block argues that.
#![allow(unsafe_code)]

use std::num::NonZeroU64;
use std::ops::Range;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::fs::{Advice, fadvise};

/// Files from this length on are kept out of the page cache.
pub const HUGE_BYTES: u64 = 64 << 20;

/// How many pages are looked at, spread over the file.
const SAMPLES: u64 = 1_024;
/// The distance between the newest byte read and what is dropped: workers that read other parts of the file are this
/// far behind at most.
const DISTANCE_BYTES: u64 = 32 << 20;

/// The parts of a file of `bytes` bytes that aren't cached, by a sample of its pages. None if that can't be found out:
/// the kernel tells only the owner of a file and those who may write to it.
pub(crate) fn uncached(fd: BorrowedFd<'_>, bytes: u64) -> Vec<Range<u64>> {
    let page = rustix::param::page_size() as u64;
    let (Ok(length), pages) = (usize::try_from(bytes), bytes.div_ceil(page)) else { return Vec::new() };
    let null = std::ptr::null_mut();
    // SAFETY: a new mapping at an address that the kernel chooses. No code reads from it.
    let start = unsafe { libc::mmap(null, length, libc::PROT_READ, libc::MAP_SHARED, fd.as_raw_fd(), 0) };
    if start == libc::MAP_FAILED {
        return Vec::new();
    }
    let count = pages.min(SAMPLES);
    let offset = |sample: u64| (u128::from(sample) * u128::from(pages) / u128::from(count)) as u64 * page;
    let mut found: Vec<Range<u64>> = Vec::new();
    for sample in 0..count {
        let part = offset(sample)..offset(sample + 1).min(bytes);
        let mut resident = 0_u8;
        // SAFETY: the address lies in the mapping, at the start of a page, and the answer for one page is one byte.
        // mincore(2) reads no memory there.
        let asked =
            unsafe { libc::mincore(start.wrapping_byte_add(part.start as usize), 1, &raw mut resident) };
        if asked != 0 || resident & 1 != 0 {
            continue;
        }
        match found.last_mut().filter(|last| last.end == part.start) {
            Some(last) => last.end = part.end,
            None => found.push(part),
        }
    }
    // SAFETY: the mapping was made above with this length, and no reference into it exists.
    unsafe { libc::munmap(start, length) };
    found
}

/// Starts to write back what was written to the file, without waiting for it.
pub(crate) fn start_writing_back(fd: BorrowedFd<'_>) {
    // SAFETY: the call takes no memory. Its failure changes nothing: the system writes back in its own time.
    unsafe { libc::sync_file_range(fd.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
}

/// Drops what is stored of `parts` up to a distance before `offset`, or all of it.
pub(crate) fn drop_behind(fd: BorrowedFd<'_>, parts: &[Range<u64>], offset: Option<u64>) {
    let end = offset.map_or(u64::MAX, |offset| offset.saturating_sub(DISTANCE_BYTES));
    for part in parts.iter().take_while(|part| part.start < end) {
        let length = NonZeroU64::new(part.end.min(end) - part.start);
        // Advice that isn't taken changes nothing.
        let _ = fadvise(fd, part.start, length, Advice::DontNeed);
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn what_was_cached_before_stays() {
        let file = tempfile::tempfile().unwrap();
        let (fd, mib) = (file.as_fd(), 1 << 20);
        assert_eq!(uncached(fd, 0), [], "an empty file has no pages");
        std::os::unix::fs::FileExt::write_all_at(&file, &vec![1; 64 * mib], 0).unwrap();
        let bytes = 64 * mib as u64;
        assert_eq!(uncached(fd, bytes), [], "what was just written");
        if crate::blocking::perform::is_in_memory(fd) {
            return;
        }
        file.sync_all().unwrap();
        let whole = 0..bytes;
        drop_behind(fd, std::slice::from_ref(&whole), Some(36 * mib as u64));
        assert_eq!(
            uncached(fd, bytes),
            Vec::from_iter(std::iter::once(0..4 * mib as u64)),
            "what lies behind the distance is dropped"
        );
        drop_behind(fd, std::slice::from_ref(&whole), None);
        assert_eq!(uncached(fd, bytes), [whole]);
        // Without reading ahead.
        fadvise(&file, 0, None, Advice::Random).unwrap();
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut vec![0; mib], 8 * mib as u64).unwrap();
        let left = uncached(fd, bytes);
        assert_eq!(left, [0..8 * mib as u64, 9 * mib as u64..bytes]);
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut vec![0; 4 * mib], 0).unwrap();
        drop_behind(fd, &left, None);
        assert_eq!(uncached(fd, bytes), left, "what was cached before stays, what was read since doesn't");
    }
}
