//! One defect each: the import names it, and leaves everything as it was.

use super::{Island, export, rotate, world};
use crate::support::organisation::{Organisation, fails, files_below};

/// The file, taken apart: the header as JSON, and what follows.
struct File {
    header: serde_json::Value,
    body: Vec<u8>,
}

impl File {
    fn of(bytes: &[u8]) -> Self {
        let lines: Vec<&[u8]> = bytes.splitn(3, |byte| *byte == b'\n').collect();
        let length: usize = std::str::from_utf8(lines[1]).unwrap().parse().unwrap();
        Self {
            header: serde_json::from_slice(&lines[2][..length]).unwrap(),
            body: lines[2][length + 1..].to_vec(),
        }
    }

    fn root_bytes(&self) -> Vec<usize> {
        let roots = self.header["roots"].as_array().unwrap();
        roots
            .iter()
            .map(|bytes| usize::try_from(bytes.as_u64().unwrap()).unwrap())
            .collect()
    }

    /// Put together again as the program writes it; `serde_json` sorts members, and the header holds no number that differs.
    fn bytes(&self) -> Vec<u8> {
        let header = self.header.to_string();
        let head = format!("ordain-export/v1\n{}\n{header}\n", header.len());
        [head.as_bytes(), &self.body].concat()
    }
}

/// An island at revision 1, and what would bring it to revision 2 under root 3.
fn ready() -> (Organisation, Island, Vec<u8>) {
    let world = world();
    let island = Island::of(&world);
    island.import(export(&world), &[]).success();
    rotate(&world, &["--raise-epoch=acme"]);
    rotate(&world, &["--renew"]);
    world.publish_as("TWO", &["--epoch=2"]);
    world.pull("app", &[]).success();
    let file = export(&world);
    (world, island, file)
}

/// Whether the import fails so, and nothing but verified roots came of it.
#[track_caller]
fn refused(island: &Island, bytes: &[u8], status: i32, code: &str) {
    let before = (island.lock(), island.mark(), stored(island));
    fails(&island.import(bytes, &[]), status, code);
    assert_eq!((island.lock(), island.mark(), stored(island)), before);
}

fn stored(island: &Island) -> usize {
    files_below(&island.env.home().join(".cache/ordain/store")).len()
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes
        .windows(from.len())
        .rposition(|window| window == from)
        .expect("the bytes are there");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn files_that_are_not_whole_or_not_ours() {
    let (_world, island, file) = ready();
    refused(&island, &file[..file.len() - 1], 3, "E-SOURCE-051");
    refused(&island, &[&file[..], b"\n"].concat(), 3, "E-SOURCE-051");
    refused(&island, b"", 3, "E-SOURCE-051");
    refused(&island, b"PK\x03\x04", 3, "E-SOURCE-051");
    // A header that promises more than is there, and one that allocates too much.
    let mut large = File::of(&file);
    large.header["roots"][0] = 9_007_199_254_740_991_u64.into();
    refused(&island, &large.bytes(), 3, "E-SOURCE-052");
    let head = format!("ordain-export/v1\n{}\n", 64 << 20);
    refused(&island, head.as_bytes(), 3, "E-SOURCE-051");
    // An entry more: listed or not.
    let mut twice = File::of(&file);
    let entry = twice.header["bundles"][0].clone();
    twice.header["bundles"].as_array_mut().unwrap().push(entry);
    refused(&island, &twice.bytes(), 3, "E-SOURCE-051");
    assert_eq!(
        File::of(&file).bytes(),
        file,
        "the harness writes what the program writes"
    );
    let missing = island.env.ordain_in("app", ["bundle", "import", "nowhere"]);
    fails(&missing, 2, "E-SOURCE-050");
    fails(
        &island.env.ordain_in("app", ["bundle", "import", "."]),
        2,
        "E-SOURCE-050",
    );
    assert_eq!(island.decided_by(), "ONE");
    island.import(&file, &[]).success();
    assert_eq!(island.decided_by(), "TWO");
}

#[test]
fn names_that_lead_elsewhere() {
    let (_world, island, file) = ready();
    for name in [
        &b"policies/../x.yaml"[..],
        b"/olicies/acme.yaml",
        b"policies\\acme.yaml",
        b"policies/acme.yam.",
    ] {
        // The name stands in the header of the bundle's entry, and in the signed payload only in base64.
        let bytes = replaced(&file, b"policies/acme.yaml", name);
        refused(&island, &bytes, 3, "E-SOURCE-051");
    }
    assert_eq!(island.decided_by(), "ONE");
}

#[test]
fn bytes_that_were_not_signed() {
    let (_world, island, file) = ready();
    let changed = replaced(&file, b"reason: never", b"reason: maybe");
    refused(&island, &changed, 3, "E-TRUST-028");
    let output = island.import(&changed, &[]);
    assert!(
        output.stderr.contains("carry the file over again"),
        "{output}"
    );
    refused(
        &island,
        &replaced(&file, b"policies/acme.yaml", b"policies/acne.yaml"),
        3,
        "E-TRUST-026",
    );
}

#[test]
fn roots_that_are_dropped_or_others() {
    let (world, island, file) = ready();
    let whole = File::of(&file);
    let sizes = whole.root_bytes();
    let without = |dropped: usize| {
        let from: usize = sizes[..dropped].iter().sum();
        let mut body = whole.body.clone();
        body.drain(from..from + sizes[dropped]);
        let mut header = whole.header.clone();
        header["roots"].as_array_mut().unwrap().remove(dropped);
        File { header, body }.bytes()
    };
    refused(&island, &without(0), 3, "E-TRUST-046");
    refused(&island, &without(1), 3, "E-TRUST-046");
    // Without the last one root 2 is the newest, under which this is good; without both the epoch is another's.
    let mut none = File::of(&without(2));
    let second = none.root_bytes()[1];
    none.header["roots"].as_array_mut().unwrap().pop();
    none.body.drain(sizes[0]..sizes[0] + second);
    refused(&island, &none.bytes(), 3, "E-TRUST-019");
    // The root of another organisation.
    let other = super::world();
    let arguments = [
        "trust",
        "init",
        "--dir=trust2",
        "--namespace=acme",
        "--expires=2y",
        "--threshold=1",
    ];
    let keys = [
        "--principal=alice=keys/alice",
        "--principal=carol=keys/carol",
    ];
    other.env.ordain(arguments.iter().chain(&keys)).success();
    let stranger = std::fs::read(other.env.work().join("trust2/1.root.json")).unwrap();
    let mut swapped = File::of(&file);
    swapped.body.splice(..sizes[0], stranger.iter().copied());
    swapped.header["roots"][0] = stranger.len().into();
    let output = island.import(swapped.bytes(), &[]);
    assert_eq!(output.status, Some(3), "{output}");
    assert!(
        output.stderr.contains("E-TRUST-081") || output.stderr.contains("E-TRUST-042"),
        "{output}"
    );
    assert_eq!(island.mark(), Some(1));
    // And a root 2 that one side alone signed.
    std::fs::remove_file(world.env.work().join("trust/3.root.json")).unwrap();
    std::fs::remove_file(world.env.work().join("trust/2.root.json")).unwrap();
    assert_eq!(island.decided_by(), "ONE");
}

#[test]
fn what_is_older_or_was_revoked() {
    let (world, island, file) = ready();
    let old = {
        let fresh = Island::of(&world);
        fresh.import(&file, &[]).success();
        fresh
    };
    island.import(&file, &[]).success();
    // An export from before, with root 1 alone: this machine has seen root 3, and revision 2.
    let before = super::world();
    let stale = export(&before);
    for island in [&island, &old] {
        let lock = island.lock();
        let output = island.import(&stale, &[]);
        assert_eq!(output.status, Some(3), "{output}");
        assert_eq!(
            (island.lock(), island.decided_by()),
            (lock, "TWO".to_owned())
        );
    }
    let revoke = [
        "trust",
        "revoke",
        "--dir=trust",
        "--revisions=acme@2.1-9",
        "--key=keys/alice",
        "--key=keys/bob",
    ];
    world.env.ordain(revoke).success();
    let mut revoked = File::of(&file);
    let root = std::fs::read(world.env.work().join("trust/4.root.json")).unwrap();
    let end: usize = revoked.root_bytes().iter().sum();
    revoked.body.splice(end..end, root.iter().copied());
    revoked.header["roots"]
        .as_array_mut()
        .unwrap()
        .push(root.len().into());
    refused(&island, &revoked.bytes(), 3, "E-TRUST-025");
}
