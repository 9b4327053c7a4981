//! Which entries of a tree are taken.
//!
//! Owns: patterns, the treatment of symbolic links, staying on one file system.
//! Does not own: walking ([`super::walker`]).

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

use super::tree::WalkOptions;

/// What a walk does with symbolic links below its inputs. An input that is a link is always followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Symlinks {
    /// Skips and reports them.
    #[default]
    Skip,
    /// Follows them anywhere. A link to a directory above it is a failed task. A job opens such a file only if it is
    /// the one that the walk saw. A result beside the file is created where the link leads at that moment; a mirror
    /// doesn't follow links.
    Follow,
    /// Makes each of them a failed task.
    Refuse,
}

/// Which files of a tree are taken. Inputs that are files are always taken.
///
/// A pattern without a slash matches names at any depth; a pattern with a slash matches paths below the input, which is
/// what a leading slash or `./` stands for. A pattern that ends in a slash matches directories and all that is in them.
/// `*` and `?` don't match a slash, `**` does.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Patterns of the files that are taken; `None`: all.
    include: Option<Patterns>,
    /// Patterns of the files and directories that are left out.
    exclude: Patterns,
    pub(crate) symlinks: Symlinks,
    pub(crate) one_file_system: bool,
}

#[derive(Clone, Debug, Default)]
struct Patterns {
    of_names: Set,
    of_paths: Set,
    of_directories: Set,
}

/// Patterns that are matched together. Clones share what was matched.
#[derive(Clone, Debug, Default)]
struct Set {
    globs: GlobSet,
    /// The patterns as the user wrote them, in the order of `globs`, and whether anything has matched each.
    matched: Arc<[(String, AtomicBool)]>,
}

/// A pattern that can't be parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadPattern {
    /// The pattern.
    pub pattern: String,
    /// Why it can't be parsed.
    pub reason: String,
}

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the pattern {:?} can't be parsed: {}", self.pattern, self.reason)
    }
}

impl std::error::Error for BadPattern {}

impl Filter {
    /// Takes the files that match a pattern of `include`, or all files if it is empty, and leaves out the files and
    /// directories that match a pattern of `exclude`.
    ///
    /// # Errors
    /// The first pattern that can't be parsed.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, BadPattern> {
        let include = if include.is_empty() { None } else { Some(Patterns::new(include)?) };
        Ok(Self { include, exclude: Patterns::new(exclude)?, ..Self::default() })
    }

    /// The patterns of `include` and of `exclude` that have matched nothing so far, in all clones of this filter.
    pub fn unmatched(&self) -> (Vec<&str>, Vec<&str>) {
        (self.include.as_ref().map_or_else(Vec::new, Patterns::unmatched), self.exclude.unmatched())
    }

    /// Sets what the walk does with symbolic links.
    pub fn symlinks(self, symlinks: Symlinks) -> Self {
        Self { symlinks, ..self }
    }

    /// Sets whether directories on other file systems than their input's are left out.
    pub fn one_file_system(self, one_file_system: bool) -> Self {
        Self { one_file_system, ..self }
    }

    /// Whether the file at `path`, relative to its input, is taken from a tree whose directories weren't looked at on
    /// the way, as those in the names of objects.
    pub fn takes_from_listing(&self, path: &Path) -> bool {
        let above = path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
        above.into_iter().all(|directory| self.enters(directory)) && self.takes(path)
    }

    /// Whether directories without a taken file are mirrored.
    pub(crate) fn takes_empty(&self) -> bool {
        self.include.is_none()
    }

    pub(crate) fn walk_options(&self) -> WalkOptions {
        WalkOptions { follow: self.symlinks == Symlinks::Follow, one_file_system: self.one_file_system }
    }

    /// Whether the directory at `path`, relative to its input, is entered.
    pub(crate) fn enters(&self, path: &Path) -> bool {
        !self.exclude.match_path(path) && !self.exclude.of_directories.is_match(path)
    }

    /// Whether the file at `path`, relative to its input, is taken.
    pub(crate) fn takes(&self, path: &Path) -> bool {
        !self.exclude.match_path(path) && self.include.as_ref().is_none_or(|include| include.match_path(path))
    }
}

impl Patterns {
    fn new(texts: &[String]) -> Result<Self, BadPattern> {
        let (mut of_names, mut of_paths, mut of_directories) = (Vec::new(), Vec::new(), Vec::new());
        for text in texts {
            let bare = text.strip_prefix("./").unwrap_or(text);
            let (stem, is_directory) = bare.strip_suffix('/').map_or((bare, false), |stem| (stem, true));
            let anchored = stem.trim_start_matches('/').to_owned();
            let has_slash = bare.len() < text.len() || stem.contains('/');
            let (list, pattern) = match (is_directory, has_slash) {
                (true, true) => (&mut of_directories, anchored),
                (true, false) => (&mut of_directories, format!("**/{anchored}")),
                (false, true) => (&mut of_paths, anchored),
                (false, false) => (&mut of_names, anchored),
            };
            list.push((
                text.clone(),
                glob(&pattern).map_err(|error| BadPattern { pattern: text.clone(), ..error })?,
            ));
        }
        let (of_names, of_paths) = (Set::new(of_names)?, Set::new(of_paths)?);
        Ok(Self { of_names, of_paths, of_directories: Set::new(of_directories)? })
    }

    fn unmatched(&self) -> Vec<&str> {
        let sets = [&self.of_names, &self.of_paths, &self.of_directories];
        sets.into_iter().flat_map(Set::unmatched).collect()
    }

    fn match_path(&self, path: &Path) -> bool {
        let lies_in_match = || path.ancestors().skip(1).any(|above| self.of_directories.is_match(above));
        !self.of_directories.globs.is_empty() && lies_in_match()
            || self.of_paths.is_match(path)
            || path.file_name().is_some_and(|name| self.of_names.is_match(name))
    }
}

impl Set {
    fn new(patterns: Vec<(String, Glob)>) -> Result<Self, BadPattern> {
        let mut set = GlobSetBuilder::new();
        let mut matched = Vec::new();
        for (text, glob) in patterns {
            set.add(glob);
            matched.push((text, AtomicBool::new(false)));
        }
        let bad =
            |error: globset::Error| BadPattern { pattern: String::new(), reason: error.kind().to_string() };
        Ok(Self { globs: set.build().map_err(bad)?, matched: matched.into() })
    }

    fn is_match(&self, path: impl AsRef<Path>) -> bool {
        let is_match = self.globs.is_match(path.as_ref());
        // Finding out which pattern it was costs more, and isn't needed once all have matched.
        if is_match && self.unmatched().next().is_some() {
            for index in self.globs.matches(path.as_ref()) {
                self.matched[index].1.store(true, Ordering::Relaxed);
            }
        }
        is_match
    }

    fn unmatched(&self) -> impl Iterator<Item = &str> {
        let unmatched = self.matched.iter().filter(|(_, matched)| !matched.load(Ordering::Relaxed));
        unmatched.map(|(text, _)| text.as_str())
    }
}

fn glob(text: &str) -> Result<Glob, BadPattern> {
    let bad =
        |error: globset::Error| BadPattern { pattern: text.to_owned(), reason: error.kind().to_string() };
    GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build().map_err(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> Filter {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        Filter::new(&owned(include), &owned(exclude)).unwrap()
    }

    #[test]
    fn patterns_are_for_names_or_for_paths() {
        for (include, exclude, path, taken) in [
            (&[][..], &[][..], "a/b.txt", true),
            (&["*.txt"], &[], "a/b.txt", true),
            (&["*.txt"], &[], "a/b.jpg", false),
            (&["*.txt", "*.jpg"], &["b.*"], "a/b.jpg", false),
            (&["a/*.txt"], &[], "a/b.txt", true),
            (&["a/*.txt"], &[], "a/c/b.txt", false),
            (&["a/**/*.txt"], &[], "a/c/b.txt", true),
            (&["/*.txt"], &[], "b.txt", true),
            (&["/*.txt"], &[], "a/b.txt", false),
            (&["a/"], &[], "a/c/b.txt", true),
            (&["a/"], &[], "b.txt", false),
            (&[], &["/a"], "a", false),
            (&[], &["./a"], "c/a", true),
            (&[], &["a/"], "c/a/b", false),
            (&[], &["a/"], "a", true),
            (&[], &["/a/"], "c/a/b", true),
            (&[], &["a/**"], "a/c/b", false),
            (&[], &["cache"], "a/cache", false),
            (&[], &["cache"], "a/cached", true),
            (&[], &["*.{o,tmp}"], "x.tmp", false),
            (&[], &["[ab]?"], "b1", false),
            (&[], &["\\*"], "*", false),
            (&[], &["\\*"], "x", true),
        ] {
            assert_eq!(
                filter(include, exclude).takes(Path::new(path)),
                taken,
                "{include:?} {exclude:?} {path}"
            );
        }
        assert!(!filter(&[], &["node_modules"]).enters(Path::new("a/node_modules")));
        for (pattern, path, enters) in [
            ("a/", "c/a", false),
            ("/a/", "a", false),
            ("/a/", "c/a", true),
            ("/a", "a", false),
            ("./a", "a", false),
        ] {
            assert_eq!(filter(&[], &[pattern]).enters(Path::new(path)), enters, "{pattern} {path}");
        }
        assert!(filter(&["*.txt"], &[]).enters(Path::new("a")), "directories needn't be included");
    }

    #[test]
    fn patterns_that_match_nothing_are_known() {
        let filter = filter(&["*.txt", "*.md"], &["/a", "b/", "c"]);
        assert_eq!(filter.unmatched(), (vec!["*.txt", "*.md"], vec!["c", "/a", "b/"]));
        let walked = filter.clone();
        assert!(walked.takes(Path::new("x/y.txt")));
        assert!(!walked.enters(Path::new("x/b")));
        assert!(!walked.takes(Path::new("c")));
        assert_eq!(filter.unmatched(), (vec!["*.md"], vec!["/a"]));
    }

    #[test]
    fn what_is_no_pattern_is_named() {
        let error = Filter::new(&["a[".to_owned()], &[]).unwrap_err();
        assert_eq!(error.pattern, "a[");
        assert!(error.to_string().starts_with("the pattern \"a[\" can't be parsed: "), "{error}");
    }
}
