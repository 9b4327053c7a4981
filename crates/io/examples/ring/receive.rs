//! The two ways of receiving on a ring, without jobs and an executor: one-shot receives, and multishot receives with a
//! provided buffer ring.

#![allow(unsafe_code, reason = "the ring's shared memory, by hand")]

use std::alloc::{Layout, alloc_zeroed};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::{BufRingEntry, Fd};
use io_uring::{IoUring, cqueue, opcode, squeue};

use super::{EXCHANGES, REQUEST_BYTES};

const BUFFERS: u16 = 256;
const BUFFER_BYTES: usize = 16_384;
const GROUP: u16 = 1;
const SENT: u64 = 1 << 32;

/// A client whose memory is never freed, so that the kernel may use it at any time.
pub(super) struct Bare {
    ring: IoUring,
    streams: Vec<TcpStream>,
    buffers: &'static mut [u8],
    provided: Option<Provided>,
    armed: bool,
}

/// The buffer ring from which the kernel picks.
struct Provided {
    entries: *mut BufRingEntry,
    tail: u16,
}

impl Bare {
    pub(super) fn new(address: SocketAddr, connections: usize, multishot: bool) -> Self {
        let mut builder = IoUring::builder();
        builder.setup_single_issuer().setup_defer_taskrun().setup_cqsize(8_192);
        let ring = builder.build(1_024).expect("a ring");
        let connect = |_| {
            let stream = TcpStream::connect(address).expect("a connection");
            stream.set_nodelay(true).expect("an option");
            stream
        };
        let count = if multishot { usize::from(BUFFERS) } else { connections };
        let buffers = Box::leak(vec![0; count * BUFFER_BYTES].into_boxed_slice());
        let provided = multishot.then(|| Provided::new(&ring, buffers));
        Self { ring, streams: (0..connections).map(connect).collect(), buffers, provided, armed: false }
    }

    pub(super) fn exchange(&mut self, response_bytes: usize) {
        let request: &'static [u8] = &[b'q'; REQUEST_BYTES];
        let connections = self.streams.len();
        let mut missing = vec![response_bytes; connections];
        let (mut to_begin, mut to_end) = (EXCHANGES, EXCHANGES);
        for index in 0..connections {
            if self.provided.is_some() && !self.armed {
                self.receive(index);
            }
            self.send(index, request);
            to_begin -= 1;
        }
        self.armed = true;
        let mut reaped: Vec<cqueue::Entry> = Vec::new();
        while to_end > 0 {
            self.ring.submit_and_wait(1).expect("a turn");
            reaped.extend(self.ring.completion());
            for entry in reaped.drain(..) {
                let index = entry.user_data() as u32 as usize;
                if entry.user_data() & SENT != 0 {
                    if self.provided.is_none() {
                        self.receive(index);
                    }
                    continue;
                }
                self.received(&entry, index, &mut missing[index]);
                if missing[index] == 0 {
                    to_end -= 1;
                    if to_begin > 0 {
                        to_begin -= 1;
                        missing[index] = response_bytes;
                        self.send(index, request);
                    }
                } else if self.provided.is_none() {
                    self.receive(index);
                }
            }
        }
    }

    fn received(&mut self, entry: &cqueue::Entry, index: usize, missing: &mut usize) {
        if let Some(provided) = &mut self.provided {
            if let Some(buffer) = cqueue::buffer_select(entry.flags()) {
                // Jobs own their buffers, so they would need this copy too.
                let bytes = &self.buffers[usize::from(buffer) * BUFFER_BYTES..][..entry.result() as usize];
                std::hint::black_box(bytes.to_vec());
                provided.give(self.buffers, buffer);
            }
            if !cqueue::more(entry.flags()) {
                self.receive(index);
            }
        }
        *missing -= usize::try_from(entry.result()).unwrap_or(0);
    }

    fn send(&mut self, index: usize, request: &'static [u8]) {
        let fd = Fd(self.streams[index].as_raw_fd());
        let entry = opcode::Send::new(fd, request.as_ptr(), request.len() as u32).build();
        self.push(&entry.user_data(SENT | index as u64));
    }

    fn receive(&mut self, index: usize) {
        let fd = Fd(self.streams[index].as_raw_fd());
        let entry = match self.provided {
            Some(_) => opcode::RecvMulti::new(fd, GROUP).build(),
            None => {
                let buffer = &mut self.buffers[index * BUFFER_BYTES..][..BUFFER_BYTES];
                opcode::Recv::new(fd, buffer.as_mut_ptr(), BUFFER_BYTES as u32).build()
            }
        };
        self.push(&entry.user_data(index as u64));
    }

    fn push(&mut self, entry: &squeue::Entry) {
        // SAFETY: the memory that entries point at is never freed, and a connection's buffer has one receive at a
        // time.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            self.ring.submit().expect("a turn");
        }
    }
}

impl Provided {
    fn new(ring: &IoUring, buffers: &mut [u8]) -> Self {
        let layout = Layout::array::<BufRingEntry>(usize::from(BUFFERS)).expect("a small list");
        // SAFETY: the layout isn't empty.
        let memory = unsafe { alloc_zeroed(layout.align_to(4_096).expect("a page")) };
        let entries = memory.cast::<BufRingEntry>();
        // SAFETY: the list is page-aligned, has that many entries, and is never freed.
        unsafe { ring.submitter().register_buf_ring_with_flags(entries.addr() as u64, BUFFERS, GROUP, 0) }
            .expect("buffers");
        let mut provided = Self { entries, tail: 0 };
        (0..BUFFERS).for_each(|buffer| provided.give(buffers, buffer));
        provided
    }

    fn give(&mut self, buffers: &mut [u8], buffer: u16) {
        let bytes = &mut buffers[usize::from(buffer) * BUFFER_BYTES..][..BUFFER_BYTES];
        let entry = self.entries.wrapping_add(usize::from(self.tail % BUFFERS));
        // SAFETY: the entry is within the list, and the kernel doesn't look at it before the tail moves.
        let entry = unsafe { &mut *entry };
        entry.set_addr(bytes.as_mut_ptr().addr() as u64);
        entry.set_len(BUFFER_BYTES as u32);
        entry.set_bid(buffer);
        self.tail = self.tail.wrapping_add(1);
        // SAFETY: `entries` is the address of the first entry.
        let tail = unsafe { BufRingEntry::tail(self.entries) }.cast::<AtomicU16>();
        // SAFETY: the tail lies in the list, is aligned, and is shared with the kernel only, which reads it
        // atomically.
        unsafe { &*tail }.store(self.tail, Ordering::Release);
    }
}
