//! The texts of one bundle, each kept once: the same actions, teams and reasons stand in thousands of rules.

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::Arc;

/// Texts that were met.
#[derive(Debug, Default)]
pub(super) struct Lexicon(RefCell<HashSet<Arc<str>>>);

impl Lexicon {
    /// `text`, shared with whoever else asked for it.
    pub(super) fn get(&self, text: &str) -> Arc<str> {
        let mut known = self.0.borrow_mut();
        if let Some(text) = known.get(text) {
            return Arc::clone(text);
        }
        let text: Arc<str> = text.into();
        known.insert(Arc::clone(&text));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once() {
        let lexicon = Lexicon::default();
        let (first, second) = (lexicon.get("deploy"), lexicon.get("deploy"));
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(&*lexicon.get("restore"), "restore");
    }
}
