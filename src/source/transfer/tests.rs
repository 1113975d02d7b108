use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::bundle::{BundlePath, Origin};

fn bundle(files: &[(&str, &[u8])]) -> FetchedBundle {
    let file = |(name, bytes): &(&str, &[u8])| (name.parse().unwrap(), Arc::from(*bytes));
    let files: BTreeMap<BundlePath, Arc<[u8]>> = files.iter().map(file).collect();
    FetchedBundle {
        origin: Origin::Store { commit: None },
        envelope: Some(b"{}".to_vec()),
        files,
        git: None,
    }
}

fn carried(name: &str, bundle: FetchedBundle) -> Carried {
    let provenance = Provenance {
        git: "https://git.example.com/policy.git".to_owned(),
        reference: "refs/heads/main".to_owned(),
        path: "bundles/acme".to_owned(),
        commit: "0123456789abcdef0123456789abcdef01234567".parse().ok(),
    };
    Carried {
        name: name.parse().unwrap(),
        provenance,
        bundle,
    }
}

fn sample() -> Transfer {
    Transfer {
        roots: vec![b"root one".to_vec(), b"root two".to_vec()],
        bundles: vec![
            carried(
                "acme",
                bundle(&[("bundle.yaml", b"a\0\xff"), ("policies/x.yaml", b"")]),
            ),
            carried("pci", bundle(&[("bundle.yaml", b"b")])),
        ],
        skipped: Vec::new(),
    }
}

fn bytes(transfer: &Transfer) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("export");
    let length = transfer.store(&path).unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len() as u64, length);
    bytes
}

fn read(bytes: &[u8], limits: &Limits) -> Result<Transfer, TransferError> {
    let length = bytes.len() as u64;
    Transfer::read(&mut &*bytes, length, Path::new("export"), limits, |_| true)
}

#[test]
fn what_is_written_is_read_again_and_written_the_same() {
    let written = bytes(&sample());
    assert_eq!(bytes(&sample()), written);
    let again = read(&written, &Limits::default()).unwrap();
    assert_eq!(again.roots, sample().roots);
    for (found, expected) in again.bundles.iter().zip(sample().bundles) {
        assert_eq!(found.name, expected.name);
        assert_eq!(found.provenance, expected.provenance);
        assert_eq!(found.bundle.files, expected.bundle.files);
        assert_eq!(found.bundle.envelope, expected.bundle.envelope);
    }
    assert_eq!(bytes(&again), written);
}

#[test]
fn a_bundle_that_nobody_wants_is_passed_over_and_named() {
    let written = bytes(&sample());
    let read = |bytes: &[u8], length: usize, name: &str| {
        let limits = Limits {
            file_bytes: 2,
            ..Limits::default()
        };
        let path = Path::new("export");
        Transfer::read(&mut &*bytes, length as u64, path, &limits, |found| {
            found.as_str() == name
        })
    };
    // That of `acme` would pass the limit.
    let found = read(&written, written.len(), "pci").unwrap();
    assert_eq!(found.bundles.len(), 1);
    assert_eq!(
        found.bundles[0].bundle.files,
        sample().bundles[1].bundle.files
    );
    assert_eq!(found.skipped, ["acme".parse().unwrap()]);
    assert!(read(&written, written.len(), "acme").is_err());
    assert!(read(&written[..written.len() - 1], written.len(), "none").is_err());
}

#[test]
fn every_other_form_is_refused() {
    let limits = Limits::default();
    let whole = bytes(&sample());
    let refused = |bytes: &[u8], what: &str| match read(bytes, &limits) {
        Err(TransferError::Damaged { reason, .. }) => reason,
        other => panic!("{what}: {other:?}"),
    };
    for end in 0..whole.len() {
        refused(&whole[..end], "cut");
    }
    assert!(refused(&[&whole[..], b"x"].concat(), "added").contains("bytes follow"));
    let edit = |from: &str, to: &str| -> Vec<u8> {
        assert_eq!(from.len(), to.len());
        let at = whole
            .windows(from.len())
            .position(|window| window == from.as_bytes())
            .unwrap_or_else(|| panic!("{from}"));
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    for (from, to) in [
        ("ordain-export/v1", "ordain-export/v2"),
        // Paths that lead elsewhere, twins, and names that a file system takes for another.
        ("policies/x.yaml", "policies/../yam"),
        ("policies/x.yaml", "/olicies/x.yaml"),
        ("policies/x.yaml", "policies\\x.yaml"),
        ("\"policies/x.yaml\",0", "\"bundle.yaml\",    0"),
        // Bundles out of order, and one twice.
        ("\"name\":\"acme\"", "\"name\":\"zcme\""),
        // White space, and another member.
        ("\"roots\":[8,8]", "\"roots\":[8, 8"),
        ("\"commit\":", "\"commix\":"),
        ("ordain-store/v1", "ordain-store/v2"),
        // What one root gains the other loses.
        ("\"roots\":[8,8]", "\"roots\":[9,8]"),
    ] {
        refused(&edit(from, to), to);
    }
}

#[test]
fn limits_hold() {
    let whole = bytes(&sample());
    let limits = Limits::default();
    for small in [
        Limits {
            fetch_bytes: 10,
            ..limits.clone()
        },
        Limits {
            roots: 1,
            ..limits.clone()
        },
        Limits {
            envelope_bytes: 7,
            ..limits.clone()
        },
    ] {
        let found = read(&whole, &small).unwrap_err();
        assert_eq!(found.code(), Code::TRANSFER_LIMIT, "{found}");
    }
    for small in [
        Limits {
            files: 1,
            ..limits.clone()
        },
        Limits {
            file_bytes: 2,
            ..limits.clone()
        },
        Limits {
            total_bytes: 3,
            ..limits
        },
    ] {
        let found = read(&whole, &small).unwrap_err();
        assert_eq!(found.code(), Code::TRANSFER_DAMAGED, "{found}");
    }
    // A header that promises what is not there allocates nothing.
    let bomb = format!("{MAGIC}\n51\n{{\"bundles\":[],\"roots\":[1,9007199254740991,1,1,1,1]}}\n");
    assert!(read(bomb.as_bytes(), &Limits::default()).is_err());
}
