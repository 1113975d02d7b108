//! What can be said of a request of which only names are known: who, what and on what, without properties and context.
//!
//! The facts of such a request have a value that nothing fits in the place of whatever is not known, so that every
//! condition on it fails, and matching combines failures as it always does. What a failure would not show is asked here.

use super::{Match, Term};
use crate::policy::catalog::Criterion;
use crate::policy::{Facts, Rule};

impl Rule {
    /// Whether it speaks of every request, or of none, that the names in `facts` are of; failed where that hangs on more
    /// than names.
    #[must_use]
    pub fn matches_names(&self, facts: &Facts<'_>) -> Match {
        let found = all(&self.matcher.terms, facts);
        match (found, &self.when) {
            (Match::No, _) | (_, None) => found,
            // A condition may ask whether something is there, and would take what is not known for what is not there.
            (_, Some(_)) => Match::Failed,
        }
    }
}

fn all(terms: &[Term], facts: &Facts<'_>) -> Match {
    Match::all(terms.iter().map(|term| term_matches(term, facts)))
}

fn term_matches(term: &Term, facts: &Facts<'_>) -> Match {
    let groups = |groups: &[Box<[Term]>]| -> Vec<Match> {
        groups.iter().map(|group| all(group, facts)).collect()
    };
    match term {
        Term::Path { .. } => term.matches(facts),
        Term::Catalog(criterion) => match **criterion {
            Criterion::Undescribed(_) => term.matches(facts),
            // These never fail: what they cannot judge counts as the greater risk.
            Criterion::Risk(..) | Criterion::Arguments(..) => Match::Failed,
        },
        Term::Any(any) => Match::any(groups(any).into_iter()),
        Term::All(every) => Match::all(groups(every).into_iter()),
        Term::Not(group) => all(group, facts).negated(),
    }
}
