use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::bundle::{BundlePath, FetchedBundle, Origin};

const TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

fn commit(headers: &str) -> Result<GitCommit, GitObjectError> {
    GitCommit::parse(format!("{headers}\n\na message\n").as_bytes())
}

fn lines(more: &str) -> String {
    format!("tree {TREE}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000{more}")
}

#[test]
fn a_signature_is_taken_out_of_its_commit() {
    let read = commit(&lines(
        "\nencoding x\ngpgsig one\n two\n \n three\nx-last y",
    ))
    .unwrap();
    let signed = read.signed.unwrap();
    assert_eq!(signed.signature, b"one\ntwo\n\nthree");
    let payload = format!("{}\n\na message\n", lines("\nencoding x\nx-last y"));
    assert_eq!(signed.payload, payload.as_bytes());
    assert_eq!(read.tree.to_hex(), TREE);
    assert!(commit(&lines("")).unwrap().signed.is_none());
}

#[test]
fn what_looks_like_a_signature_in_the_message_is_none() {
    let text = format!("{}\n\ngpgsig one\n two\n", lines(""));
    assert!(GitCommit::parse(text.as_bytes()).unwrap().signed.is_none());
}

#[test]
fn commits_that_two_readers_may_read_differently_are_refused() {
    let malformed = Some(GitObjectError::Malformed("commit"));
    let sha256 = "0123456789abcdef".repeat(4);
    for headers in [
        lines(&format!("\ntree {TREE}")),
        lines("\nauthor B <b@b> 1 +0000"),
        lines("\nencoding x\nencoding y"),
        lines("\n continued by nobody\n\0"),
        lines("\nx"),
        lines("\n\0"),
        format!("author A <a@b> 1 +0000\n{}", lines("")),
        format!("tree {TREE}\ncommitter A <a@b> 1 +0000\nauthor A <a@b> 1 +0000"),
        format!("tree {TREE}\nauthor A <a@b> 1 +0000"),
        format!("tree {TREE}"),
        lines("").replace("tree", "Tree"),
        lines("").replace(TREE, &TREE.to_uppercase()),
        lines("").replace(TREE, "4b825dc642cb"),
        lines("").replace("\nauthor", &format!("\nparent {sha256}\nauthor")),
        lines("").replace("\nauthor", "\nparent x\nauthor"),
        lines("").replace("\nauthor", &format!("\nparent {TREE}\n more\nauthor")),
        lines("").replace("\nauthor", &format!("\n more\nparent {TREE}\nauthor")),
    ] {
        assert_eq!(commit(&headers).err(), malformed, "{headers:?}");
    }
    for bytes in [&b""[..], b"\n\n", b"tree", b"\n", b" \n\n"] {
        assert_eq!(GitCommit::parse(bytes).err(), malformed);
    }
}

#[test]
fn two_signatures_are_one_too_many() {
    let second = Some(GitObjectError::SecondSignature("commit"));
    assert_eq!(commit(&lines("\ngpgsig a\ngpgsig b")).err(), second);
    let both = lines("\ngpgsig a\ngpgsig-sha256 b");
    assert_eq!(commit(&both).err(), second);
    let other = Some(GitObjectError::OtherHash("commit"));
    assert_eq!(commit(&lines("\ngpgsig-sha256 b")).err(), other);
    let long = lines(&format!("\ngpgsig {}", "x".repeat(MAX_SIGNATURE + 1)));
    let expected = Some(GitObjectError::LongSignature("commit"));
    assert_eq!(commit(&long).err(), expected);
}

#[test]
fn a_commit_of_ever_more_headers_is_refused_before_they_are_read() {
    let headers = |count: usize| (0..count).map(|n| format!("\nx-{n} y")).collect::<String>();
    // The author and the committer count.
    commit(&lines(&headers(MAX_HEADERS - 2))).unwrap();
    let many = Some(GitObjectError::ManyHeaders("commit"));
    assert_eq!(commit(&lines(&headers(MAX_HEADERS - 1))).err(), many);
    assert_eq!(commit(&lines(&headers(100_000))).err(), many);
    let parents = format!("\nparent {TREE}").repeat(MAX_HEADERS);
    let octopus = lines("").replace("\nauthor", &format!("{parents}\nauthor"));
    assert_eq!(commit(&octopus).err(), many);
}

fn tag(headers: &str, message: &str) -> Result<GitTag, GitObjectError> {
    GitTag::parse(format!("{headers}\n\n{message}").as_bytes())
}

fn tag_lines() -> String {
    format!("object {TREE}\ntype commit\ntag v1\ntagger A <a@b> 1 +0000")
}

#[test]
fn a_signature_is_the_end_of_its_tag() {
    let armour = "-----BEGIN SSH SIGNATURE-----\nx\n-----END SSH SIGNATURE-----\n";
    let read = tag(&tag_lines(), &format!("one\n{armour}")).unwrap();
    assert_eq!(
        (read.kind.as_slice(), read.name.as_slice()),
        (&b"commit"[..], &b"v1"[..])
    );
    assert_eq!(read.object.to_hex(), TREE);
    let signed = read.signed.unwrap();
    assert_eq!(
        signed.payload,
        format!("{}\n\none\n", tag_lines()).as_bytes()
    );
    assert_eq!(signed.signature, armour.as_bytes());
    assert!(tag(&tag_lines(), "one\n").unwrap().signed.is_none());
    let indented = format!("one\n {}", armour.replace('\n', "\n "));
    assert!(tag(&tag_lines(), &indented).unwrap().signed.is_none());

    let second = Some(GitObjectError::SecondSignature("tag"));
    assert_eq!(
        tag(&tag_lines(), &format!("{armour}{armour}")).err(),
        second
    );
    let pgp = format!("-----BEGIN PGP SIGNATURE-----\nx\n{armour}");
    assert_eq!(tag(&tag_lines(), &pgp).err(), second);
    let header = format!("{}\ngpgsig-sha256 x", tag_lines());
    assert_eq!(tag(&header, armour).err(), second);
}

#[test]
fn tags_that_git_does_not_write_are_refused() {
    for headers in [
        tag_lines().replace("\ntagger A <a@b> 1 +0000", ""),
        tag_lines().replace("tag v1", "tag v1\ntag v2"),
        tag_lines().replace("tag v1", "tag v1\n v2"),
        tag_lines().replace("type commit\ntag v1", "tag v1\ntype commit"),
        format!("{}\nx y", tag_lines()),
        tag_lines().replace("v1", "v\0"),
        tag_lines().replace(TREE, "HEAD"),
    ] {
        let malformed = Some(GitObjectError::Malformed("tag"));
        assert_eq!(tag(&headers, "m\n").err(), malformed, "{headers:?}");
    }
}

#[test]
fn ids_are_those_that_git_computes() {
    // `git mktree </dev/null`, and the blob `hello\n` of `git hash-object`, in both formats.
    assert_eq!(Hash::Sha1.id("tree", b"").unwrap().to_hex(), TREE);
    let blob = Hash::Sha256.id("blob", b"hello\n").unwrap();
    assert_eq!(
        blob.to_hex(),
        "2cf8d83d9ee29543b34a87727421fdecb7e3f3a183d337639025de576db9ebb4"
    );
}

#[test]
fn the_tree_of_files_is_in_gits_order() {
    // `a-b`, `a/…`, `a0`: a directory counts as `a/`. The id is that of `git write-tree` over the same files.
    let files: BTreeMap<BundlePath, Arc<[u8]>> = ["a-b", "a/b/c", "a/d", "a0", "z"]
        .iter()
        .map(|name| (name.parse().unwrap(), Arc::from(name.as_bytes())))
        .collect();
    let bundle = FetchedBundle {
        origin: Origin::Store { commit: None },
        envelope: Some(b"{}".to_vec()),
        files,
        git: None,
    };
    let tree = tree_of(&bundle, Hash::Sha1).unwrap().to_hex();
    assert_eq!(tree, "83b902f171c9e68254424624d4e88166f52f7119");
}
