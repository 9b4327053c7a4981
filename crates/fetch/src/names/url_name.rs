//! File names from URLs.
//!
//! Owns: making names that stay inside their directory.
//! Does not own: conflicts between the names of two URLs.

use percent_encoding::{percent_decode_str, percent_encode_byte};
use url::Url;

/// The longest name in bytes that common file systems accept, with room for a suffix or a number.
const NAME_BYTES_MAX: usize = 240;
/// Hexadecimal digits of the hash in a name that was cut.
const HASH_DIGITS: usize = 15;
/// The longest extension that a name keeps when it is cut.
const EXTENSION_BYTES_MAX: usize = 10;

/// The last segment of the URL's path, decoded and made safe; `index.html` if it is empty.
pub fn basename(url: &Url) -> String {
    let last = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default();
    safe(last).unwrap_or_else(|| "index.html".to_owned())
}

/// The host and the URL's path as a relative path of safe segments; a path that ends in `/` gets `index.html`.
pub fn path_name(url: &Url) -> String {
    path_of(url, "")
}

/// As [`path_name`], with the query in the last segment, so that two URLs have two names.
pub fn path_and_query_name(url: &Url) -> String {
    path_of(url, &url.query().map(|query| format!("?{query}")).unwrap_or_default())
}

fn path_of(url: &Url, query: &str) -> String {
    let mut segments: Vec<String> = vec![host_name(url.host_str().unwrap_or_default())];
    let path: Vec<&str> = url.path_segments().map(Iterator::collect).unwrap_or_default();
    let (last, directories) = path.split_last().unwrap_or((&"", &[]));
    segments.extend(directories.iter().filter_map(|segment| safe(segment)));
    let last = if last.is_empty() { "index.html" } else { last };
    segments.push(safe(&format!("{last}{query}")).unwrap_or_else(|| "index.html".to_owned()));
    segments.join("/")
}

/// The host as the name of a directory, which is never left out: `..` is a host that a proxy may look up.
fn host_name(host: &str) -> String {
    let host = host.replace([':', '[', ']'], "_");
    safe(&host).unwrap_or_else(|| "_".repeat(host.len().clamp(1, NAME_BYTES_MAX)))
}

/// A segment as a file name: no separators, no control characters, not `.` or `..`; `None` if nothing is left.
fn safe(segment: &str) -> Option<String> {
    let is_unsafe = |character: char| character == '/' || character == '\\' || character.is_control();
    let mut name: String =
        decoded(segment).chars().map(|one| if is_unsafe(one) { '_' } else { one }).collect();
    cut(&mut name);
    if name.is_empty() || name.chars().all(|character| character == '.') { None } else { Some(name) }
}

/// The segment without its percent-encoding. Bytes that aren't UTF-8 stay encoded, so that names which differ in them
/// differ.
fn decoded(segment: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(segment).collect();
    let mut decoded = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        decoded.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| decoded.push_str(percent_encode_byte(*byte)));
    }
    decoded
}

/// Shortens a name to what file systems accept. The rest is replaced by its hash, so that two names with the same start
/// differ; the extensions stay.
pub(crate) fn cut(name: &mut String) {
    if name.len() <= NAME_BYTES_MAX {
        return;
    }
    let hash = blake3::hash(name.as_bytes());
    let extensions = extensions(name).to_owned();
    let mark = format!("-{}{extensions}", &hash.to_hex()[..HASH_DIGITS]);
    let mut end = NAME_BYTES_MAX - mark.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    name.push_str(&mark);
}

/// The last extensions of `name`, at most two: `.tar.gz`.
fn extensions(name: &str) -> &str {
    let mut start = name.len();
    for _ in 0..2 {
        let Some(dot) = name[..start].rfind('.') else { break };
        let is_extension = |text: &str| {
            (1..=EXTENSION_BYTES_MAX).contains(&text.len())
                && text.bytes().all(|one| one.is_ascii_alphanumeric())
        };
        if !is_extension(&name[dot + 1..start]) {
            break;
        }
        start = dot;
    }
    &name[start..]
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
            ("http://../x", "x", "__/x"),
            ("http://./x", "x", "_/x"),
            ("http://%2e%2e/x", "x", "__/x"),
            ("http://\u{ff0e}\u{ff0e}:80/x", "x", "__/x"),
            ("http://.../x", "x", "___/x"),
            ("http://..a/x", "x", "..a/x"),
            ("http://h/a%ff%C3%A9%fe", "a%FFé%FE", "h/a%FFé%FE"),
        ] {
            let parsed = Url::parse(url).unwrap();
            assert_eq!((basename(&parsed).as_str(), path_name(&parsed).as_str()), (base, path), "{url}");
        }
        let queried = Url::parse("http://h/a/?q=1%2F2/3").unwrap();
        assert_eq!(path_and_query_name(&queried), "h/a/index.html?q=1_2_3");
        let long = Url::parse(&format!("http://h/{}", "é".repeat(500))).unwrap();
        assert_eq!(basename(&long).len(), 240);
    }

    #[test]
    fn names_that_were_cut_differ_and_keep_their_extensions() {
        let name =
            |last: &str| basename(&Url::parse(&format!("http://h/{}{last}", "a".repeat(300))).unwrap());
        let names = [name(".tar.gz"), name("b.tar.gz"), name("c.tar.gz"), name(".notanextension"), name("")];
        for (index, one) in names.iter().enumerate() {
            assert_eq!(one.len(), 240);
            assert_eq!(one.ends_with(".tar.gz"), index < 3, "{one}");
            assert!(!names[..index].contains(one), "{one}");
        }
    }
}
