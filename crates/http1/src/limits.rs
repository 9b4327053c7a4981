//! Limits on the memory that a peer can make a client use for one response.
//!
//! Owns: the limits, their defaults, and the resulting maximum of memory.
//! Does not own: limits on time (the caller sets deadlines) and on the size of a body.
//!
//! Source: RFC 9110, section 5.4 (fields), and RFC 9112, section 7.1.1 (chunk extensions), which leave such
//! limits to the recipient.

/// Limits for one response. Byte counts include line ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a status line. A longer one is refused with
    /// [`StatusLineTooLong`](crate::ProtocolError::StatusLineTooLong). Defaults to 8 192.
    pub status_line_bytes_max: usize,
    /// Bytes of one head, including its status line and final empty line. A larger one is refused with
    /// [`HeadTooLarge`](crate::ProtocolError::HeadTooLarge); a read buffer of this size is always enough.
    /// Each interim response is a head of its own. Defaults to 65 536.
    pub head_bytes_max: usize,
    /// Field lines of one head or trailer section. More are refused with
    /// [`TooManyFields`](crate::ProtocolError::TooManyFields); so are more than 24 576 different names,
    /// regardless of this limit. Defaults to 256.
    pub header_count_max: usize,
    /// Interim (1xx) responses before the final one. More are refused with
    /// [`TooManyInterim`](crate::ProtocolError::TooManyInterim). Defaults to 16.
    pub interim_count_max: u32,
    /// Bytes of all chunk extensions of one body together. More are refused with
    /// [`ChunkExtensionsTooLarge`](crate::ProtocolError::ChunkExtensionsTooLarge). Defaults to 65 536.
    pub chunk_extension_bytes_max: usize,
    /// Bytes of a trailer section that isn't empty. A larger one is refused with
    /// [`TrailersTooLarge`](crate::ProtocolError::TrailersTooLarge). Defaults to 16 384.
    pub trailer_bytes_max: usize,
}

impl Limits {
    /// The most memory that one parsed field takes in addition to its bytes: its entry, its index, a link where names
    /// repeat, and the rounding up of tables and allocations.
    const FIELD_OVERHEAD_BYTES: usize = 512;

    /// The most memory, in bytes, that one response can occupy in this crate's types at a time: the parsed head, and
    /// the trailers both raw and parsed. The caller's read buffer isn't included.
    pub const fn memory_bytes_max(&self) -> usize {
        let fields = self.header_count_max.saturating_mul(Self::FIELD_OVERHEAD_BYTES);
        let head = self.head_bytes_max.saturating_add(fields);
        // Raw, in a buffer that grows by doubling, and parsed.
        let trailers = self.trailer_bytes_max.saturating_mul(3).saturating_add(fields);
        head.saturating_add(trailers)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            status_line_bytes_max: 8_192,
            head_bytes_max: 65_536,
            header_count_max: 256,
            interim_count_max: 16,
            chunk_extension_bytes_max: 65_536,
            trailer_bytes_max: 16_384,
        }
    }
}
