//! What authors get: `policy check`, `test`, `explain`, `fmt` and `graph`.

mod check;
mod explain;
mod fmt;
mod graph;
mod new;
mod test;

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
  - id: freeze
    effect: deny
    reason: Nothing changes over the holidays
    precedence: 10
    match:
      action: [apply_stack, restore]
    valid: {from: 2026-12-20T00:00:00Z, until: 2027-01-03T00:00:00Z}
";

const TEAM: &str = "\
apiVersion: ordain/v1
kind: Policy
scope: acme/payments
extends: [acme/baseline]
rules:
  - id: big-changes
    effect: require_approval
    reason: Changes of many replicas wait
    match:
      action: apply_stack
      context.replicas: {gt: 3}
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

const TESTS: &str = "\
apiVersion: ordain/v1
kind: PolicyTest
name: the payments team
scope: acme/payments
now: 2026-11-22T12:00:00Z
request:
  subject: {type: user, id: dana}
  resource: {type: stack, id: payments-api}
cases:
  - name: a small change goes through
    request:
      action: {name: apply_stack}
      context: {environment: staging, replicas: 2}
    expect: {effect: allow, outcome: allowed, rule: acme#apply, would: null}
  - name: production waits
    request:
      action: {name: apply_stack}
      context: {environment: production, replicas: 2}
    expect:
      effect: require_approval
      outcome: pending
      reason_code: PROD_APPLY
      matched: [acme#apply, acme#prod-apply]
  - name: a restore is waived, and audited
    request: {action: {name: restore}}
    expect: {effect: audit, audited: true, rule: acme#no-restore}
  - name: over the holidays nothing changes
    now: 2026-12-24T00:00:00Z
    request: {action: {name: apply_stack}, context: {replicas: 2}}
    expect: {effect: deny, rule: acme#freeze}
  - name: other actions are denied by default
    request: {action: {name: read}}
    expect: {effect: deny, rule: null, reason_code: DEFAULT_DENY, missing_capabilities: [], patterns: [], risk: null}
";

/// A bundle in `work/acme` that every check passes.
fn bundle() -> TestEnv {
    let env = TestEnv::new();
    for (file, text) in [
        ("bundle.yaml", MANIFEST),
        ("policies/acme.yaml", ORG),
        ("policies/payments.yaml", TEAM),
        ("policies/baseline.yaml", PACK),
        ("tests/payments.yaml", TESTS),
    ] {
        env.write(format!("acme/{file}"), text);
    }
    env
}

/// The same as two bundles: the organisation's in `work/org`, the team's in `work/team`.
fn two_bundles() -> TestEnv {
    let env = TestEnv::new();
    let manifest = |name: &str, namespace: &str| {
        MANIFEST
            .replace("name: acme", &format!("name: {name}"))
            .replace("namespace: acme", &format!("namespace: {namespace}"))
    };
    env.write("org/bundle.yaml", manifest("org", "acme"));
    env.write("org/policies/acme.yaml", ORG);
    env.write("org/policies/baseline.yaml", PACK);
    env.write("team/bundle.yaml", manifest("team", "acme/payments"));
    env.write("team/policies/payments.yaml", TEAM);
    env.write("team/tests/payments.yaml", TESTS);
    env
}
