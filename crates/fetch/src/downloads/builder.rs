//! The settings of a run of downloads.
//!
//! Owns: their defaults, the destination of each item.
//! Does not own: running them ([`crate::downloads::run`]).

use std::path::PathBuf;
use std::sync::Arc;

use haul_io::{Cancel, ChunkedFormat, Existing};

use crate::downloads::item::DownloadItem;
use crate::names::checksum_list::ChecksumList;
use crate::{Checksum, Client, Destination, DownloadEvent, FetchTask};

/// Transfers at once.
const TRANSFERS_DEFAULT: usize = 16;

/// Downloads many URLs into the files of a directory: with names from the URLs, retries, checksums, and limits for each
/// host; continuing what an earlier run left. It behaves as `haul get -c`.
///
/// A file appears under its name when it is complete and was checked. Until then its bytes are in `NAME.haul-part`. A
/// file that exists is left as it is: a complete one counts as a success, and one that differs from the server's is an
/// error ([`Error::Differs`](crate::Error::Differs)). Two URLs with the same name are an error too
/// ([`Error::NameTaken`](crate::Error::NameTaken)), which [`DownloadItem::named`] avoids.
///
/// With [`Config::format`](crate::Config::format), files are stored in that format, and their names end in its suffix,
/// such as `.age`. Checksums and lengths stay those of the bodies.
///
/// Cost: a thread for each transfer at once, and one for events; memory that doesn't grow with the list.
///
/// ```no_run
/// use haul_fetch::{Client, Config, Downloads};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::new(Config::default())?;
/// let urls = ["https://example.org/a.iso", "https://example.org/b.iso"];
/// let report = Downloads::new(&client).into_dir("images").per_host(4).run(urls)?.all()?;
/// println!("{} files, {} bytes", report.succeeded, report.bytes);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is downloaded before run"]
pub struct Downloads<'a> {
    pub(super) client: Client,
    pub(super) places: Places,
    pub(super) transfers: usize,
    pub(super) per_host: Option<usize>,
    pub(super) retries: Option<u32>,
    pub(super) resume: bool,
    pub(super) cancel: Option<Cancel>,
    pub(super) on_event: Option<OnEvent<'a>>,
}

/// Where files go, and what they must be.
pub(super) struct Places {
    dir: PathBuf,
    existing: Existing,
    mode: Option<u32>,
    /// What bodies are stored in; their files are named accordingly.
    format: Option<Arc<dyn ChunkedFormat>>,
    checksums: Option<ChecksumList>,
}

/// A function that is called with each event.
pub(super) type OnEvent<'a> = Box<dyn FnMut(&DownloadEvent<'_>) + Send + 'a>;

impl<'a> Downloads<'a> {
    /// Downloads into the current directory, over the connections and with the settings of `client`.
    pub fn new(client: &Client) -> Self {
        Self {
            client: client.clone(),
            places: Places {
                dir: PathBuf::from("."),
                existing: Existing::Refuse,
                mode: client.new_file_mode(),
                format: client.shared().config.format.clone(),
                checksums: None,
            },
            transfers: TRANSFERS_DEFAULT,
            per_host: None,
            retries: None,
            resume: true,
            cancel: None,
            on_event: None,
        }
    }

    /// Puts the files into this directory, which is created if necessary.
    pub fn into_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.places.dir = dir.into();
        self
    }

    /// Transfers at once, at least one. Defaults to 16.
    pub fn transfers(mut self, count: usize) -> Self {
        self.transfers = count.max(1);
        self
    }

    /// Transfers at once from one host (scheme, name and port), at least one. Defaults to all of them.
    pub fn per_host(mut self, count: usize) -> Self {
        self.per_host = Some(count.max(1));
        self
    }

    /// Tries each download again so many times after transient failures. Defaults to
    /// [`Config::retries`](crate::Config::retries).
    pub fn retries(mut self, count: u32) -> Self {
        self.retries = Some(count);
        self
    }

    /// Whether incomplete files are kept for a later run, and those of earlier runs are continued; and whether files
    /// that are there and complete count as successes. Otherwise each file that exists is an error
    /// ([`Error::Exists`](crate::Error::Exists)). Defaults to true.
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// Replaces files that exist, each when the new one is complete.
    pub fn replacing(mut self) -> Self {
        self.places.existing = Existing::Replace;
        self
    }

    /// The checksums that the files must match, by their names. A file that isn't listed is an error.
    pub fn checksums(mut self, list: ChecksumList) -> Self {
        self.places.checksums = Some(list);
        self
    }

    /// Ends the run early when `cancel` is triggered. Incomplete files are kept, as [`Downloads::resume`] says.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.cancel = Some(cancel.clone());
        self
    }

    /// Calls `on_event` with each event of the run, one at a time, from the calling thread or others.
    pub fn on_event(mut self, on_event: impl FnMut(&DownloadEvent<'_>) + Send + 'a) -> Self {
        self.on_event = Some(Box::new(on_event));
        self
    }
}

impl Places {
    /// The task for `item`.
    pub(super) fn task(&self, item: DownloadItem) -> FetchTask {
        let destination = self.destination(&item);
        item.task(destination)
    }

    fn destination(&self, item: &DownloadItem) -> Result<(Destination, Vec<Checksum>), String> {
        let name = item.file_name()?;
        let checksums = match self.checksums.as_ref().map(|list| list.of(&name)) {
            None => Vec::new(),
            Some(Some(checksums)) => checksums.to_vec(),
            Some(None) => return Err(format!("no checksum is listed for {name:?}")),
        };
        let path = self.format.as_ref().map_or(name.clone(), |format| format.stored_path(&name));
        Ok((Destination::file_in(&self.dir, &path, self.existing, self.mode), checksums))
    }
}

impl std::fmt::Debug for Downloads<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Downloads").field("dir", &self.places.dir).finish_non_exhaustive()
    }
}
