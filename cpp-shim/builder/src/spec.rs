//! The data structures of `vendor/oracles.toml`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::error::BuildError;
use crate::pattern::matching;

/// Flags by architecture.
pub(crate) type Flags = BTreeMap<String, Vec<String>>;

/// The upstreams, how their files are compiled, and the builds that are embedded.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spec {
    pub(crate) layout: Layout,
    pub(crate) upstream: BTreeMap<String, Upstream>,
    pub(crate) shim: Shim,
    pub(crate) flags: CommonFlags,
    pub(crate) baseline: Flags,
    pub(crate) build: Vec<Build>,
    pub(crate) native: Vec<String>,
}

/// The files of all vintages, as patterns relative to the root of llama.cpp.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Layout {
    pub(crate) include: Vec<String>,
    pub(crate) arithmetic: Vec<String>,
    pub(crate) arithmetic_of: BTreeMap<String, Vec<String>>,
    pub(crate) inactive: Vec<String>,
    pub(crate) neutral: Vec<String>,
    pub(crate) models: Vec<String>,
    pub(crate) together: Vec<String>,
    pub(crate) group: usize,
    pub(crate) exclude: Vec<String>,
    pub(crate) templates: Vec<String>,
    pub(crate) defines: Vec<String>,
}

/// What an upstream adds to the layout.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(crate) struct Upstream {
    pub(crate) pin: Option<Pin>,
    /// Files by which a checkout is recognized, relative to the root of llama.cpp.
    #[serde(default)]
    pub(crate) marks: Vec<String>,
    #[serde(default)]
    pub(crate) include: Vec<String>,
    #[serde(default)]
    pub(crate) arithmetic: Vec<String>,
    #[serde(default)]
    pub(crate) defines: Vec<String>,
    /// Parts of the shim.
    pub(crate) shim: Vec<String>,
}

/// The registry package of an upstream.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pin {
    pub(crate) manifest: String,
    pub(crate) package: String,
    /// The root of llama.cpp in the package.
    pub(crate) root: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shim {
    pub(crate) include: Vec<String>,
    pub(crate) headers: Vec<String>,
    /// Lists of files by part.
    pub(crate) part: BTreeMap<String, Vec<String>>,
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
    /// Whether candidates must have the same results, bit for bit.
    #[serde(default)]
    pub(crate) identity: bool,
    #[serde(default)]
    pub(crate) defines: Vec<String>,
    /// Whether files for one architecture are left out.
    #[serde(default)]
    pub(crate) generic: bool,
    flags: Flags,
}

impl Spec {
    /// Parses the text of `vendor/oracles.toml`.
    ///
    /// # Errors
    ///
    /// [`BuildError::Syntax`].
    pub fn parse(text: &str) -> Result<Self, BuildError> {
        toml::from_str(text).map_err(|error| BuildError::Syntax {
            path: "vendor/oracles.toml".into(),
            reason: error.to_string(),
        })
    }

    /// The files of the shim in `folder`, relative to it.
    ///
    /// # Errors
    ///
    /// [`BuildError::Io`] if the folder cannot be read.
    pub fn shim_files(&self, folder: &Path) -> Result<Vec<String>, BuildError> {
        let mut files = Vec::new();
        for pattern in &self.shim.headers {
            files.extend(matching(folder, pattern)?);
        }
        files.extend(self.shim.part.values().flatten().cloned());
        files.push(self.shim.identity.clone());
        Ok(files)
    }

    pub(crate) fn upstream(&self, name: &str) -> Result<&Upstream, BuildError> {
        self.upstream
            .get(name)
            .ok_or_else(|| BuildError::UnknownUpstream {
                upstream: name.to_owned(),
            })
    }

    pub(crate) fn baseline_flags(&self, architecture: &str) -> Result<&[String], BuildError> {
        flags_for(&self.baseline, "baseline", architecture)
    }

    /// The pinned build of `upstream` whose id ends with this name, or that of the first upstream that has one.
    pub(crate) fn build_like(&self, upstream: &str, name: &str) -> Option<&Build> {
        let named = |build: &&Build| build.id.rsplit('/').next() == Some(name);
        let of_upstream = |build: &&Build| build.upstream == upstream;
        let all = || self.build.iter().filter(named);
        all().find(of_upstream).or_else(|| all().next())
    }
}

impl Shim {
    /// The files of the named parts.
    pub(crate) fn parts(&self, names: &[String]) -> Result<Vec<&String>, BuildError> {
        let mut files = Vec::new();
        for name in names {
            files.extend(
                self.part
                    .get(name)
                    .ok_or_else(|| BuildError::UnknownPart { part: name.clone() })?,
            );
        }
        Ok(files)
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
