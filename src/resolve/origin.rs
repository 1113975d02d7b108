//! Where rules and overrides were written, as decisions and reports tell it.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use super::LoadedBundle;
use crate::bundle::BundleIdentity;
use crate::diag::Location;
use crate::digest::CommitId;
use crate::name::BundleName;

/// A file of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The bundle.
    pub bundle: BundleName,
    /// Its commit, where it came from Git.
    pub commit: Option<CommitId>,
    /// Its name in the bundle.
    pub name: Arc<str>,
}

impl SourceFile {
    /// The file of this name in a bundle.
    pub(super) fn of(bundle: &BundleIdentity, name: &Arc<str>) -> Self {
        Self {
            bundle: bundle.name.clone(),
            commit: bundle.commit.clone(),
            name: Arc::clone(name),
        }
    }
}

/// Where a rule or override was written. The file is shared: policies hold thousands of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub file: Arc<SourceFile>,
    /// 1-based line.
    pub line: u32,
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let file = &self.file;
        let fields = 3 + usize::from(file.commit.is_some());
        let mut fields = serializer.serialize_struct("Source", fields)?;
        fields.serialize_field("bundle", &file.bundle)?;
        match &file.commit {
            Some(commit) => fields.serialize_field("commit", commit)?,
            None => fields.skip_field("commit")?,
        }
        fields.serialize_field("file", &*file.name)?;
        fields.serialize_field("line", &self.line)?;
        fields.end()
    }
}

/// Files by the positions of their bundles and their names.
type Known = BTreeMap<(usize, Arc<str>), Arc<SourceFile>>;

/// The files that rules and overrides were written in, each once.
pub(super) struct Sources<'a> {
    pub(super) bundles: &'a [&'a LoadedBundle],
    known: RefCell<Known>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(bundles: &'a [&'a LoadedBundle]) -> Self {
        let known = RefCell::default();
        Self { bundles, known }
    }

    /// Where `location` of the bundle at this position is.
    pub(super) fn of(&self, bundle: usize, location: &Location) -> Option<Source> {
        let identity = self.bundles.get(bundle)?.identity();
        let mut known = self.known.borrow_mut();
        let file = known.entry((bundle, Arc::clone(&location.file)));
        let file = file.or_insert_with(|| Arc::new(SourceFile::of(identity, &location.file)));
        Some(Source {
            file: Arc::clone(file),
            line: location.line,
        })
    }
}
