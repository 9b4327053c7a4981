//! Huge files that leave the page cache as it was.
//!
//! Owns: the two operations that ask for it.
//! Does not own: how it is done (`system::page_cache`).

use crate::{File, Io, Op, Value};

/// [`Op::SpareCache`]. What [`read_full`](Io::read_full) and [`write_all`](Io::write_all) move from now on is
/// dropped behind them. Returns false, also after an error, if nothing is: the file is only cached.
pub async fn spare_cache(io: &impl Io, file: &File, unless_cached: Option<u64>) -> bool {
    let op = Op::SpareCache { file: file.clone(), unless_cached };
    matches!(io.submit(op).await.result, Ok(Value::Flag(true)))
}

/// Drops what is still cached of a file that was read to its end with [`spare_cache`].
pub async fn drop_cached(io: &impl Io, file: &File) {
    if file.0.drops_behind() {
        let _ = io.submit(Op::DropBehind { file: file.clone(), offset: None }).await;
    }
}
