//! Reads what a root scope demands of waivers.

use std::collections::BTreeSet;

use crate::clock::Lifetime;
use crate::diag::Code;
use crate::json;
use crate::name::Scope;
use crate::policy::fields::{Fields, Report};
use crate::policy::{WaiverField, WaiverTerms};

/// The greatest number of words in `require`.
const MAX_WORDS: usize = 16;

/// A scope's `waivers`; a scope without them demands nothing but a reason.
pub(super) fn read(
    fields: &mut Fields,
    scope: Option<&Scope>,
    report: &mut Report<'_>,
) -> WaiverTerms {
    let path = fields.path("waivers");
    let Some(value) = fields.take("waivers").filter(|value| !value.is_null()) else {
        return WaiverTerms::default();
    };
    let Some(mut inner) = Fields::of(value, path.clone(), report) else {
        return WaiverTerms::default();
    };
    let problems = report.problems.len();
    let terms = WaiverTerms {
        require: require(&mut inner, report),
        max_duration: inner.optional::<Lifetime>("max_duration", report),
    };
    inner.finish(report);
    if let Some(parent) = scope.and_then(Scope::parent) {
        let message = format!("`waivers` in a scope below `{parent}`");
        let hint = "only a root scope says what waivers need; move it there";
        report.problem(Code::POLICY_WAIVERS, &path, message, hint);
    } else if terms.is_empty() && report.problems.len() == problems {
        let message = "`waivers` demands nothing".to_owned();
        let hint = "give `require: [owner, ticket, expires]`, `max_duration: 90d` or both";
        report.problem(Code::POLICY_WAIVERS, &path, message, hint);
    }
    terms
}

fn require(fields: &mut Fields, report: &mut Report<'_>) -> BTreeSet<WaiverField> {
    let mut words = BTreeSet::new();
    for (path, item) in fields.list("require", MAX_WORDS, report) {
        match json::from_value(item) {
            Ok(word) => {
                words.insert(word);
            }
            Err(_) => {
                let message = "no part of an override that can be demanded".to_owned();
                let hint =
                    "the words are `owner`, `ticket` and `expires`; a `reason` is always needed";
                report.problem(Code::POLICY_TYPE, &path, message, hint);
            }
        }
    }
    words
}
