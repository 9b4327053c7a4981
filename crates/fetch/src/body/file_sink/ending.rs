//! How the file of a whole body ends: published, published with its record, or compared and dropped.
//!
//! Owns: these three ends.
//! Does not own: the record ([`crate::kept::sync`]), publishing ([`haul_io::Staged`]).

use haul_io::{Buf, Io, OpenMode, Shortfalls};

use super::FileSink;
use crate::Error;
use crate::body::reread::is_same;
use crate::body::shortage;
use crate::kept::partial::Partial;
use crate::kept::place::Place;
use crate::kept::sync::{Stamp, Sync};

impl FileSink {
    /// Publishes the file. Returns what its file system couldn't do.
    pub(crate) async fn complete(&mut self, io: &impl Io) -> Result<Shortfalls, Error> {
        if let Some(partial) = self.compares.take() {
            Box::pin(self.compare(io, &partial)).await?;
            return Ok(Shortfalls::default());
        }
        match self.sync.take() {
            Some(sync) => Box::pin(self.publish_synced(io, sync)).await,
            None => self.publish(io).await,
        }
    }

    /// Publishes the file and its record.
    async fn publish_synced(&mut self, io: &impl Io, sync: Box<Sync>) -> Result<Shortfalls, Error> {
        let ready = async {
            let stamp = self.stamp(io).await?;
            Ok((stamp, sync.before(io, stamp).await?))
        };
        match ready.await {
            Ok((stamp, existing)) => {
                self.publish.existing = existing;
                let published = self.publish(io).await;
                match published {
                    Ok(_) => sync.after(io, stamp).await,
                    Err(_) => sync.withdraw(io).await,
                }
                published
            }
            Err(error) => {
                let _ = self.start_over(io).await;
                Err(error)
            }
        }
    }

    /// Compares the file with the one that has its name, and drops it.
    async fn compare(&mut self, io: &impl Io, partial: &Partial) -> Result<(), Error> {
        let written = self.write_out(io).await;
        let Some(staged) = self.staged.take() else { return written };
        let compared = async {
            written?;
            let mode = OpenMode::Read { follow: true };
            let there = Place::of(&self.publish).open(io, mode).await.map_err(Error::write)?;
            let is_as_long = io.stat(&there).await.map_err(Error::write)?.bytes == self.written_bytes;
            Ok(is_as_long && is_same(io, staged.file(), &there, self.written_bytes).await?)
        };
        let compared: Result<bool, Error> = compared.await;
        staged.discard(io).await;
        if !compared? {
            return Err(Error::Differs);
        }
        partial.remove_leftovers(io).await;
        Ok(())
    }

    /// Writes and syncs all bytes: the record that is written later must not survive without them. Returns the length
    /// and time that the file will have. They are read before it has its name, so that a change by another program is
    /// never mistaken for ours.
    async fn stamp(&mut self, io: &impl Io) -> Result<Stamp, Error> {
        self.write_out(io).await?;
        let file = self.staged.as_ref().expect("staged by the write before").file();
        io.sync(file).await.map_err(Error::write)?;
        let written = io.stat(file).await.map_err(Error::write)?.modified;
        let modified = self.publish.preserve.modified.unwrap_or(written);
        Ok(Stamp { bytes: self.written_bytes, modified })
    }

    async fn publish(&mut self, io: &impl Io) -> Result<Shortfalls, Error> {
        if self.staged.is_none() && self.written_bytes == 0 {
            let held = self.buffer.take().unwrap_or_else(|| Buf::with_capacity(0));
            let (result, held) = shortage::write_file(io, &self.publish, held).await;
            io.give_buf(held);
            let published = result.map_err(Error::write)?;
            if let Some(partial) = &self.partial {
                // What an earlier run kept was of something else.
                partial.remove_leftovers(io).await;
            }
            return Ok(published.shortfalls);
        }
        let written = self.write_out(io).await;
        let Some(staged) = self.staged.take() else { return written.map(|()| Shortfalls::default()) };
        if let Err(error) = written {
            staged.discard(io).await;
            return Err(error);
        }
        if let Some(partial) = self.partial.as_ref().filter(|_| self.in_partial) {
            partial.check(io, &staged, self.written_bytes).await?;
        }
        let published = staged.publish(io, &self.publish).await.map_err(Error::write)?;
        if let Some(partial) = &self.partial {
            // Only the record, or what an earlier run kept of something else.
            partial.remove_leftovers(io).await;
        }
        Ok(published.shortfalls)
    }
}
