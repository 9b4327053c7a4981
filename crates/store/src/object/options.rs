//! How an object is written, and what came of it.
//!
//! Owns: the lengths of parts, what may be replaced, defaults.
//! Does not own: writing ([`super::assembly`], [`super::writer`]).

/// Parts are whole numbers of chunks.
const CHUNK_BYTES: u64 = 64 << 10;
/// Other parts than the last must not be shorter.
const PART_BYTES_MIN: u64 = 5 << 20;
pub(super) const PARTS_MAX: u32 = 10_000;

/// What becomes of an object that has the key already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and writing fails with [`Error::Exists`](crate::Error::Exists).
    #[default]
    Keep,
    /// It is replaced, if there is one.
    Replace,
    /// It is replaced if it is the version of this ETag, quotation marks included; otherwise writing fails with
    /// [`Error::Changed`](crate::Error::Changed).
    ReplaceVersion(String),
}

/// How an object is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriterOptions {
    /// Bytes of a part, made a multiple of 64 KiB and at least 5 MiB. Defaults to 16 MiB, which allows for objects of
    /// 156 GiB.
    pub part_bytes: u64,
    /// Parts that an [`ObjectWriter`](crate::ObjectWriter) sends at the same time. Memory: one more part than that.
    /// Defaults to 4.
    pub parts_in_flight_max: usize,
    /// The length of the object, if it is known: parts are then large enough for it. Defaults to none.
    pub bytes: Option<u64>,
    /// What becomes of an object of the same key. Defaults to [`Existing::Keep`]: publishing is then on the condition
    /// that there is none.
    pub existing: Existing,
    /// Whether to continue the latest upload to the same key: a part that the store has already, with the same length
    /// and checksum, isn't sent again; any other is. Other uploads to this key are aborted, and all of them if the
    /// object is sent at once. Only for keys that nobody else writes. Defaults to false.
    pub resume: bool,
    /// Whether to look for an object of the same key before one that is sent at once, unless any may be replaced: some
    /// stores ignore the condition (see [`Store::probe`](crate::Store::probe)). Objects in parts are looked for in any
    /// case, as the condition is checked only at their end. Defaults to true.
    pub looks_first: bool,
    /// The time of last modification of what the object is made from, in seconds since the epoch. It is kept as the
    /// metadata `mtime`, which rclone uses too. Defaults to none.
    pub modified: Option<i64>,
    /// Nanoseconds beyond `modified`, as a fraction of it. Defaults to 0, which writes whole seconds.
    pub modified_nanos: u32,
    /// The length of the content that the object holds in another form, as the metadata `haul-content-bytes`. Defaults
    /// to none.
    pub content_bytes: Option<u64>,
    /// What else is kept with the object: see [`Stat::fields`](crate::Stat::fields). `modified` and `content_bytes`
    /// have precedence over the same in here. Defaults to nothing.
    pub fields: Vec<(String, String)>,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            part_bytes: 16 << 20,
            parts_in_flight_max: 4,
            bytes: None,
            existing: Existing::Keep,
            resume: false,
            looks_first: true,
            modified: None,
            modified_nanos: 0,
            content_bytes: None,
            fields: Vec::new(),
        }
    }
}

impl WriterOptions {
    /// The bytes of each part but the last: see [`WriterOptions::part_bytes`].
    pub fn actual_part_bytes(&self) -> usize {
        let needed = self.bytes.unwrap_or(0).div_ceil(u64::from(PARTS_MAX));
        let bytes = self.part_bytes.max(needed).max(PART_BYTES_MIN).next_multiple_of(CHUNK_BYTES);
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }
}

/// A published object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Length in bytes.
    pub bytes: u64,
    /// The version, with its quotation marks.
    pub etag: String,
    /// The CRC64NVME of the object in base 64, which the store has compared if it knows that checksum.
    pub checksum: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_the_documented_ones() {
        let options = WriterOptions::default();
        assert_eq!((options.part_bytes, options.parts_in_flight_max), (16 << 20, 4));
        assert_eq!((options.bytes, options.modified, options.content_bytes), (None, None, None));
        assert!(options.existing == Existing::Keep && !options.resume && options.looks_first);
        assert!(options.fields.is_empty() && options.modified_nanos == 0);
    }

    #[test]
    fn parts_are_whole_chunks_and_enough() {
        for (part_bytes, bytes, expected) in [
            (1, None, 5 << 20),
            ((16 << 20) + 1, None, (16 << 20) + (64 << 10)),
            (16 << 20, Some(100), 16 << 20),
            (16 << 20, Some(5 << 40), 549_781_504),
        ] {
            let options = WriterOptions { part_bytes, bytes, ..WriterOptions::default() };
            assert_eq!(options.actual_part_bytes(), expected);
            assert!(bytes.is_none_or(|bytes| bytes.div_ceil(options.actual_part_bytes() as u64) <= 10_000));
        }
    }
}
