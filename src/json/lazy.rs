//! A JSON value whose tree is built for the first who asks, and for nobody otherwise.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::plain::Plain;

/// A JSON value, as a tree or as what a tree can be built from.
#[derive(Debug, Clone)]
pub struct Lazy {
    /// In a place of its own: most requests are decided without it, and lie closer together so.
    tree: OnceLock<Box<Value>>,
    plain: Option<Plain>,
    /// The paths at which the tree has an empty object although the text has nothing.
    filled: Vec<&'static [&'static str]>,
}

impl Lazy {
    /// Whether the tree was built.
    #[cfg(test)]
    pub(crate) fn has_tree(&self) -> bool {
        self.tree.get().is_some()
    }

    /// The value of a plain text, with empty objects at the paths `filled`, whose parents are objects there.
    pub(crate) fn of(plain: Plain, filled: Vec<&'static [&'static str]>) -> Self {
        Self {
            tree: OnceLock::new(),
            plain: Some(plain),
            filled,
        }
    }

    /// The text that the tree is built from, if it is.
    pub(crate) fn plain(&self) -> Option<&Plain> {
        self.plain.as_ref()
    }

    /// The text that the tree would have been built from, when nobody asks any more.
    pub(crate) fn into_plain(self) -> Option<Plain> {
        self.plain
    }

    /// The value as a tree.
    #[must_use]
    pub fn tree(&self) -> &Value {
        self.tree.get_or_init(|| {
            let plain = self.plain.as_ref();
            let mut tree = plain.map_or(Value::Null, |plain| plain.tree(plain.root()));
            for path in &self.filled {
                fill(&mut tree, path);
            }
            Box::new(tree)
        })
    }
}

impl From<Value> for Lazy {
    fn from(tree: Value) -> Self {
        Self {
            tree: OnceLock::from(Box::new(tree)),
            plain: None,
            filled: Vec::new(),
        }
    }
}

impl PartialEq for Lazy {
    fn eq(&self, other: &Self) -> bool {
        self.tree() == other.tree()
    }
}

fn fill(tree: &mut Value, path: &[&str]) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let parent = parents.iter().try_fold(tree, |at, name| at.get_mut(*name));
    if let Some(Value::Object(parent)) = parent {
        parent.insert((*last).to_owned(), Value::Object(Map::new()));
    }
}
