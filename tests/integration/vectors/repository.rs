//! Repositories and servers made to deceive: each word makes one, and what reads it as a consumer does is refused.

use std::path::Path;

use ordain::bundle::Limits;
use ordain::diag::Code;
use serde::Deserialize;

use super::defect::unhex;
use crate::source::{Asked, asked};
use crate::support::repo::Repo;
use crate::support::servers::Server;
use crate::support::wire::{BLOB, COMMIT, Pack, Script, TREE, copies, hex, id, zlib};

/// Which repository, and how it is reached.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Made {
    made: String,
    by: By,
}

impl Made {
    /// What the server of the others says when it does not lie.
    pub(super) fn sound() -> [Self; 2] {
        ["sound", "sound-delta"].map(|made| Self {
            made: made.to_owned(),
            by: By::Server,
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum By {
    /// In place.
    Path,
    /// `git upload-pack` on this machine.
    File,
    /// A server of ours, which says what it likes.
    Server,
}

/// Makes it, and asks for `main`; whatever is refused once is refused again from the same cache.
pub(super) fn run(made: &Made) -> Result<(), (String, Code)> {
    let small = Limits {
        files: 50,
        file_bytes: 200_000,
        total_bytes: 300_000,
        objects: 200,
        object_bytes: 8 << 20,
        fetch_bytes: 4 << 20,
        ..Limits::default()
    };
    let ask = |url: &str| {
        let cache = tempfile::tempdir().unwrap();
        let asked = || Asked {
            limits: small.clone(),
            ..asked(url, "main")
        };
        let first = asked().fetch(cache.path()).map_err(|error| error.code());
        let second = asked().fetch(cache.path()).map_err(|error| error.code());
        assert_eq!(first.as_ref().err(), second.as_ref().err(), "{made:?}");
        first
            .map(|_| ())
            .map_err(|code| ("source".to_owned(), code))
    };
    if made.by == By::Server {
        let server: Server = script(&made.made).serve();
        return ask(&format!("git://{}/x", server.address));
    }
    let repo = damaged(&made.made);
    let path = repo.path().display().to_string();
    match made.by {
        By::File => ask(&format!("file://{path}")),
        _ => ask(&path),
    }
}

/// A repository on this machine.
fn damaged(word: &str) -> Repo {
    let repo = Repo::new();
    repo.commit(&[("bundle.yaml", "good"), ("policies/a.yaml", "a")]);
    damage(&repo, word);
    repo
}

/// A repository in place, or the server of one; and its URL.
pub(super) fn place(made: &Made) -> (Option<Repo>, Option<Server>, String) {
    match made.by {
        By::Server => {
            let server = script(&made.made).serve();
            let url = format!("git://{}/x", server.address);
            (None, Some(server), url)
        }
        By::Path | By::File => {
            let repo = damaged(&made.made);
            let path = repo.path().display().to_string();
            let url = if made.by == By::File {
                format!("file://{path}")
            } else {
                path
            };
            (Some(repo), None, url)
        }
    }
}

fn write(repo: &Repo, kind: &str, data: &[u8]) -> String {
    repo.git_with(
        &["hash-object", "-t", kind, "--literally", "-w", "--stdin"],
        data,
    )
}

/// Points `main` at whatever it is.
fn point(repo: &Repo, content: &str) {
    std::fs::write(
        repo.path().join(".git/refs/heads/main"),
        format!("{content}\n"),
    )
    .unwrap();
}

fn overwrite(path: &Path, bytes: &[u8]) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn entry(mode: &str, name: &str, id: &str) -> Vec<u8> {
    [format!("{mode} {name}\0").as_bytes(), &unhex(id)].concat()
}

/// A commit of this tree, and `main` at it.
fn commit_of(repo: &Repo, tree: &str) {
    let people = "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000";
    let commit = write(
        repo,
        "commit",
        format!("tree {tree}\n{people}\n\nm\n").as_bytes(),
    );
    point(repo, &commit);
}

fn commit_of_entries(repo: &Repo, entries: &[(&str, &str, &str)]) {
    let data: Vec<u8> = entries
        .iter()
        .flat_map(|(mode, name, id)| entry(mode, name, id))
        .collect();
    commit_of(repo, &write(repo, "tree", &data));
}

#[allow(clippy::too_many_lines, reason = "one arm a word")]
fn damage(repo: &Repo, word: &str) {
    let parse = |what: &str| repo.git(&["rev-parse", what]);
    let commit = parse("main");
    let (tree, blob) = (parse("main^{tree}"), parse("main:bundle.yaml"));
    let swap = |id: &str, kind: &str, data: &[u8]| {
        let other = std::fs::read(repo.loose(&write(repo, kind, data))).unwrap();
        overwrite(&repo.loose(id), &other);
    };
    let people = "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000";
    let raw = |data: String| point(repo, &write(repo, "commit", data.as_bytes()));
    let tag = |object: &str, kind: &str| {
        let text = format!("object {object}\ntype {kind}\ntag main\ntagger A <a@b> 1 +0000\n\nm\n");
        write(repo, "tag", text.as_bytes())
    };
    match word {
        "wrong-blob" => swap(&blob, "blob", b"evil"),
        "wrong-tree" => swap(&tree, "tree", &entry("100644", "bundle.yaml", &blob)),
        "wrong-commit" => {
            let text = format!("tree {tree}\n{people}\n\nother\n");
            swap(&commit, "commit", text.as_bytes());
        }
        "wrong-kind" => swap(&blob, "tree", b""),
        "missing-blob" => std::fs::remove_file(repo.loose(&blob)).unwrap(),
        "missing-tree" => std::fs::remove_file(repo.loose(&tree)).unwrap(),
        "missing-commit" => std::fs::remove_file(repo.loose(&commit)).unwrap(),
        "cut-blob" => {
            let bytes = std::fs::read(repo.loose(&blob)).unwrap();
            overwrite(&repo.loose(&blob), &bytes[..bytes.len() - 6]);
        }
        "longer-than-it-says" => overwrite(&repo.loose(&blob), &zlib(b"blob 4\0good and more")),
        "shorter-than-it-says" => overwrite(&repo.loose(&blob), &zlib(b"blob 4000000\0good")),
        "enormous-by-its-word" => {
            overwrite(&repo.loose(&blob), &zlib(b"blob 99999999999999\0good"));
        }
        "not-an-object" => overwrite(&repo.loose(&blob), b"good"),
        "no-tree" => raw(format!("{people}\n\nm\n")),
        "tree-is-no-id" => raw(format!("tree HEAD\n{people}\n\nm\n")),
        "tree-is-short" => raw(format!("tree {}\n{people}\n\nm\n", &tree[..12])),
        "tree-is-a-blob" => raw(format!("tree {blob}\n{people}\n\nm\n")),
        "tree-is-the-commit" => raw(format!("tree {commit}\n{people}\n\nm\n")),
        "empty-commit" => raw(String::new()),
        "directory-is-a-file" => commit_of_entries(repo, &[("40000", "d", &blob)]),
        "directory-is-a-commit" => commit_of_entries(repo, &[("40000", "d", &commit)]),
        "file-is-a-directory" => commit_of_entries(repo, &[("100644", "f", &tree)]),
        "file-is-a-commit" => commit_of_entries(repo, &[("100644", "f", &commit)]),
        "null-id" => commit_of_entries(repo, &[("100644", "f", &"0".repeat(40))]),
        "cut-tree" => {
            let whole = entry("100644", "f", &blob);
            commit_of(repo, &write(repo, "tree", &whole[..whole.len() - 1]));
        }
        "deep-tree" => {
            let mut inner = write(repo, "tree", &entry("100644", "f", &blob));
            for _ in 0..40 {
                inner = write(repo, "tree", &entry("40000", "d", &inner));
            }
            commit_of(repo, &inner);
        }
        "deep-path" => {
            // Two directories of one tree, each of which holds two of the next: 2^12 files by 12 trees.
            let mut inner = write(repo, "tree", &entry("100644", "f", &blob));
            for _ in 0..12 {
                let twice = [entry("40000", "a", &inner), entry("40000", "b", &inner)];
                inner = write(repo, "tree", &twice.concat());
            }
            commit_of(repo, &inner);
        }
        "many-files" => {
            let names: Vec<String> = (0..60).map(|n| format!("{n:03}")).collect();
            let entries: Vec<(&str, &str, &str)> = names
                .iter()
                .map(|name| ("100644", name.as_str(), blob.as_str()))
                .collect();
            commit_of_entries(repo, &entries);
        }
        "many-directories" => {
            let names: Vec<String> = (0..300).map(|n| format!("{n:03}")).collect();
            let inner = write(repo, "tree", &entry("100644", "f", &blob));
            let entries: Vec<(&str, &str, &str)> = names
                .iter()
                .map(|name| ("40000", name.as_str(), inner.as_str()))
                .collect();
            commit_of_entries(repo, &entries);
        }
        "large-file" => drop(repo.commit(&[("large", &"x".repeat(200_001))])),
        "large-together" => {
            let text = "x".repeat(90_000);
            repo.commit(&[("1", &text), ("2", &text), ("3", &text), ("4", &text)]);
        }
        "huge-file" => drop(repo.commit(&[("huge", &"x".repeat(16 << 20))])),
        "noise" => {
            let noise: String = (0..400_000u64)
                .map(|n| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
                .collect();
            repo.commit(&[("noise", &noise)]);
        }
        "tag-of-a-blob" => point(repo, &tag(&blob, "blob")),
        "tag-of-a-tree" => point(repo, &tag(&tree, "tree")),
        "tag-that-lies" => point(repo, &tag(&tree, "commit")),
        "tag-of-nothing" => point(repo, &tag(&"1".repeat(40), "commit")),
        "tag-chain" => {
            let mut id = tag(&commit, "commit");
            for _ in 0..10 {
                id = tag(&id, "tag");
            }
            point(repo, &id);
        }
        "malformed-tag" => point(repo, &write(repo, "tag", b"object main\n\n")),
        "ref-is-a-blob" => point(repo, &blob),
        "ref-is-a-tree" => point(repo, &tree),
        "ref-is-noise" => point(repo, "what is this"),
        "ref-to-itself" => point(repo, "ref: refs/heads/main"),
        "ref-climbs" => point(repo, "ref: ../../../../etc/passwd"),
        "ref-to-nothing" => point(repo, &"1".repeat(40)),
        other => panic!("no such word: {other}"),
    }
}

/// A sound repository of one file in one directory, object by object.
struct Sound {
    tree: Vec<u8>,
    commit: Vec<u8>,
}

impl Sound {
    fn of(blob: &[u8]) -> Self {
        let tree = entry("100644", "bundle.yaml", &hex(&id("blob", blob)));
        let people = "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000";
        let commit = format!("tree {}\n{people}\n\nm\n", hex(&id("tree", &tree)));
        Self {
            tree,
            commit: commit.into_bytes(),
        }
    }

    fn id(&self) -> [u8; 20] {
        id("commit", &self.commit)
    }

    /// Without the blob.
    fn pack(&self) -> Pack {
        let mut pack = Pack::default();
        pack.object(COMMIT, &self.commit);
        pack.object(TREE, &self.tree);
        pack
    }
}

#[allow(clippy::too_many_lines, reason = "one arm a word")]
fn script(word: &str) -> Script {
    let sound = Sound::of(b"good");
    let at = sound.id();
    let mut pack = sound.pack();
    let whole = || {
        let mut pack = sound.pack();
        pack.object(BLOB, b"good");
        pack.bytes()
    };
    let with = |pack: Vec<u8>| Script::new(&at, pack);
    let base = vec![b'x'; 0x1_0000];
    match word {
        "sound" => with(whole()),
        "sound-delta" => {
            let twice = Sound::of(&base.repeat(2));
            let mut pack = twice.pack();
            pack.object(BLOB, &base);
            pack.delta(&copies(0x1_0000, 2));
            Script::new(&twice.id(), pack.bytes())
        }
        "nothing" => with(Vec::new()),
        "empty-pack" => with(Pack::default().bytes()),
        "without-the-blob" => with(pack.bytes()),
        "without-the-tree" => {
            let mut pack = Pack::default();
            pack.object(COMMIT, &sound.commit);
            pack.object(BLOB, b"good");
            with(pack.bytes())
        }
        "another-blob" => {
            pack.object(BLOB, b"evil");
            with(pack.bytes())
        }
        "another-commit" => {
            let other = Sound::of(b"evil");
            let mut pack = other.pack();
            pack.object(BLOB, b"evil");
            with(pack.bytes())
        }
        "blob-as-tree" => {
            let mut pack = Pack::default();
            pack.object(COMMIT, &sound.commit);
            pack.object(BLOB, &sound.tree);
            pack.object(BLOB, b"good");
            with(pack.bytes())
        }
        "cut" => {
            let bytes = whole();
            with(bytes[..bytes.len() - 30].to_vec())
        }
        "without-its-sum" => {
            let bytes = whole();
            with(bytes[..bytes.len() - 20].to_vec())
        }
        "wrong-sum" => {
            let mut bytes = whole();
            *bytes.last_mut().unwrap() ^= 1;
            with(bytes)
        }
        "flipped" => {
            let mut bytes = whole();
            bytes[40] ^= 1;
            with(bytes)
        }
        "counts-too-many" => {
            pack.object(BLOB, b"good");
            with(pack.bytes_of(4))
        }
        "counts-too-few" => {
            pack.object(BLOB, b"good");
            with(pack.bytes_of(2))
        }
        "counts-billions" => {
            pack.object(BLOB, b"good");
            with(pack.bytes_of(u32::MAX))
        }
        "other-version" => {
            let mut bytes = whole();
            bytes[7] = 9;
            with(bytes)
        }
        "states-more" => {
            pack.object_of(BLOB, b"good", 4000);
            with(pack.bytes())
        }
        "states-less" => {
            pack.object_of(BLOB, b"good", 2);
            with(pack.bytes())
        }
        "states-petabytes" => {
            pack.object_of(BLOB, b"good", 1 << 50);
            with(pack.bytes())
        }
        "base-missing" => {
            pack.delta_of(&[7; 20], &copies(0x1_0000, 1));
            with(pack.bytes())
        }
        "base-nowhere" => {
            pack.delta_from_nowhere(&copies(0x1_0000, 1));
            with(pack.bytes())
        }
        "base-too-short" => {
            pack.object(BLOB, b"good");
            pack.delta(&copies(0x1_0000, 1));
            with(pack.bytes())
        }
        "delta-of-itself" => {
            let own = id("blob", &base);
            pack.delta_of(&own, &copies(0x1_0000, 1));
            with(pack.bytes())
        }
        "delta-bomb" => {
            // 1 KiB that unfolds to 64 MiB, of which the bundle's file is one.
            let bomb = Sound::of(&base.repeat(1000));
            let mut pack = bomb.pack();
            pack.object(BLOB, &base);
            pack.delta(&copies(0x1_0000, 1000));
            Script::new(&bomb.id(), pack.bytes())
        }
        "unused-delta-bomb" => {
            pack.object(BLOB, b"good");
            pack.object(BLOB, &base);
            pack.delta(&copies(0x1_0000, 1000));
            with(pack.bytes())
        }
        "delta-bomb-of-bombs" => {
            pack.object(BLOB, b"good");
            pack.object(BLOB, &base);
            for (base, times) in [(1, 100), (100, 1000), (1000, 10_000)] {
                pack.delta(&copies(base * 0x1_0000, times));
            }
            with(pack.bytes())
        }
        "delta-says-nothing" => {
            pack.object(BLOB, &base);
            pack.delta(&[]);
            with(pack.bytes())
        }
        "other-ref" => {
            let mut script = with(whole());
            script.refs = vec![format!("{} refs/heads/other", hex(&at))];
            script
        }
        "ref-of-nobody" => {
            let mut script = with(whole());
            script.refs = vec![format!("{} refs/heads/main", "1".repeat(40))];
            script
        }
        "ref-is-no-id" => {
            let mut script = with(whole());
            script.refs = vec!["--upload-pack=x refs/heads/main".to_owned()];
            script
        }
        "ref-climbs" => {
            let mut script = with(whole());
            script.refs = vec![format!("{} refs/heads/../../../config", hex(&at))];
            script
        }
        "tag-and-branch" => {
            let mut script = with(whole());
            script.refs.push(format!("{} refs/tags/main", hex(&at)));
            script
        }
        "refs-without-end" => {
            let mut script = with(whole());
            let line = format!("{} refs/heads/{}", hex(&at), "x".repeat(4000));
            script.refs = vec![line; 2000];
            script
        }
        other => panic!("no such word: {other}"),
    }
}
