//! The data structures of `vendor/oracles.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::BuildError;

/// Flags by architecture.
pub(crate) type Flags = BTreeMap<String, Vec<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    pub(crate) upstream: BTreeMap<String, Upstream>,
    pub(crate) shim: Shim,
    pub(crate) flags: CommonFlags,
    pub(crate) baseline: Flags,
    pub(crate) build: Vec<Build>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Upstream {
    pub(crate) manifest: String,
    pub(crate) package: String,
    pub(crate) root: String,
    pub(crate) include: Vec<String>,
    pub(crate) defines: Vec<String>,
    pub(crate) arithmetic: Vec<String>,
    pub(crate) neutral: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shim {
    pub(crate) include: Vec<String>,
    pub(crate) headers: Vec<String>,
    pub(crate) neutral: Vec<String>,
    pub(crate) identity: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommonFlags {
    pub(crate) all: Vec<String>,
    pub(crate) c: Vec<String>,
    pub(crate) cxx: Vec<String>,
    pub(crate) gnu_cxx: Vec<String>,
    pub(crate) link: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Build {
    pub(crate) id: String,
    pub(crate) upstream: String,
    flags: Flags,
}

impl Spec {
    pub(crate) fn read(vendor: &Path) -> Result<Self, BuildError> {
        let path = vendor.join("oracles.toml");
        let text = std::fs::read_to_string(&path).map_err(BuildError::io("read", &path))?;
        toml::from_str(&text).map_err(|error| BuildError::Syntax {
            path,
            reason: error.to_string(),
        })
    }

    pub(crate) fn upstream_of(&self, build: &Build) -> Result<&Upstream, BuildError> {
        self.upstream
            .get(&build.upstream)
            .ok_or_else(|| BuildError::UnknownUpstream {
                upstream: build.upstream.clone(),
            })
    }

    pub(crate) fn baseline_flags(&self, architecture: &str) -> Result<&[String], BuildError> {
        flags_for(&self.baseline, "baseline", architecture)
    }
}

impl Upstream {
    pub(crate) fn files(&self) -> impl Iterator<Item = &String> {
        self.arithmetic.iter().chain(&self.neutral)
    }
}

impl Shim {
    pub(crate) fn files(&self) -> impl Iterator<Item = &String> {
        self.headers
            .iter()
            .chain(&self.neutral)
            .chain([&self.identity])
    }
}

impl Build {
    /// Flags of the files with arithmetic.
    pub(crate) fn flags(&self, architecture: &str) -> Result<&[String], BuildError> {
        flags_for(&self.flags, &self.id, architecture)
    }
}

fn flags_for<'a>(
    flags: &'a Flags,
    table: &str,
    architecture: &str,
) -> Result<&'a [String], BuildError> {
    flags
        .get(architecture)
        .map(Vec::as_slice)
        .ok_or_else(|| BuildError::Architecture {
            table: table.to_owned(),
            architecture: architecture.to_owned(),
        })
}
