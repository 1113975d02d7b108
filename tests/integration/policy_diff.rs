//! `policy diff` and `policy impact`.

mod diff;
mod honest;
mod impact;
mod page;
mod properties;

use super::support::TestEnv;

const MANIFEST: &str =
    "apiVersion: ordain/v1\nkind: Bundle\nname: acme\nversion: 1.0.0\nnamespace: acme\n";

const ORG: &str = "\
apiVersion: ordain/v1
kind: Policy
scope: acme
default: deny
rules:
  - id: no-restore
    effect: deny
    reason: Restores overwrite evidence
    override: any
    match:
      action: restore
  - id: prod-apply
    effect: require_approval
    reason: Production changes are seen by two people
    match:
      action: apply_stack
      context.environment: production
  - id: apply
    effect: allow
    reason: Stacks may be applied
    match:
      action: apply_stack
";

const TEAM: &str = "\
apiVersion: ordain/v1
kind: Policy
scope: acme/payments
overrides:
  - rule: acme#no-restore
    effect: audit
    reason: Payments restores nightly
    owner: payments-leads
    expires: 2027-06-30T00:00:00Z
";

const PACK: &str = "\
apiVersion: ordain/v1
kind: Policy
scope: acme/baseline
rules:
  - id: no-root
    effect: deny
    reason: Nobody works as root
    match:
      subject: root
";

const CATALOG: &str = "\
apiVersion: ordain/v1
kind: Catalog
scope: acme
operations:
  - action: ssh-exec
    risk: high
    requires: [ssh-linux, remote-exec]
  - action: service-restart
    risk: medium
patterns:
  - id: recursive-delete
    command: {program: rm, flags_all: [recursive, force]}
    reason: deletes a tree without asking
unknown_operation: abstain
";

/// Two directories, `a` and `b`, of the same policies.
fn two() -> TestEnv {
    let env = TestEnv::new();
    for dir in ["a", "b"] {
        for (file, text) in [
            ("bundle.yaml", MANIFEST),
            ("policies/acme.yaml", ORG),
            ("policies/payments.yaml", TEAM),
            ("policies/baseline.yaml", PACK),
            ("policies/tools.yaml", CATALOG),
        ] {
            env.write(format!("{dir}/{file}"), text);
        }
    }
    env
}

/// Replaces a text in a file of `b`.
#[track_caller]
fn edit(env: &TestEnv, file: &str, from: &str, to: &str) {
    let file = format!("b/policies/{file}.yaml");
    let text = env.read(&file);
    assert!(text.contains(from), "{file} has no {from}");
    env.write(&file, text.replacen(from, to, 1));
}
