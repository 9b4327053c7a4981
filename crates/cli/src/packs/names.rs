//! The names of shards.
//!
//! Owns: which names are those of shards, their numbers.
//! Does not own: which numbers a run gives ([`super::plan`], [`super::slices`]).

/// The start of the names of shards.
pub(super) const PREFIX: &str = "shard-";

/// Whether `name` is that of a shard.
pub(super) fn is_shard(name: &str) -> bool {
    let number = name.strip_prefix(PREFIX).map(|name| name.strip_suffix(".age").unwrap_or(name));
    let number = number.and_then(|name| name.strip_suffix(".tar"));
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-'))
}

/// The number of a shard whose name begins with `prefix`.
pub(super) fn number_of(name: &str, prefix: &str) -> Option<u32> {
    let number = name.strip_prefix(prefix)?;
    let number = number.strip_suffix(".age").unwrap_or(number).strip_suffix(".tar")?;
    if number.bytes().all(|byte| byte.is_ascii_digit()) { number.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_are_known_by_their_names() {
        for (name, is) in [
            ("shard-000000.tar", true),
            ("shard-000012.tar.age", true),
            ("shard-00003-000012.tar", true),
            ("shard-1.tar.age.age", false),
            ("shard-x.tar", false),
            ("shard-000000.tar.gz", false),
            ("a.tar", false),
        ] {
            assert_eq!(is_shard(name), is, "{name}");
        }
    }

    #[test]
    fn a_part_knows_its_own_numbers() {
        for (name, prefix, number) in [
            ("shard-000012.tar", "shard-", Some(12)),
            ("shard-000012.tar.age", "shard-", Some(12)),
            ("shard-00003-000012.tar", "shard-", None),
            ("shard-00003-000012.tar", "shard-00003-", Some(12)),
            ("shard-99999999999.tar", "shard-", None),
            ("shard-000012.tar.gz", "shard-", None),
        ] {
            assert_eq!(number_of(name, prefix), number, "{name}");
        }
    }
}
