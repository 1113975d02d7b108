//! Which rules are judged for a request, for whoever measures what that costs.

use jiff::Timestamp;

use super::evaluate::Engine;
use super::index::Candidates;
use super::request::Request;

impl Engine {
    /// The rules that the index leaves for `request` at `now`, by their positions among all rules of the policy, layer after
    /// layer in evaluation order. Those that are in force are the ones that [`Engine::evaluate`] judges.
    #[must_use]
    pub fn candidates(&self, request: &Request, now: Timestamp) -> Vec<usize> {
        let facts = self.facts(request, now);
        let mut candidates = Candidates::new();
        self.index().candidates(&facts, &mut candidates);
        candidates
            .iter()
            .map(|(number, _)| *number as usize)
            .collect()
    }
}
