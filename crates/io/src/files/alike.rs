//! Names that some file systems take for one.
//!
//! | what makes no difference | where |
//! |---|---|
//! | letter case, forms of Unicode | ext4 with casefold, APFS, vfat, exFAT, NTFS, SMB |
//! | dots and blanks at the end | vfat, exFAT, SMB |
//! | characters that show nothing | ext4 with casefold, APFS |
//!
//! Owns: the form in which such names are equal, the names by which a probe tells what a file system ignores.
//! Does not own: making the probe, what names a run has promised.
//!
//! Source: Linux, `fs/unicode` (NFDICF: Unicode's Default_Ignorable_Code_Point is left out) and
//! `Documentation/filesystems/vfat.rst`.

use std::path::Path;

use icu_normalizer::DecomposingNormalizerBorrowed;

/// `path` as a file system has it that ignores as much as any does; `None` if that is `path` itself. Bytes that aren't
/// UTF-8 are all one.
pub fn folded(path: &Path) -> Option<String> {
    let bytes = path.as_os_str().as_encoded_bytes();
    let is_usual = bytes.is_ascii() && !bytes.iter().any(u8::is_ascii_uppercase) && !has_loose_end(bytes);
    if is_usual {
        return None;
    }
    let text = path.to_string_lossy();
    let caseless = if text.is_ascii() { text.to_ascii_lowercase() } else { caseless(&text) };
    let components: Vec<&str> = caseless.split('/').map(trimmed).collect();
    Some(components.join("/"))
}

/// The names besides `probe` that lead to the file `probe` where a file system takes names for one. `probe` is a
/// [`probe_name`](super::temporary::probe_name).
pub fn probe_aliases(probe: &str) -> [String; 5] {
    [
        probe.to_ascii_uppercase(),
        probe.replace('\u{e9}', "e\u{301}"),
        probe.replace('\u{e9}', "\u{e9}\u{200d}"),
        format!("{probe}."),
        format!("{probe} "),
    ]
}

/// Whether a component ends in a dot or a blank.
fn has_loose_end(path: &[u8]) -> bool {
    let is_loose = |byte: &u8| matches!(byte, b'.' | b' ');
    path.last().is_some_and(is_loose) || path.windows(2).any(|pair| is_loose(&pair[0]) && pair[1] == b'/')
}

/// `component` without dots and blanks at its end, unless it has nothing else: `..` is a name of its own.
fn trimmed(component: &str) -> &str {
    let trimmed = component.trim_end_matches(['.', ' ']);
    if trimmed.is_empty() { component } else { trimmed }
}

fn caseless(text: &str) -> String {
    let decompose = DecomposingNormalizerBorrowed::new_nfkd();
    let shown: String = text.chars().filter(|character| !is_ignorable(*character)).collect();
    // Upper case first: some letters become two, which lower case alone leaves as they are.
    let caseless = decompose.normalize(&shown).to_uppercase().to_lowercase();
    decompose.normalize(&caseless).into_owned()
}

/// Unicode's Default_Ignorable_Code_Point.
fn is_ignorable(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe_name;

    fn whole(path: &str) -> String {
        folded(Path::new(path)).unwrap_or_else(|| path.to_owned())
    }

    #[test]
    fn names_that_some_file_system_takes_for_one_fold_to_one() {
        for (one, other) in [
            ("README", "readme"),
            ("caf\u{e9}", "CAFE\u{301}"),
            ("stra\u{df}e", "STRASSE"),
            ("\u{3a3}", "\u{3c2}"),
            ("\u{fb01}n", "FIN"),
            ("d/X", "D/x"),
            ("d/x.", "d/x"),
            ("d/x. .", "d/X"),
            ("d./x", "d/x"),
            ("d /x ", "d/x"),
            ("x\u{200d}", "x"),
            ("co\u{ad}op", "coop"),
            ("x\u{fe0f}.\u{feff}", "x"),
        ] {
            assert_eq!(whole(one), whole(other), "{one}");
        }
        for (one, other) in [("a", "b"), ("x.y", "xy"), (".x", "x"), (" x", "x"), ("../x", "x"), ("./x", "x")]
        {
            assert_ne!(whole(one), whole(other), "{one}");
        }
        assert_eq!(whole("../x"), "../x");
        assert_eq!(folded(Path::new("d/readme.md")), None, "the usual name is its own folded form");
    }

    #[test]
    fn each_alias_of_a_probe_is_another_name_that_folds_to_it() {
        let probe = probe_name(0x89ab);
        for alias in probe_aliases(&probe) {
            assert_ne!(alias, probe);
            assert_eq!(whole(&alias), whole(&probe), "{alias}");
        }
    }
}
