//! The raw bytes of a Git tree, read strictly.
//!
//! Git's own readers are lenient: they take repeated and unsorted entries, and two readers then see two directories in one
//! object. Here a tree is a sorted list of distinct names or it is nothing.

use std::cmp::Ordering;

/// What an entry is, by its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// `100644`.
    File,
    /// `100755`.
    Executable,
    /// `40000`.
    Directory,
    /// `120000`.
    Symlink,
    /// `160000`.
    Gitlink,
    /// Anything else, the old `100664` and the zero-padded `040000` included.
    Odd,
}

/// One entry: its name, and the raw bytes of its object's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) mode: Mode,
    pub(super) digits: &'a [u8],
    pub(super) name: &'a [u8],
    pub(super) id: &'a [u8],
}

/// Why bytes are not a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TreeError {
    /// Cut short, or a mode that is not octal.
    Malformed,
    /// A name with a slash: it would pass for a path below another directory.
    Slash(Vec<u8>),
    /// Two entries of one name next to each other.
    Duplicate(Vec<u8>),
    /// An entry that should stand before the one in front of it.
    Unsorted(Vec<u8>),
}

/// The entries of a tree whose ids have `id_bytes` bytes each.
pub(super) fn entries(data: &[u8], id_bytes: usize) -> Result<Vec<Entry<'_>>, TreeError> {
    let mut entries: Vec<Entry<'_>> = Vec::new();
    let mut rest = data;
    while !rest.is_empty() {
        let (digits, after) = split_at_byte(rest, b' ').ok_or(TreeError::Malformed)?;
        let (name, after) = split_at_byte(after, 0).ok_or(TreeError::Malformed)?;
        let (id, after) = after
            .split_at_checked(id_bytes)
            .ok_or(TreeError::Malformed)?;
        let is_octal = digits.iter().all(|digit| (b'0'..=b'7').contains(digit));
        if name.is_empty() || digits.is_empty() || digits.len() > 8 || !is_octal {
            return Err(TreeError::Malformed);
        }
        if name.contains(&b'/') {
            return Err(TreeError::Slash(name.to_vec()));
        }
        let entry = Entry {
            mode: mode(digits),
            digits,
            name,
            id,
        };
        if let Some(previous) = entries.last() {
            if previous.name == name {
                return Err(TreeError::Duplicate(name.to_vec()));
            }
            if order(previous, &entry) != Ordering::Less {
                return Err(TreeError::Unsorted(name.to_vec()));
            }
        }
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}

fn mode(digits: &[u8]) -> Mode {
    match digits {
        b"100644" => Mode::File,
        b"100755" => Mode::Executable,
        b"40000" => Mode::Directory,
        b"120000" => Mode::Symlink,
        b"160000" => Mode::Gitlink,
        _ => Mode::Odd,
    }
}

/// Git's order: a directory's name counts as if it ended in `/`.
fn order(left: &Entry<'_>, right: &Entry<'_>) -> Ordering {
    let key = |entry: &Entry<'_>| {
        let mut name = entry.name.to_vec();
        if matches!(entry.digits, b"40000" | b"040000") {
            name.push(b'/');
        }
        name
    };
    key(left).cmp(&key(right))
}

fn split_at_byte(data: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = data.iter().position(|b| *b == byte)?;
    Some((data.get(..at)?, data.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(entries: &[(&str, &str)]) -> Vec<u8> {
        let mut data = Vec::new();
        for (mode, name) in entries {
            data.extend_from_slice(format!("{mode} {name}\0").as_bytes());
            data.extend_from_slice(&[7; 20]);
        }
        data
    }

    #[test]
    fn sorted_trees_are_read() {
        let data = tree(&[
            ("100644", "a.b"),
            ("40000", "a"),
            ("100755", "a0"),
            ("120000", "b"),
            ("160000", "c"),
            ("100664", "d"),
        ]);
        let modes: Vec<Mode> = entries(&data, 20).unwrap().iter().map(|e| e.mode).collect();
        assert_eq!(
            modes,
            [
                Mode::File,
                Mode::Directory,
                Mode::Executable,
                Mode::Symlink,
                Mode::Gitlink,
                Mode::Odd
            ]
        );
        assert_eq!(entries(b"", 20), Ok(vec![]));
    }

    #[test]
    fn repeated_and_unsorted_trees_are_refused() {
        let repeated = tree(&[("100644", "a"), ("100644", "a")]);
        assert_eq!(
            entries(&repeated, 20),
            Err(TreeError::Duplicate(b"a".to_vec()))
        );
        let both = tree(&[("100644", "a"), ("40000", "a")]);
        assert_eq!(entries(&both, 20), Err(TreeError::Duplicate(b"a".to_vec())));
        for names in [
            [("100644", "b"), ("100644", "a")],
            [("40000", "a"), ("100644", "a.b")],
        ] {
            assert!(
                matches!(entries(&tree(&names), 20), Err(TreeError::Unsorted(_))),
                "{names:?}"
            );
        }
    }

    #[test]
    fn names_with_slashes_are_refused() {
        for name in ["a/b", "/", "../x", "a/"] {
            assert_eq!(
                entries(&tree(&[("100644", name)]), 20),
                Err(TreeError::Slash(name.as_bytes().to_vec()))
            );
        }
    }

    #[test]
    fn broken_trees_are_refused() {
        let whole = tree(&[("100644", "a")]);
        for end in 1..whole.len() {
            assert_eq!(
                entries(&whole[..end], 20),
                Err(TreeError::Malformed),
                "{end}"
            );
        }
        for data in [
            &b" a\0aaaaaaaaaaaaaaaaaaaa"[..],
            b"10064x a\0aaaaaaaaaaaaaaaaaaaa",
            b"100644 \0aaaaaaaaaaaaaaaaaaaa",
        ] {
            assert_eq!(entries(data, 20), Err(TreeError::Malformed));
        }
        assert!(matches!(entries(&whole, 32), Err(TreeError::Malformed)));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(data: Vec<u8>) {
            let _ = entries(&data, 20);
        }
    }
}
