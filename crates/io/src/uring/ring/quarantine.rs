//! An allocator for tests that detects writes to freed memory.
//!
//! Blocks of one unusual size are never released. When freed, they are filled with a pattern and recorded;
//! [`untouched`] checks whether the pattern is still there. They are aligned to pages, as direct reads require.
//!
//! Owns: those blocks.
//! Does not own: all other memory, which is the system's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;

/// The size of the blocks that are watched: no other code allocates this size.
pub(super) const WATCHED_BYTES: usize = (1 << 20) + 3 * 4_096;

const PATTERN: u8 = 0xa5;

struct Quarantine;

#[global_allocator]
static ALLOCATOR: Quarantine = Quarantine;

/// Addresses of freed blocks. Growing the list may allocate, but never a block of the watched size.
static FREED: Mutex<Vec<usize>> = Mutex::new(Vec::new());

fn adjusted(layout: Layout) -> Layout {
    match layout.size() {
        WATCHED_BYTES => Layout::from_size_align(WATCHED_BYTES, 4_096).expect("a constant that fits"),
        _ => layout,
    }
}

// SAFETY: every call is the system allocator's with a layout of the same size and no less alignment, the same for
// allocation and release; watched blocks aren't released at all.
unsafe impl GlobalAlloc for Quarantine {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's layout isn't empty, and adjusting keeps the size.
        unsafe { System.alloc(adjusted(layout)) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.size() == WATCHED_BYTES {
            // SAFETY: the block has that size, and its owner has given it up.
            unsafe { block.write_bytes(PATTERN, WATCHED_BYTES) };
            FREED.lock().expect("no panic under this lock").push(block.addr());
            block.expose_provenance();
        } else {
            // SAFETY: the block came from `alloc` with this layout, which adjusting doesn't change here.
            unsafe { System.dealloc(block, layout) };
        }
    }
}

/// The number of blocks freed so far, and whether all of them still hold the pattern.
pub(super) fn untouched() -> (usize, bool) {
    let freed = FREED.lock().expect("no panic under this lock");
    let is_untouched = freed.iter().all(|&address| {
        let block = std::ptr::with_exposed_provenance::<u8>(address);
        (0..WATCHED_BYTES).step_by(512).all(|offset| {
            let byte = block.wrapping_add(offset);
            // Volatile: the compiler doesn't know that the kernel may write here.
            // SAFETY: blocks on the list are never released, and the offset is within the block.
            unsafe { byte.read_volatile() == PATTERN }
        })
    });
    (freed.len(), is_untouched)
}
