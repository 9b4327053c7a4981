//! One thing to download.
//!
//! Owns: what a caller may say of it, its task.
//! Does not own: the directory that it goes into ([`crate::downloads::builder`]).

use std::path::{Component, Path, PathBuf};

use url::Url;

use crate::{Checksum, Destination, Expected, FetchTask, Request, UrlLogin, basename, unreserved};

/// One thing to download: a URL or a request, and what is known of its body. Made of a URL or a [`Request`] by `into`.
///
/// ```
/// use haul_fetch::DownloadItem;
///
/// let item = DownloadItem::from("https://example.org/data?version=3").named("data-3").size(1_000);
/// ```
#[derive(Clone, Debug)]
#[must_use = "an item is downloaded by a run of Downloads"]
pub struct DownloadItem {
    request: Request,
    label: String,
    name: Option<PathBuf>,
    expected: Expected,
}

impl DownloadItem {
    /// Gives the file this name, which may have directories of its own but must not lead out of the directory of the
    /// run. Defaults to the last part of the URL's path.
    pub fn named(mut self, name: impl Into<PathBuf>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The checksum that the body must match; further ones must match too.
    pub fn checksum(mut self, checksum: Checksum) -> Self {
        self.expected.checksums.push(checksum);
        self
    }

    /// The length in bytes that the body must have.
    pub fn size(mut self, bytes: u64) -> Self {
        self.expected.size = Some(bytes);
        self
    }

    /// The name of the file, below the directory of the run; or why it can't be one.
    pub(crate) fn file_name(&self) -> Result<PathBuf, String> {
        match &self.name {
            Some(name) if !stays_inside(name) => Err(format!("{name:?} leaves the directory")),
            Some(name) => Ok(name.clone()),
            None => Ok(unreserved(Path::new(&basename(self.request.url())))),
        }
    }

    /// The task to fetch it, which fails if there is no destination.
    pub(crate) fn task(self, destination: Result<(Destination, Vec<Checksum>), String>) -> FetchTask {
        let Self { request, label, mut expected, .. } = self;
        match destination {
            Ok((destination, checksums)) => {
                let request = request.checked().map_err(|error| error.to_string());
                expected.checksums.extend(checksums);
                let mut task = FetchTask::of(request, label, destination);
                task.expected = expected;
                task
            }
            Err(reason) => FetchTask::of(Err(reason), label, Destination::Discard),
        }
    }

    /// Has `observe` called with what happens in its transfer.
    pub(crate) fn observed(self, observe: impl FnOnce(&str, Request) -> Request) -> Self {
        Self { request: observe(&self.label, self.request), ..self }
    }
}

/// Whether `name` stays in the directory that it is below.
pub fn stays_inside(name: &Path) -> bool {
    !name.as_os_str().is_empty() && name.components().all(|part| matches!(part, Component::Normal(_)))
}

impl From<Request> for DownloadItem {
    fn from(request: Request) -> Self {
        let label = request.url().to_string();
        Self { request, label, name: None, expected: Expected::default() }
    }
}

impl From<&str> for DownloadItem {
    /// A user name and password in the URL are sent as a header field, to its host only.
    fn from(url: &str) -> Self {
        let (request, label) = match UrlLogin::take(url) {
            Some((url, login)) => (Request::get(&url).basic_auth(&login.name, &login.password), url),
            None => (Request::get(url), url.to_owned()),
        };
        Self { label, ..request.into() }
    }
}

impl From<String> for DownloadItem {
    fn from(url: String) -> Self {
        url.as_str().into()
    }
}

impl From<&String> for DownloadItem {
    fn from(url: &String) -> Self {
        url.as_str().into()
    }
}

impl From<Url> for DownloadItem {
    fn from(url: Url) -> Self {
        url.as_str().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        let name = |item: DownloadItem| item.file_name().ok();
        assert_eq!(name("http://a/x/y?z".into()), Some("y".into()));
        assert_eq!(name(DownloadItem::from("http://a/").named("d/x")), Some("d/x".into()));
        for bad in ["", "/x", "../x", "d/../../x"] {
            assert_eq!(name(DownloadItem::from("http://a/").named(bad)), None, "{bad}");
        }
    }

    #[test]
    fn passwords_are_in_no_label() {
        let item = DownloadItem::from("http://ada:secret@a/x");
        assert_eq!(item.label, "http://a/x");
        assert!(item.request.has_header("authorization") && item.request.check().is_ok());
    }
}
