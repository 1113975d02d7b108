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
    /// The file in the bundle.
    pub file: Arc<str>,
}

impl SourceFile {
    /// The file named `file` of this bundle.
    pub(super) fn of(bundle: &BundleIdentity, file: &Arc<str>) -> Self {
        Self {
            bundle: bundle.name.clone(),
            commit: bundle.commit.clone(),
            file: Arc::clone(file),
        }
    }
}

/// Where a rule or override was written. The file is shared: policies hold thousands of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The file.
    pub of: Arc<SourceFile>,
    /// 1-based line.
    pub line: u32,
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let of = &self.of;
        let fields = 3 + usize::from(of.commit.is_some());
        let mut fields = serializer.serialize_struct("Source", fields)?;
        fields.serialize_field("bundle", &of.bundle)?;
        match &of.commit {
            Some(commit) => fields.serialize_field("commit", commit)?,
            None => fields.skip_field("commit")?,
        }
        fields.serialize_field("file", &*of.file)?;
        fields.serialize_field("line", &self.line)?;
        fields.end()
    }
}

/// The files that rules and overrides were written in, each once.
pub(super) struct Sources<'a> {
    pub(super) bundles: &'a [&'a LoadedBundle],
    known: RefCell<BTreeMap<(usize, Arc<str>), Arc<SourceFile>>>,
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
            of: Arc::clone(file),
            line: location.line,
        })
    }
}
