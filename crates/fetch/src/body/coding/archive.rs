//! Archives and other files that are meant to stay compressed.
//!
//! Some servers take the coding from the name of a file: they send `x.tar.gz` with `Content-Encoding: gzip`. Undoing
//! that would leave a file that isn't what its name and its published checksum say.
//!
//! Owns: telling archives by the name in a URL and by the media type.
//! Does not own: codings ([`super::decoding`]).

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use url::Url;

/// Extensions of compressed files.
const EXTENSIONS: [&str; 22] = [
    "gz", "tgz", "svgz", "zip", "jar", "whl", "apk", "zst", "tzst", "zstd", "br", "bz2", "tbz2", "tbz", "xz",
    "txz", "7z", "lz", "lz4", "lzma", "z", "crate",
];

/// Media types of compressed files.
const TYPES: [&str; 14] = [
    "application/gzip",
    "application/x-gzip",
    "application/x-gtar",
    "application/x-tgz",
    "application/x-compressed-tar",
    "application/zip",
    "application/x-zip-compressed",
    "application/java-archive",
    "application/zstd",
    "application/x-zstd",
    "application/x-bzip2",
    "application/x-xz",
    "application/x-7z-compressed",
    "application/x-compress",
];

/// Whether the response with `headers` from `url` is an archive.
pub(crate) fn is_archive(url: &Url, headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    is_archive_name(url) || TYPES.iter().any(|one| one.eq_ignore_ascii_case(media_type))
}

/// Whether the name in `url` is that of an archive.
pub(crate) fn is_archive_name(url: &Url) -> bool {
    let name = url.path().rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    EXTENSIONS.iter().any(|one| one.eq_ignore_ascii_case(extension))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_are_told_by_name_or_type() {
        for (url, media_type, expected) in [
            ("http://h/x.tar.gz", "text/plain", true),
            ("http://h/x.TGZ?y=z.html", "text/plain", true),
            ("http://h/x.zip", "text/plain", true),
            ("http://h/x.zst", "text/plain", true),
            ("http://h/x", "Application/X-Gzip; a=b", true),
            ("http://h/x", "application/zstd", true),
            ("http://h/x.html", "text/html", false),
            ("http://h/gz", "text/plain", false),
            ("http://h/x.gz/", "text/plain", false),
            ("http://h/x?f.gz", "application/octet-stream", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, media_type.parse().unwrap())]);
            assert_eq!(is_archive(&Url::parse(url).unwrap(), &headers), expected, "{url} {media_type}");
        }
    }
}
