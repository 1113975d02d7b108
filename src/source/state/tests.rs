use std::fs;

use super::*;

fn mark(epoch: u64, revision: u64, payload: &[u8]) -> Mark {
    Mark {
        epoch,
        revision,
        payload: Sha256Digest::of(payload),
    }
}

fn raise(
    directory: &Path,
    version: u64,
    bundle: &str,
    mark: Mark,
    second: i64,
) -> Result<State, StateError> {
    let name = bundle.parse().unwrap();
    let root = Sha256Digest::of(b"root");
    let advance_one = Advance {
        root: &root,
        root_version: version,
        bundle: Some((&name, mark)),
        time: Timestamp::from_second(second).unwrap(),
    };
    advance(directory, &[advance_one])
}

#[test]
fn marks_grow_and_never_go_back() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("state");
    assert_eq!(State::load(&directory).unwrap(), State::default());
    raise(&directory, 1, "a", mark(1, 5, b"x"), 100).unwrap();
    raise(&directory, 2, "b", mark(0, 1, b"y"), 90).unwrap();
    // The same again, a higher revision, a higher epoch with a lower revision.
    raise(&directory, 2, "a", mark(1, 5, b"x"), 100).unwrap();
    raise(&directory, 2, "a", mark(1, 6, b"z"), 100).unwrap();
    let state = raise(&directory, 2, "a", mark(2, 1, b"w"), 100).unwrap();
    assert_eq!(State::load(&directory).unwrap(), state);
    let root = Sha256Digest::of(b"root");
    assert_eq!(
        state.mark(&root, &"a".parse().unwrap()),
        Some(&mark(2, 1, b"w"))
    );
    assert_eq!(state.root_version(&root), Some(2));
    assert_eq!(state.last_seen(), Timestamp::from_second(100).ok());

    let again = |version, mark| raise(&directory, version, "a", mark, 200).unwrap_err();
    assert!(matches!(
        again(2, mark(1, 9, b"v")),
        StateError::Rollback { .. }
    ));
    assert!(matches!(
        again(2, mark(2, 0, b"v")),
        StateError::Rollback { .. }
    ));
    assert!(matches!(
        again(2, mark(2, 1, b"v")),
        StateError::Equivocation { .. }
    ));
    assert!(matches!(
        again(1, mark(2, 2, b"v")),
        StateError::RootRollback { .. }
    ));
    assert_eq!(State::load(&directory).unwrap(), state);
}

#[test]
fn the_time_is_written_in_steps_of_a_minute() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("state");
    let seen_after = |second| {
        let state = raise(&directory, 1, "a", mark(1, 1, b"x"), second).unwrap();
        assert_eq!(State::load(&directory).unwrap(), state);
        state.last_seen().unwrap().as_second()
    };
    assert_eq!(seen_after(100), 100);
    let written = fs::metadata(directory.join(FILE)).unwrap().modified();
    assert_eq!(seen_after(159), 100);
    let rewritten = fs::metadata(directory.join(FILE)).unwrap().modified();
    assert_eq!(written.unwrap(), rewritten.unwrap(), "nothing was news");
    assert_eq!(seen_after(160), 160);
    // A clock that was set back moves nothing.
    assert_eq!(seen_after(90), 160);
}

#[cfg(unix)]
#[test]
fn links_and_files_that_others_may_write_are_refused() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("state");
    raise(&directory, 1, "a", mark(1, 5, b"x"), 100).unwrap();
    let file = directory.join(FILE);
    let chmod = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for (path, mode, restored) in [(&file, 0o620, 0o600), (&directory, 0o702, 0o700)] {
        chmod(path, mode);
        assert!(matches!(
            State::load(&directory),
            Err(StateError::Writable { .. })
        ));
        assert!(raise(&directory, 1, "a", mark(1, 6, b"x"), 100).is_err());
        chmod(path, restored);
    }
    let link = parent.path().join("link");
    symlink(&directory, &link).unwrap();
    assert!(matches!(State::load(&link), Err(StateError::Link { .. })));
    fs::rename(&file, directory.join("elsewhere")).unwrap();
    symlink("elsewhere", &file).unwrap();
    assert!(matches!(
        State::load(&directory),
        Err(StateError::Link { .. })
    ));
}

#[test]
fn damage_is_refused_and_names_the_file() {
    let path = Path::new("/s/state.json");
    let parse = |text: &str| State::parse(text.as_bytes(), path).unwrap_err();
    for text in ["", "{", r#"{"format":1,"format":2}"#] {
        assert!(matches!(parse(text), StateError::Json { .. }), "{text}");
    }
    for text in [
        "{}",
        r#"{"format":"ordain-state/v2","last_seen":null,"roots":{}}"#,
        r#"{"format":"ordain-state/v1","last_seen":null,"roots":{},"more":1}"#,
        r#"{"format":"ordain-state/v1","last_seen":null,"roots":{"x":{"version":1,"bundles":{}}}}"#,
    ] {
        assert!(matches!(parse(text), StateError::Shape { .. }), "{text}");
    }
    assert!(parse("{").to_string().contains("/s/state.json"));
}

#[test]
fn a_root_of_first_use_is_confirmed_or_withdrawn() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("state");
    let (ours, theirs) = (Sha256Digest::of(b"ours"), Sha256Digest::of(b"theirs"));
    let at = |second| Timestamp::from_second(second).unwrap();
    let anchor = |source: &str| State::load(&directory).unwrap().anchor(source).cloned();
    first_use(&directory, "a", theirs, at(1)).unwrap();
    first_use(&directory, "a", ours, at(2)).unwrap();
    assert_eq!(anchor("a").unwrap().fingerprint, theirs, "the first stays");
    assert_eq!(anchor("a").unwrap().confirmed, None);
    let differs = |remembered| Said::Differs { remembered };
    assert_eq!(
        confirm(&directory, "a", ours, at(3)).unwrap(),
        differs(theirs)
    );
    assert_eq!(anchor("a"), None, "it is withdrawn");
    assert!(matches!(
        confirm(&directory, "a", ours, at(4)).unwrap(),
        Said::Confirmed(_)
    ));
    assert_eq!(anchor("a").unwrap().confirmed, Some(at(4)));
    // One that was confirmed once is not lost to a slip of the hand.
    assert_eq!(
        confirm(&directory, "a", theirs, at(5)).unwrap(),
        differs(ours)
    );
    assert_eq!(anchor("a").unwrap().confirmed, Some(at(4)));
    assert_eq!(anchor("b"), None, "one source says nothing of another");
}

#[test]
fn equivocations_are_kept_once_each_and_survive_an_advance() {
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("state");
    let found = |revision: u64| Equivocation {
        root: Sha256Digest::of(b"root"),
        of: Equivocated::Bundle {
            name: "a".parse().unwrap(),
            epoch: 1,
            revision,
        },
        seen: Sha256Digest::of(b"x"),
        found: Sha256Digest::of(b"y"),
        time: Timestamp::from_second(7).unwrap(),
    };
    let root = Equivocation {
        of: Equivocated::Root { version: 3 },
        ..found(1)
    };
    for evidence in [&found(1), &found(1), &root] {
        record(&directory, evidence).unwrap();
    }
    raise(&directory, 1, "a", mark(1, 5, b"x"), 100).unwrap();
    let kept = || State::load(&directory).unwrap().equivocations().to_vec();
    assert_eq!(kept(), [found(1), root]);
    for revision in 0..200 {
        record(&directory, &found(revision)).unwrap();
    }
    assert_eq!(kept().len(), 100, "they do not grow without end");
    assert_eq!(kept()[0], found(1), "and the first ones stay");
}
