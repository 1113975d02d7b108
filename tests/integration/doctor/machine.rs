//! What the doctor finds of the machine: clock, state, permissions, log, environment; and everything broken at once.

use std::os::unix::fs::symlink;

use super::*;

pub(super) fn clock_and_machine() {
    let organisation = pulled();
    finds(&organisation.env, &[], 0, "clock-fixed", None);
    let state = organisation.state().join("state.json");
    let sound = std::fs::read(&state).unwrap();
    edit_json(&state, |state| {
        state["last_seen"] = "2999-01-01T00:00:00Z".into()
    });
    finds(
        &organisation.env,
        &[],
        3,
        "clock-went-back",
        Some("E-CONFIG-014"),
    );
    std::fs::write(&state, "{}").unwrap();
    finds(
        &organisation.env,
        &[],
        3,
        "state-unusable",
        Some("E-SOURCE-044"),
    );
    std::fs::write(&state, &sound).unwrap();
    chmod(&state, 0o660);
    finds(
        &organisation.env,
        &[],
        3,
        "state-unusable",
        Some("E-SOURCE-043"),
    );
    chmod(&state, 0o600);
    let elsewhere = organisation.env.work().join("state.json");
    std::fs::rename(&state, &elsewhere).unwrap();
    symlink(&elsewhere, &state).unwrap();
    finds(
        &organisation.env,
        &[],
        3,
        "state-unusable",
        Some("E-SOURCE-043"),
    );
    std::fs::remove_file(&state).unwrap();
    std::fs::rename(&elsewhere, &state).unwrap();
    let key = organisation.state().join("log.key");
    chmod(&key, 0o640);
    finds(&organisation.env, &[], 0, "key-shared", None);
    chmod(&key, 0o600);
    finds(
        &organisation.env,
        &["--key", "../keys/alice"],
        0,
        "key",
        None,
    );
    for file in ["../keys/nobody", "ordain.yaml"] {
        finds(
            &organisation.env,
            &["--key", file],
            1,
            "key-unreadable",
            Some("E-CONFIG-009"),
        );
    }
    let cache = organisation.cache();
    finds(&organisation.env, &[], 0, "cache", None);
    chmod(&cache, 0o777);
    finds(&organisation.env, &[], 0, "cache-shared", None);
    chmod(&cache, 0o755);
    std::fs::rename(&cache, cache.with_extension("away")).unwrap();
    std::fs::write(&cache, "a file").unwrap();
    finds(
        &organisation.env,
        &[],
        1,
        "cache-unusable",
        Some("E-SOURCE-019"),
    );
}

pub(super) fn log() {
    let organisation = pulled();
    let log = organisation.env.work().join("consumer/.ordain/log");
    let records = log.join("decisions.jsonl");
    let whole = std::fs::read(&records).unwrap();
    std::fs::write(&records, [&whole[..], b"{\"half\":"].concat()).unwrap();
    finds(&organisation.env, &[], 0, "log-torn", Some("E-LOG-012"));
    std::fs::write(&records, "").unwrap();
    finds(
        &organisation.env,
        &[],
        1,
        "log-untrusted",
        Some("E-LOG-001"),
    );
    std::fs::write(&records, &whole).unwrap();
    chmod(&log, 0o777);
    finds(&organisation.env, &[], 0, "log-shared", None);
    chmod(&log, 0o700);
    let key = organisation.state().join("log.key");
    let text = std::fs::read(&key).unwrap();
    std::fs::write(&key, "no key").unwrap();
    finds(
        &organisation.env,
        &[],
        1,
        "log-unreadable",
        Some("E-LOG-011"),
    );
    std::fs::remove_file(&key).unwrap();
    finds(
        &organisation.env,
        &[],
        0,
        "log-key-missing",
        Some("E-LOG-014"),
    );
    std::fs::write(&key, text).unwrap();
    std::fs::remove_dir_all(&log).unwrap();
    finds(&organisation.env, &[], 0, "log-missing", None);
    std::fs::write(&log, "a file").unwrap();
    finds(
        &organisation.env,
        &[],
        1,
        "log-unwritable",
        Some("E-LOG-010"),
    );
}

pub(super) fn environment() {
    let mut organisation = pulled();
    organisation.env.set("ORDAIN_CONFG", "typo");
    organisation.env.set("ORDAIN_GIT_PASSWORD", "hunter2");
    organisation.env.set("CI", "true");
    finds(&organisation.env, &[], 0, "variable-unknown", None);
    finds(&organisation.env, &[], 0, "ci", None);
    let (output, _) = examine(&organisation.env, "consumer", &[]);
    assert!(!format!("{output}").contains("hunter2"), "{output}");
    for (git, program, id, status) in [
        (
            "ssh://git@127.0.0.1/policy.git",
            "ssh",
            "program-missing",
            1,
        ),
        ("https://127.0.0.1/policy.git", "git", "helper-missing", 0),
    ] {
        organisation.consumer("consumer", git, None);
        organisation.env.set("PATH", "/nonexistent");
        let exit = (id == "program-missing").then_some("E-SOURCE-018");
        finds(&organisation.env, &[], status, id, exit);
        organisation.env.set("PATH", crate::support::repo::PATH);
        let (output, findings) = examine(&organisation.env, "consumer", &[]);
        let found = findings
            .iter()
            .any(|f| f["id"] == "program" && f["subject"] == program);
        assert!(found, "{output}");
    }
}

pub(super) fn everything_at_once() {
    let organisation = pulled();
    organisation.env.write("consumer/ordain.lock", "{");
    std::fs::write(organisation.state().join("state.json"), "{").unwrap();
    std::fs::remove_file(organisation.env.work().join("trust/1.root.json")).unwrap();
    let log = organisation.env.work().join("consumer/.ordain/log");
    std::fs::write(log.join("checkpoint"), "not a note").unwrap();
    let (output, findings) = examine(&organisation.env, "consumer", &["--key=nothing"]);
    assert_eq!(output.status, Some(3), "{output}");
    for id in [
        "root-untrusted",
        "lockfile-damaged",
        "state-unusable",
        "log-untrusted",
        "key-unreadable",
    ] {
        assert!(ids(&findings).contains(&id), "no {id} in {output}");
    }
    insta::assert_snapshot!("everything_is_broken_at_once", output);
    // No home, no variable, no configuration: still an answer.
    let mut command = organisation.env.command(binary());
    command.env_clear().arg("doctor").current_dir("/");
    let output = organisation.env.run(command, b"");
    assert_eq!(output.status, Some(1), "{output}");
    assert_eq!(
        output.stdout.matches("(environment-unusable)").count(),
        3,
        "{output}"
    );
    SEEN.lock()
        .unwrap()
        .insert("environment-unusable".to_owned());
    let mut command = organisation.env.command(binary());
    command
        .env("ORDAIN_NOW", "yesterday")
        .args(["doctor", "--json"]);
    let output = organisation.env.run(command, b"");
    assert_eq!(output.status, Some(3), "{output}");
    assert!(
        output.stdout.contains("`ORDAIN_NOW` is `yesterday`"),
        "{output}"
    );
}
