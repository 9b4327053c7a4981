//! File names from URLs.
//!
//! Owns: making names that stay inside their directory.
//! Does not own: conflicts between the names of two URLs.

use percent_encoding::percent_decode_str;
use url::Url;

/// The longest name in bytes that common file systems accept, with room for a suffix or a number.
const NAME_BYTES_MAX: usize = 240;

/// The last segment of the URL's path, decoded and made safe; `index.html` if it is empty.
pub fn basename(url: &Url) -> String {
    let last = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default();
    safe(last).unwrap_or_else(|| "index.html".to_owned())
}

/// The host and the URL's path as a relative path of safe segments; a path that ends in `/` gets `index.html`.
pub fn path_name(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default().replace([':', '[', ']'], "_");
    let mut segments: Vec<String> = vec![host];
    let path: Vec<&str> = url.path_segments().map(Iterator::collect).unwrap_or_default();
    let (last, directories) = path.split_last().unwrap_or((&"", &[]));
    segments.extend(directories.iter().filter_map(|segment| safe(segment)));
    segments.push(safe(last).unwrap_or_else(|| "index.html".to_owned()));
    segments.join("/")
}

/// A segment as a file name: no separators, no control characters, not `.` or `..`; `None` if nothing is left.
fn safe(segment: &str) -> Option<String> {
    let decoded = percent_decode_str(segment).decode_utf8_lossy();
    let is_unsafe = |character: char| character == '/' || character == '\\' || character.is_control();
    let mut name: String = decoded.chars().map(|one| if is_unsafe(one) { '_' } else { one }).collect();
    cut(&mut name);
    if name.is_empty() || name.chars().all(|character| character == '.') { None } else { Some(name) }
}

/// Shortens a name to what file systems accept.
pub(crate) fn cut(name: &mut String) {
    let mut end = name.len().min(NAME_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_never_leave_their_directory() {
        for (url, base, path) in [
            ("http://h/a/b.txt?q=1#f", "b.txt", "h/a/b.txt"),
            ("http://h", "index.html", "h/index.html"),
            ("http://h/a/", "index.html", "h/a/index.html"),
            ("http://h:81/%2e%2e%2fetc%2fpasswd", ".._etc_passwd", "h/.._etc_passwd"),
            ("http://h/a//b", "b", "h/a/b"),
            ("http://h/%2e%2e/x", "x", "h/x"),
            ("http://h/x/%00%0a", "__", "h/x/__"),
            ("http://[::1]/a%20b%C3%A9", "a bé", "_::1_/a bé".replace(':', "_").as_str()),
            ("http://h/...", "index.html", "h/index.html"),
        ] {
            let parsed = Url::parse(url).unwrap();
            assert_eq!((basename(&parsed).as_str(), path_name(&parsed).as_str()), (base, path), "{url}");
        }
        let long = Url::parse(&format!("http://h/{}", "é".repeat(500))).unwrap();
        assert_eq!(basename(&long).len(), 240);
    }
}
