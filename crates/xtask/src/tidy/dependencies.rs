//! Each external dependency has a comment with its reason above it or above its group.
//!
//! Owns: that check of the workspace's manifest.
//! Does not own: licences and bans (see `deny.toml`).

use super::finding::Finding;
use crate::repository::Repository;

const MANIFEST: &str = "Cargo.toml";

pub(super) fn check(repository: &Repository) -> Vec<Finding> {
    repository.file(MANIFEST).map_or_else(Vec::new, |file| without_reason(&file.text))
}

fn without_reason(manifest: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (mut inside, mut has_reason) = (false, false);
    for (index, line) in manifest.lines().enumerate() {
        if line.starts_with('[') {
            inside = line.trim() == "[workspace.dependencies]";
            has_reason = false;
        } else if line.trim().is_empty() {
            has_reason = false;
        } else if line.starts_with('#') {
            has_reason = true;
        } else if inside && !has_reason {
            let name = declared(line).filter(|name| !name.starts_with("haul-"));
            let finding =
                |name| Finding::at(MANIFEST, index, format!("no comment says why `{name}` is needed"));
            findings.extend(name.map(finding));
        }
    }
    findings
}

/// The crate that a line declares; none in the middle of a declaration of several lines.
fn declared(line: &str) -> Option<&str> {
    let name = line.split(['=', '.', ' ']).next()?;
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    (is_name && line.contains('=')).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_shares_its_reason_and_a_blank_line_ends_it() {
        let manifest = "[workspace]\nresolver = \"3\"\n[workspace.dependencies]\nhaul-io = { path = \"io\" }\n\n\
                        # For this.\na = \"1\"\nb = { version = \"2\", features = [\n    \"x\",\n] }\n\nc.version = \"1\"\n\
                        [profile.dev]\ndebug = 1\n";
        let found: Vec<_> = without_reason(manifest).into_iter().map(|f| (f.line, f.message)).collect();
        assert_eq!(found, [(12, "no comment says why `c` is needed".to_owned())]);
    }
}
