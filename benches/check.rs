//! What `policy check` costs, from bytes to warnings: how it grows with the rules is what matters.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use ordain::bundle::BundlePath;
use ordain::resolve::{LoadedBundle, check};

use super::now;

const RULES: [usize; 3] = [100, 1_000, 10_000];

type Files = BTreeMap<BundlePath, Arc<[u8]>>;

/// `rules` ordinary rules over so many scopes below one root, of about 330 bytes each. No two speak of the same things, so that
/// nothing is found and everything is looked at.
fn files(rules: usize, scopes: usize) -> Files {
    let mut files = Files::new();
    for scope in 0..scopes {
        let (path, name) = match scope {
            0 => ("policies/acme.yaml".to_owned(), "acme".to_owned()),
            _ => (
                format!("policies/team-{scope}.yaml"),
                format!("acme/team-{scope}"),
            ),
        };
        let mut text =
            format!("apiVersion: ordain/v1\nkind: Policy\nscope: {name}\nmode: enforce\nrules:\n");
        for number in (scope..rules).step_by(scopes) {
            let effect = ["allow", "deny", "audit", "require_approval"][number % 4];
            write!(
                text,
                "  - id: rule-{number}\n    effect: {effect}\n    reason: Changes of this stack are agreed with those who run it\n    \
                 remediation: Ask in the release channel, or wait for the next window\n    precedence: {}\n    match:\n      \
                 action: [apply_stack, restore]\n      resource: \"stack-{number}-*\"\n      context.environment: production\n      \
                 subject.properties.team: team-{}\n",
                number % 7,
                number % 100,
            )
            .unwrap();
        }
        files.insert(path.parse().unwrap(), text.into_bytes().into());
    }
    files
}

fn problems(files: &Files) -> usize {
    let bundle = LoadedBundle::unsigned(
        "acme".parse().unwrap(),
        None,
        files,
        &ordain::bundle::Limits::default(),
    )
    .unwrap();
    let own = bundle.identity().name.clone();
    check(&[bundle], &own, now()).problems.len()
}

/// All of them in one file.
#[divan::bench(args = RULES)]
fn policy_check(bencher: Bencher<'_, '_>, rules: usize) {
    let files = files(rules, 1);
    assert_eq!(problems(&files), 0);
    bencher
        .counter(ItemsCount::new(rules))
        .bench(|| problems(black_box(&files)));
}

/// A hundred scopes, each resolved with its parent.
#[divan::bench(args = RULES)]
fn policy_check_of_many_scopes(bencher: Bencher<'_, '_>, rules: usize) {
    let files = files(rules, 100);
    assert_eq!(problems(&files), 0);
    bencher
        .counter(ItemsCount::new(rules))
        .bench(|| problems(black_box(&files)));
}
