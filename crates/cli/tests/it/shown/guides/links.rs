//! The links of a page.
//!
//! Owns: finding them, whether the file and the heading that they name exist.
//! Does not own: links to other sites, which no test can vouch for.

use std::fs;
use std::path::Path;

/// The links of the page `name`, below `root`, that lead nowhere.
pub(super) fn broken(root: &Path, name: &str) -> Vec<String> {
    let path = root.join(name);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let folder = path.parent().expect("a file has a folder");
    let leads_nowhere = |target: &&String| {
        let (file, heading) = target.split_once('#').unwrap_or((target, ""));
        let found = if file.is_empty() { path.clone() } else { folder.join(file) };
        let has_heading =
            || fs::read_to_string(&found).is_ok_and(|text| anchors(&text).any(|anchor| anchor == heading));
        !found.exists() || !(heading.is_empty() || has_heading())
    };
    targets(&text).iter().filter(leads_nowhere).map(|target| format!("{name}: {target}")).collect()
}

/// The targets of links and images, except those at other sites.
fn targets(text: &str) -> Vec<String> {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    // A link may be broken across lines.
    let text = lines.collect::<Vec<_>>().join(" ");
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let targets = targets.map(|(target, _)| target.trim().to_owned());
    targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")).collect()
}

/// The names that the headings of `text` have in links.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|one| one.is_alphanumeric() || [' ', '-', '_'].contains(one));
        kept.map(|one| if one == ' ' { '-' } else { one }).collect()
    })
}

#[test]
fn links_and_headings_are_found() {
    let text =
        "# A `b` (c)\n[x](y.md#z) [out](https://e/) ![p](q.svg)\n```\n[no](no)\n```\n[two\nlines](r.md)\n";
    assert_eq!(targets(text), ["y.md#z", "q.svg", "r.md"]);
    assert_eq!(anchors(text).collect::<Vec<_>>(), ["a-b-c"]);
}
