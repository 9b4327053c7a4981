//! Who may do what with a file: owner, group, permission bits and the access control list.
//!
//! A file with an access control list shows the list's mask in the place of its group bits. A copy that takes over
//! those bits and not the list gives its group what only the users on the list had.
//!
//! Owns: the binary form of a list, what remains of it where it can't be kept.
//! Does not own: reading and setting it.
//!
//! Source: acl(5); the kernel's `posix_acl_xattr.h`.

/// The owner, the group and the access control list of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The user ID of the owner.
    pub owner: u32,
    /// The group ID.
    pub group: u32,
    /// The access control list, if the file has one.
    pub list: Option<AccessList>,
}

/// An access control list with more entries than permission bits express.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessList {
    entries: Vec<Entry>,
}

/// Who an entry is about, what they may do, and the ID of a user or group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    tag: u16,
    permissions: u16,
    id: u32,
}

const VERSION: u32 = 2;
const ENTRY_BYTES: usize = 8;
const OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const OWNING_GROUP: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHERS: u16 = 0x20;
/// The ID of entries that name nobody.
const NO_ID: u32 = u32::MAX;

impl AccessList {
    /// The extended attribute that holds a file's list.
    pub const NAME: &str = "system.posix_acl_access";
    /// The extended attribute of a directory whose value new files inherit.
    pub const INHERITED_NAME: &str = "system.posix_acl_default";

    /// Reads the value of the attribute. One that makes no sense becomes a list that gives the owner alone access.
    pub fn of(value: &[u8]) -> Self {
        let (version, entries) = value.split_at_checked(4).unwrap_or_default();
        let (entries, rest) = entries.as_chunks::<ENTRY_BYTES>();
        if version != VERSION.to_le_bytes() || !rest.is_empty() || entries.is_empty() {
            return Self::minimal(0o700);
        }
        let entry = |&[t0, t1, p0, p1, i0, i1, i2, i3]: &[u8; ENTRY_BYTES]| Entry {
            tag: u16::from_le_bytes([t0, t1]),
            permissions: u16::from_le_bytes([p0, p1]),
            id: u32::from_le_bytes([i0, i1, i2, i3]),
        };
        Self { entries: entries.iter().map(entry).collect() }
    }

    /// The list that says the same as permission bits. Setting it removes any other list.
    pub fn minimal(mode: u32) -> Self {
        let entry = |(tag, shift)| Entry { tag, permissions: (mode >> shift) as u16 & 7, id: NO_ID };
        Self { entries: [(OWNER, 6), (OWNING_GROUP, 3), (OTHERS, 0)].map(entry).to_vec() }
    }

    /// The value of the attribute.
    pub fn value(&self) -> Vec<u8> {
        let mut value = VERSION.to_le_bytes().to_vec();
        for Entry { tag, permissions, id } in &self.entries {
            value.extend([tag.to_le_bytes(), permissions.to_le_bytes()].concat());
            value.extend(id.to_le_bytes());
        }
        value
    }

    /// Takes away all permissions that `mode` lacks: of the owner, of others, and of everybody else by the mask.
    pub fn limited_to(mut self, mode: u32) -> Self {
        let has_mask = self.entries.iter().any(|entry| entry.tag == MASK);
        for entry in &mut self.entries {
            let shift = match entry.tag {
                OWNER => 6,
                OTHERS => 0,
                MASK => 3,
                OWNING_GROUP if !has_mask => 3,
                _ => continue,
            };
            entry.permissions &= (mode >> shift) as u16 & 7;
        }
        self
    }

    /// The permission bits of a file without the list that open it to nobody for whom the list closed it. Entries may
    /// deny something to a user or group, so the group and others keep what every entry allows.
    pub fn mode_without(&self) -> u32 {
        let of = |tag| self.entries.iter().find(|entry| entry.tag == tag).map(|entry| entry.permissions);
        let mask = of(MASK).unwrap_or(7);
        let named = |tags: &[u16]| {
            let named = self.entries.iter().filter(|entry| tags.contains(&entry.tag));
            named.fold(7, |allowed, entry| allowed & entry.permissions & mask)
        };
        let group = of(OWNING_GROUP).unwrap_or(0) & mask & named(&[USER]);
        let others = of(OTHERS).unwrap_or(0) & named(&[USER, GROUP]);
        u32::from(of(OWNER).unwrap_or(0) & 7) << 6 | u32::from(group & 7) << 3 | u32::from(others & 7)
    }
}

/// `mode` for a file whose group isn't that of its source: the new group, and members of the old one, which count
/// as others now, get what both the group and others had. Without its group, a directory doesn't hand it on either.
pub(crate) fn without_group(mode: u32) -> u32 {
    let both = mode >> 3 & mode & 0o7;
    mode & 0o5700 | both << 3 | both
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(u16, u16)]) -> AccessList {
        let entry = |&(tag, permissions): &(u16, u16)| Entry { tag, permissions, id: 1 };
        AccessList { entries: entries.iter().map(entry).collect() }
    }

    #[test]
    fn a_list_survives_its_binary_form() {
        let list = list(&[(OWNER, 7), (USER, 6), (OWNING_GROUP, 0), (MASK, 6), (OTHERS, 0)]);
        assert_eq!(AccessList::of(&list.value()), list);
        assert_eq!(AccessList::of(&AccessList::minimal(0o640).value()).mode_without(), 0o640);
        let value = list.value();
        for broken in [&[][..], &[2, 0, 0], &value[..4], &value[..9], &[1; 12]] {
            assert_eq!(AccessList::of(broken).mode_without(), 0o700, "{broken:?}");
        }
    }

    #[test]
    fn without_its_list_a_file_is_open_to_nobody_else() {
        for (entries, mode) in [
            // The mask is no permission of the owning group.
            (&[(OWNER, 6), (USER, 6), (OWNING_GROUP, 0), (MASK, 6), (OTHERS, 0)][..], 0o600),
            (&[(OWNER, 6), (USER, 7), (OWNING_GROUP, 6), (MASK, 4), (OTHERS, 4)], 0o644),
            // A user who was kept out belongs to the group or to others.
            (&[(OWNER, 6), (USER, 0), (OWNING_GROUP, 4), (MASK, 4), (OTHERS, 4)], 0o600),
            (&[(OWNER, 6), (OWNING_GROUP, 4), (GROUP, 0), (MASK, 4), (OTHERS, 4)], 0o640),
        ] {
            assert_eq!(list(entries).mode_without(), mode, "{entries:?}");
        }
    }

    #[test]
    fn a_limit_acts_on_the_mask() {
        let all = list(&[(OWNER, 7), (USER, 7), (OWNING_GROUP, 7), (MASK, 7), (OTHERS, 7)]);
        let limited = list(&[(OWNER, 7), (USER, 7), (OWNING_GROUP, 7), (MASK, 5), (OTHERS, 0)]);
        assert_eq!(all.limited_to(0o750), limited);
        assert_eq!(AccessList::minimal(0o777).limited_to(0o750), AccessList::minimal(0o750));
    }

    #[test]
    fn another_group_gets_what_everybody_had() {
        for (mode, left) in [(0o640, 0o600), (0o644, 0o644), (0o604, 0o600), (0o3775, 0o1755)] {
            assert_eq!(without_group(mode), left, "{mode:o}");
        }
    }
}
