//! The objects of a build and the inputs of each object.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Environment;
use crate::cache::{Cache, Key, write_whole};
use crate::compiler::{Compiler, Language, Macros};
use crate::error::BuildError;
use crate::oracle::Provenance;
use crate::source::{Files, Source};
use crate::spec::{Spec, Upstream};

/// The standard of C++ that the shim needs.
const MIN_CXX: u32 = 17;

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
    pub(crate) fn find(environment: &Environment) -> Result<Self, BuildError> {
        Ok(Self {
            c: Compiler::find(Language::C, environment)?,
            cxx: Compiler::find(Language::Cxx, environment)?,
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
    /// Folders of upstream's headers, relative to the root of the source.
    pub(crate) include: &'a [String],
    /// The folder of generated headers and their hash.
    pub(crate) generated: &'a (PathBuf, String),
    /// Macros of the files with arithmetic that only this build has.
    pub(crate) defines: &'a [String],
    pub(crate) toolchain: &'a Toolchain,
    pub(crate) cache: &'a Cache,
    /// Hash of the shim's headers.
    pub(crate) headers: &'a str,
}

/// The objects of a build share labels: the build for its own files, the upstream for files of all its builds.
pub(crate) struct Labels<'a> {
    pub(crate) build: &'a str,
    pub(crate) upstream: &'a str,
}

impl Planner<'_> {
    fn upstream_object(
        &self,
        file: &str,
        flags: &FlagSet<'_>,
        defines: &[String],
        label: &str,
    ) -> Result<Object, BuildError> {
        let path = self.source.root.join(file);
        let identity = Key::default()
            .with(&self.source.common)
            .with(file)
            .with_file(&path)?;
        let defines: Vec<OsString> = defines.iter().map(|name| define(name)).collect();
        Ok(self.object(path, identity, flags, &defines, label))
    }

    /// Several files, compiled as one.
    fn group_object(
        &self,
        files: &[String],
        flags: &FlagSet<'_>,
        label: &str,
    ) -> Result<Object, BuildError> {
        let mut identity = Key::default().with(&self.source.common).with_all(files);
        for file in files {
            identity = identity.with_file(&self.source.root.join(file))?;
        }
        let first = files.first().map(String::as_str).unwrap_or_default();
        let name = format!("{}-files-from-{}", files.len(), first.replace('/', "-"));
        let path = self.cache.path(&identity.clone().hex()[..16], &name);
        let lines: Vec<String> = files
            .iter()
            .map(|file| format!("#include \"{file}\"\n"))
            .collect();
        write_whole(&path, |path| {
            std::fs::write(path, lines.concat()).map_err(BuildError::io("write", path))
        })?;
        let mut object = self.object(path, identity, flags, &[], label);
        // The files are included by their path from the root, and include headers beside them.
        object.arguments.push(include(&self.source.root, ""));
        Ok(object)
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
            .with(&self.source.common)
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
        if let (Language::Cxx, Some(standard)) = (language, self.source.cxx_standard()) {
            arguments.push(format!("-std=gnu++{}", standard.max(MIN_CXX)).into());
        }
        let of_layout = self.source.defines(&self.spec.layout);
        let defined = of_layout.iter().chain(&self.upstream.defines);
        arguments.extend(defined.map(|name| define(name)));
        arguments.extend(flags.flags.iter().map(OsString::from));
        arguments.extend_from_slice(defines);
        let key = compiler
            .key(flags.macros(language))
            .with(identity.hex())
            .with(&self.environment.target)
            .with_all(self.include)
            .with(&self.generated.1)
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
        arguments.push(joined("-I", &self.generated.0));
        arguments.extend(
            self.include
                .iter()
                .map(|folder| include(&self.source.root, folder)),
        );
        arguments.push(prefix_map(&self.source.root, &self.source.name));
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

    /// The objects of upstream, in link order.
    pub(crate) fn upstream_objects(
        &self,
        files: &Files,
        flags: &FlagSet<'_>,
        baseline: &FlagSet<'_>,
        labels: &Labels<'_>,
    ) -> Result<Vec<Object>, BuildError> {
        let mut objects = Vec::new();
        for file in &files.arithmetic {
            objects.push(self.upstream_object(file, flags, self.defines, labels.build)?);
        }
        for file in &files.inactive {
            objects.push(self.upstream_object(file, baseline, self.defines, labels.build)?);
        }
        for file in &files.neutral {
            objects.push(self.upstream_object(file, baseline, &[], labels.upstream)?);
        }
        for group in &files.together {
            objects.push(self.group_object(group, baseline, labels.upstream)?);
        }
        Ok(objects)
    }

    /// The objects of these parts of the shim, in link order.
    pub(crate) fn shim_objects(
        &self,
        parts: &[String],
        baseline: &FlagSet<'_>,
        provenance: &Provenance,
        labels: &Labels<'_>,
    ) -> Result<Vec<Object>, BuildError> {
        let mut objects = Vec::new();
        for file in self.spec.shim.parts(parts)? {
            objects.push(self.shim_object(file, baseline, &[], labels.upstream)?);
        }
        let defines = identity_defines(provenance);
        let identity = &self.spec.shim.identity;
        objects.push(self.shim_object(identity, baseline, &defines, labels.build)?);
        Ok(objects)
    }
}

fn define(name: &str) -> OsString {
    format!("-D{name}").into()
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
