//! The commands in README.md.
//!
//! Owns: finding the fenced block under a heading.
//! Does not own: running it.

/// The first fenced block under the heading `name` (of any level), verbatim.
pub(crate) fn block_under(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines();
    lines.find(|line| heading(line) == Some(name))?;
    let mut inside = lines.skip_while(|line| !line.starts_with("```") && heading(line).is_none());
    inside.next().filter(|line| line.starts_with("```"))?;
    let block: Vec<&str> = inside.take_while(|line| !line.starts_with("```")).collect();
    Some(block.join("\n") + "\n")
}

fn heading(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches('#');
    (rest.len() < line.len()).then(|| rest.trim())
}

#[cfg(test)]
mod tests {
    use super::block_under;

    const TEXT: &str =
        "# P\n```sh\nno\n```\n## Test\nSo:\n```sh\ncargo test\n# all of it\n```\n## Other\n```\nno\n```\n";

    #[test]
    fn the_block_is_taken_verbatim() {
        assert_eq!(block_under(TEXT, "Test").as_deref(), Some("cargo test\n# all of it\n"));
    }

    #[test]
    fn a_block_of_another_heading_is_not_taken() {
        assert_eq!(block_under(TEXT, "Tests"), None);
        assert_eq!(block_under("# Test\n## Other\n```\nno\n```\n", "Test"), None);
    }
}
