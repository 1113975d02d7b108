//! Keys where people have them: files, ssh-agent, variables, file descriptors, programs; and SSH signatures.

use crate::support::TestEnv;
use crate::support::organisation::{BUNDLE, Organisation};

mod agent;
mod hostile_agent;
mod passphrase;
mod program;
mod sources;
mod ssh_signature;
mod weak;

/// A publisher with a policy to sign.
fn world() -> Organisation {
    let world = Organisation::new();
    world.edit("ONE");
    world
}

/// `bundle sign --renew` with a key.
fn sign(world: &Organisation, key: &str) -> crate::support::Output {
    let key = format!("--key={key}");
    world
        .env
        .ordain(["bundle", "sign", BUNDLE, &key, "--expires=90d", "--renew"])
}

/// The bundle in the author's directory counts.
#[track_caller]
fn verified(world: &Organisation) {
    let fingerprint = format!("--fingerprint={}", world.fingerprint);
    let verify = ["bundle", "verify", BUNDLE, "--trust-root=trust"];
    let output = world.env.ordain(verify.iter().chain(&[&*fingerprint]));
    output.success();
}

/// A key that nothing needs any more is taken away.
fn remove(world: &Organisation, file: &str) {
    std::fs::remove_file(world.env.work().join(file)).unwrap();
}

/// A shell script in `work`, by its absolute path.
fn script(env: &TestEnv, name: &str, text: &str) -> String {
    env.write("script", format!("#!/bin/sh\n{text}\n"));
    // By another process: a file that this one has open for writing, in a thread that forks, is busy and cannot be run.
    tool(env, &["install", "-m", "755", "script", name]);
    env.work().join(name).to_str().unwrap().to_owned()
}

/// A program that has to succeed.
#[track_caller]
fn tool(env: &TestEnv, line: &[&str]) {
    let mut command = env.command(line[0]);
    command.args(&line[1..]);
    env.run(command, b"").success();
}
