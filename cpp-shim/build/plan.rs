//! The objects of a build and the inputs of each object.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Environment;
use crate::cache::{Cache, Key};
use crate::compiler::{Compiler, Language, Macros};
use crate::error::BuildError;
use crate::oracle::Provenance;
use crate::source::Source;
use crate::spec::{Build, Spec, Upstream};

/// One file to compile with one set of flags.
#[derive(Clone)]
pub(crate) struct Object {
    pub(crate) label: String,
    pub(crate) source: PathBuf,
    pub(crate) language: Language,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) path: PathBuf,
    pub(crate) key: String,
}

pub(crate) struct Toolchain {
    c: Compiler,
    cxx: Compiler,
}

impl Toolchain {
    pub(crate) fn find() -> Result<Self, BuildError> {
        Ok(Self {
            c: Compiler::find(Language::C)?,
            cxx: Compiler::find(Language::Cxx)?,
        })
    }

    pub(crate) fn of(&self, language: Language) -> &Compiler {
        match language {
            Language::C => &self.c,
            Language::Cxx => &self.cxx,
        }
    }

    pub(crate) fn version(&self) -> String {
        let (c, cxx) = (self.c.version(), self.cxx.version());
        if c == cxx {
            c.to_owned()
        } else {
            format!("{c}, {cxx}")
        }
    }

    /// Flags from the environment, for either language.
    pub(crate) fn environment_flags(&self) -> Vec<String> {
        let mut flags: Vec<String> = self.c.environment_flags().collect();
        for flag in self.cxx.environment_flags() {
            if !flags.contains(&flag) {
                flags.push(flag);
            }
        }
        flags
    }
}

/// A set of flags with the macros that the compilers predefine for it.
pub(crate) struct FlagSet<'a> {
    flags: &'a [String],
    c_macros: Macros,
    cxx_macros: Macros,
}

impl<'a> FlagSet<'a> {
    pub(crate) fn new(toolchain: &Toolchain, flags: &'a [String]) -> Result<Self, BuildError> {
        Ok(Self {
            flags,
            c_macros: toolchain.c.macros(flags)?,
            cxx_macros: toolchain.cxx.macros(flags)?,
        })
    }

    /// CPU features that the code may use, in either language.
    pub(crate) fn cpu_features(&self, architecture: &str) -> Vec<&'static str> {
        let mut features = self.c_macros.cpu_features(architecture);
        features.extend(self.cxx_macros.cpu_features(architecture));
        features
    }

    fn macros(&self, language: Language) -> &Macros {
        match language {
            Language::C => &self.c_macros,
            Language::Cxx => &self.cxx_macros,
        }
    }
}

/// The common inputs of all objects of one build.
pub(crate) struct Planner<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) spec: &'a Spec,
    pub(crate) upstream: &'a Upstream,
    pub(crate) source: &'a Source,
    pub(crate) toolchain: &'a Toolchain,
    pub(crate) cache: &'a Cache,
    /// Hash of the shim's headers.
    pub(crate) headers: &'a str,
}

impl Planner<'_> {
    fn upstream_object(
        &self,
        file: &str,
        flags: &FlagSet<'_>,
        label: &str,
    ) -> Result<Object, BuildError> {
        let identity = Key::default().with(&self.source.checksum).with(file);
        Ok(self.object(self.source.root.join(file), identity, flags, &[], label))
    }

    fn shim_object(
        &self,
        file: &str,
        flags: &FlagSet<'_>,
        defines: &[OsString],
        label: &str,
    ) -> Result<Object, BuildError> {
        let path = self.environment.shim.join(file);
        let identity = Key::default()
            .with(&self.source.checksum)
            .with(file)
            .with(self.headers)
            .with_file(&path)?;
        Ok(self.object(path, identity, flags, defines, label))
    }

    fn object(
        &self,
        source: PathBuf,
        identity: Key,
        flags: &FlagSet<'_>,
        defines: &[OsString],
        label: &str,
    ) -> Object {
        let language = Language::of(&source);
        let compiler = self.toolchain.of(language);
        let common = &self.spec.flags;
        let standard = if language == Language::C {
            &common.c
        } else {
            &common.cxx
        };
        let mut arguments: Vec<OsString> = common
            .all
            .iter()
            .chain(standard)
            .map(OsString::from)
            .collect();
        if language == Language::Cxx && compiler.is_gnu() {
            arguments.extend(common.gnu_cxx.iter().map(OsString::from));
        }
        arguments.extend(
            self.upstream
                .defines
                .iter()
                .map(|define| format!("-D{define}").into()),
        );
        arguments.extend(flags.flags.iter().map(OsString::from));
        arguments.extend_from_slice(defines);
        let key = compiler
            .key(flags.macros(language))
            .with(identity.hex())
            .with(&self.environment.target)
            .with_all(&self.upstream.include)
            .with_all(arguments.iter().map(|argument| argument.as_encoded_bytes()))
            .hex();
        // Paths of folders are not part of the key. They must not be in the object either; messages of assertions
        // contain __FILE__.
        let shim = &self.environment.shim;
        arguments.extend(
            self.spec
                .shim
                .include
                .iter()
                .map(|folder| include(shim, folder)),
        );
        arguments.extend(
            self.upstream
                .include
                .iter()
                .map(|folder| include(&self.source.root, folder)),
        );
        arguments.push(prefix_map(&self.source.root, &self.upstream.package));
        arguments.push(prefix_map(shim, "cpp-shim"));
        Object {
            label: label.to_owned(),
            path: self.cache.path(&key, "o"),
            source,
            language,
            arguments,
            key,
        }
    }

    /// The objects of a build, in link order.
    pub(crate) fn objects(
        &self,
        build: &Build,
        flags: &FlagSet<'_>,
        baseline: &FlagSet<'_>,
        provenance: &Provenance,
    ) -> Result<Vec<Object>, BuildError> {
        let mut objects = Vec::new();
        for file in &self.upstream.arithmetic {
            objects.push(self.upstream_object(file, flags, &build.id)?);
        }
        for file in &self.upstream.neutral {
            objects.push(self.upstream_object(file, baseline, &build.upstream)?);
        }
        for file in &self.spec.shim.neutral {
            objects.push(self.shim_object(file, baseline, &[], &build.upstream)?);
        }
        let defines = identity_defines(provenance);
        let identity = &self.spec.shim.identity;
        objects.push(self.shim_object(identity, baseline, &defines, &build.id)?);
        Ok(objects)
    }
}

fn include(root: &Path, folder: &str) -> OsString {
    joined("-I", &root.join(folder))
}

fn prefix_map(folder: &Path, name: &str) -> OsString {
    let mut flag = joined("-ffile-prefix-map=", folder);
    flag.push(format!("={name}"));
    flag
}

pub(crate) fn joined(option: &str, path: &Path) -> OsString {
    let mut flag = OsString::from(option);
    flag.push(path);
    flag
}

/// The provenance as string macros, for the file that implements `describe`.
fn identity_defines(provenance: &Provenance) -> Vec<OsString> {
    [
        ("ID", provenance.id.clone()),
        ("UPSTREAM", provenance.upstream.clone()),
        ("VERSION", provenance.version.clone()),
        ("CHECKSUM", provenance.checksum.clone()),
        ("COMPILER", provenance.compiler.clone()),
        ("FLAGS", provenance.flags.join(" ")),
        ("INSTRUCTION_SET", provenance.features.join(" ")),
    ]
    .into_iter()
    .map(|(name, value)| {
        let literal = value.replace('\\', "\\\\").replace('"', "\\\"");
        format!("-DORACLE_{name}=\"{literal}\"").into()
    })
    .collect()
}
