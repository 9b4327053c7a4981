//! Golden files: the program's output, kept as reviewed text.
//!
//! Owns: the text format, the placeholders for what differs from run to run, the difference shown.
//! Does not own: running the program (see [`crate::Haul`]).
//!
//! A golden file holds the command, the exit status and both streams:
//!
//! ```text
//! $ haul seal missing.txt
//! status: 1
//! --- stdout
//! --- stderr
//! haul: error: cannot open "[DIR]/missing.txt": No such file or directory
//! ```

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::haul::Run;

/// When this variable is 1, golden files are rewritten instead of checked.
const BLESS: &str = "HAUL_BLESS";

/// Marks a stream whose last line has no newline.
const NO_NEWLINE: &str = "[NO NEWLINE AT THE END]\n";

/// Fails the test unless `run` matches the golden file at `path`.
///
/// In the text, `[DIR]` stands for the run's working directory, `[HOME]` for its home folder, and `[PORT]` for ports of
/// the loopback interface; [`Run::hide`] adds placeholders. With `HAUL_BLESS=1` in the environment the file is written.
///
/// # Panics
///
/// When they differ, with the difference; when the file can't be read or written.
#[track_caller]
pub fn check_golden(path: impl AsRef<Path>, run: &Run) {
    let bless = std::env::var_os(BLESS).is_some_and(|value| value == "1");
    if let Err(complaint) = check(path.as_ref(), &run.to_golden(), bless) {
        panic!("{complaint}");
    }
}

impl Run {
    /// Replaces each `text` in the arguments and both streams by `placeholder`.
    pub fn hide(mut self, text: &str, placeholder: &str) -> Self {
        let hide = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace(text, placeholder).into_bytes();
        (self.stdout, self.stderr) = (hide(&self.stdout), hide(&self.stderr));
        self.args =
            self.args.iter().map(|arg| arg.to_string_lossy().replace(text, placeholder).into()).collect();
        self
    }

    /// The text of this run's golden file.
    pub fn to_golden(&self) -> String {
        let mut text = "$ haul".to_owned();
        for arg in &self.args {
            let arg = self.without_places(&arg.to_string_lossy());
            let plain =
                !arg.is_empty() && arg.chars().all(|c| c.is_alphanumeric() || "-_./:=,@[]".contains(c));
            let quote = if plain { "" } else { "'" };
            let _ = write!(text, " {quote}{arg}{quote}");
        }
        let _ = writeln!(text, "\nstatus: {}", self.status);
        for (name, stream) in [("stdout", self.stdout_text()), ("stderr", self.stderr_text())] {
            let _ = writeln!(text, "--- {name}");
            text += &self.without_places(&stream);
            if !text.ends_with('\n') {
                text += NO_NEWLINE;
            }
        }
        text
    }

    fn without_places(&self, text: &str) -> String {
        let mut places = [(self.dir.to_string_lossy(), "[DIR]"), (self.home.to_string_lossy(), "[HOME]")];
        // The longer path first, because either may lie within the other.
        places.sort_by_key(|(place, _)| std::cmp::Reverse(place.len()));
        let text = places.iter().fold(text.to_owned(), |text, (place, word)| text.replace(&**place, word));
        ["127.0.0.1:", "localhost:", "[::1]:"].iter().fold(text, |text, host| without_ports(&text, host))
    }
}

fn without_ports(text: &str, host: &str) -> String {
    let mut pieces = text.split(host);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let rest = piece.trim_start_matches(|c: char| c.is_ascii_digit());
        let port = if rest.len() < piece.len() { "[PORT]" } else { "" };
        out.extend([host, port, rest]);
    }
    out
}

fn check(path: &Path, have: &str, bless: bool) -> Result<(), String> {
    if bless {
        let dir = path.parent().unwrap_or(Path::new("."));
        let written = fs::create_dir_all(dir).and_then(|()| fs::write(path, have));
        return written.map_err(|e| format!("cannot write {}: {e}", path.display()));
    }
    let advice = format!("{BLESS}=1 writes it anew");
    let want = fs::read_to_string(path)
        .map_err(|e| format!("cannot read {} ({e}; {advice}):\n{have}", path.display()))?;
    match difference(&want, have) {
        None => Ok(()),
        Some(lines) => Err(format!("{} says otherwise (- it, + now; {advice}):\n{lines}", path.display())),
    }
}

/// All lines of both texts, marked `-`, `+` or ` `, where the texts differ.
fn difference(want: &str, have: &str) -> Option<String> {
    if want == have {
        return None;
    }
    let (a, b): (Vec<&str>, Vec<&str>) = (want.split('\n').collect(), have.split('\n').collect());
    let common = common_lengths(&a, &b);
    let (mut i, mut j) = (0, 0);
    let mut out = String::new();
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            let _ = writeln!(out, "  {}", a[i]);
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || (i < a.len() && common[i + 1][j] >= common[i][j + 1]) {
            let _ = writeln!(out, "- {}", a[i]);
            i += 1;
        } else {
            let _ = writeln!(out, "+ {}", b[j]);
            j += 1;
        }
    }
    Some(out)
}

/// For each pair of positions, the length of the longest common subsequence from there on.
fn common_lengths(a: &[&str], b: &[&str]) -> Vec<Vec<usize>> {
    let mut common = vec![vec![0; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i][j] =
                if a[i] == b[j] { common[i + 1][j + 1] + 1 } else { common[i + 1][j].max(common[i][j + 1]) };
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stderr: &str) -> Run {
        Run {
            args: vec!["get".into(), "http://127.0.0.1:4711/a b".into()],
            dir: "/scratch/x".into(),
            home: "/scratch/x/nest".into(),
            status: 1,
            stdout: b"half a line".to_vec(),
            stderr: stderr.as_bytes().to_vec(),
        }
    }

    #[test]
    fn places_and_ports_become_placeholders() {
        let text = run("at /scratch/x/nest/f and /scratch/x/g from localhost:80, localhost:\n").to_golden();
        let want = "$ haul get 'http://127.0.0.1:[PORT]/a b'\nstatus: 1\n--- stdout\nhalf a line\
                    [NO NEWLINE AT THE END]\n--- stderr\nat [HOME]/f and [DIR]/g from localhost:[PORT], localhost:\n";
        assert_eq!(text, want);
    }

    #[test]
    fn a_difference_fails_and_a_blessing_settles_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("golden/refused.txt");
        let (one, other) = (run("one\n").to_golden(), run("other\n").to_golden());
        assert!(check(&path, &one, false).is_err_and(|complaint| complaint.contains("HAUL_BLESS")));
        check(&path, &one, true).expect("a golden file can be written");
        assert_eq!(check(&path, &one, false), Ok(()));
        let complaint = check(&path, &other, false).expect_err("they differ");
        assert!(complaint.contains("\n- one\n+ other\n"), "{complaint}");
        assert!(complaint.contains("\n  status: 1\n"), "{complaint}");
    }

    #[test]
    fn a_missing_newline_is_a_difference() {
        assert_eq!(difference("a\n", "a\n"), None);
        assert_eq!(difference("a\n", "a").as_deref(), Some("  a\n- \n"));
    }
}
