//! The oracles of this process: the builds that are embedded in the binary, and those that the user added.
//!
//! An added oracle is a folder below the user's cache folder, with the shared object and `oracle.json`.

pub mod known_models;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cpp_shim::{Build, Format, Provenance, Refusal};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::whole_file::WholeFile;

/// Names a folder in place of the user's cache folder.
pub const FOLDER_VARIABLE: &str = "HARNESS_ORACLES";

/// Version of `oracle.json`.
const SCHEMA: u32 = 1;

const RECORD: &str = "oracle.json";
const LIBRARY: &str = "oracle.so";

/// Why an added oracle cannot be read, added or removed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The name is not allowed.
    #[error("`{name}` is no name for an oracle: {reason}")]
    Name {
        /// The name.
        name: String,
        /// The rule.
        reason: &'static str,
    },
    /// There is no folder for added oracles.
    #[error("there is no folder for added oracles: set {FOLDER_VARIABLE}, XDG_CACHE_HOME or HOME")]
    NoFolder,
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The record or the library is damaged or of another version.
    #[error(
        "added oracle {name} cannot be used: {reason}; remove it with `harness oracle remove {name}` and add it again"
    )]
    Damaged {
        /// Name of the oracle.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

/// The record of an added oracle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    schema_version: u32,
    /// Id of the oracle.
    pub name: String,
    /// The project of the source.
    pub upstream: String,
    /// The commit of the source, or its version.
    pub version: String,
    /// sha256 of the compiled files, or of the linked libraries.
    pub checksum: String,
    /// The folder of the source.
    pub source: String,
    /// First line of the compilers' `--version`.
    pub compiler: String,
    /// Flags of the files with arithmetic; the linked libraries, if nothing was compiled.
    pub flags: Vec<String>,
    /// CPU features that the code needs.
    pub instruction_set: Vec<String>,
    /// sha256 of the shared object.
    pub sha256: String,
    /// Whether the user's compiled libraries were linked, and nothing of the source was compiled.
    pub linked: bool,
    /// Whether the oracle opens models.
    pub opens_models: bool,
    /// Types that the oracle claims and that must not be used.
    pub refused: Vec<Refused>,
    /// Whether its known answers were checked. Otherwise only the check may load it.
    pub checked: bool,
}

/// A type that an oracle claims and computes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// Name of the type.
    pub format: String,
    /// What computes it wrong.
    pub by: RefusedBy,
    /// The failed check.
    pub reason: String,
}

/// What computes a type wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusedBy {
    /// Products of tensors.
    Products,
    /// Models with tensors of the type.
    Models,
}

impl Refused {
    /// A type whose products failed the check.
    pub fn of_products(refusal: &Refusal) -> Refused {
        Refused {
            format: refusal.format.to_string(),
            by: RefusedBy::Products,
            reason: refusal.reason.clone(),
        }
    }
}

impl Record {
    /// The record of an oracle that was just compiled and not yet checked.
    pub fn new(
        provenance: &oracle_builder::Provenance,
        linked: bool,
        opens_models: bool,
    ) -> Record {
        Record {
            schema_version: SCHEMA,
            name: provenance.id.clone(),
            upstream: provenance.upstream.clone(),
            version: provenance.version.clone(),
            checksum: provenance.checksum.clone(),
            source: provenance.origin.clone(),
            compiler: provenance.compiler.clone(),
            flags: provenance.flags.clone(),
            instruction_set: provenance
                .features
                .iter()
                .map(ToString::to_string)
                .collect(),
            sha256: String::new(),
            linked,
            opens_models,
            refused: Vec::new(),
            checked: false,
        }
    }

    /// The build in `library`. Strings are leaked: an oracle stays until the end of the process.
    pub fn build(&self, library: PathBuf) -> Build {
        let text = |text: &String| -> &'static str { text.clone().leak() };
        let texts = |texts: &[String]| -> &'static [&'static str] {
            texts.iter().map(text).collect::<Vec<_>>().leak()
        };
        let provenance = Provenance {
            id: text(&self.name),
            upstream: text(&self.upstream),
            version: text(&self.version),
            checksum: text(&self.checksum),
            source: text(&self.source),
            compiler: text(&self.compiler),
            flags: texts(&self.flags),
            instruction_set: texts(&self.instruction_set),
            identity: false,
        };
        let products = self
            .refused
            .iter()
            .filter(|refused| refused.by == RefusedBy::Products);
        let refusal = |refused: &Refused| Refusal {
            format: Format::named(&refused.format),
            reason: refused.reason.clone(),
        };
        let refused = products.map(refusal).collect();
        // SAFETY: the builder compiled the library from the shim's sources for these features, and the types whose
        // check crashes or fails are refused. The user vouches for the code of the checkout by adding it.
        unsafe { Build::in_file(provenance, library, refused) }
    }
}

/// The arithmetic of an oracle, as opposed to other code for the same products in its upstream.
pub fn arithmetic(id: &str) -> &'static str {
    if record(id).is_some_and(|record| record.linked) {
        "that of the linked libraries; flash attention off"
    } else {
        "plain: no llamafile, no BLAS, no repacked weights, no tiled products; flash attention off"
    }
}

/// An added oracle.
pub struct Added {
    /// The record.
    pub record: Record,
    /// The build.
    pub build: Build,
}

/// The folder of added oracles.
///
/// # Errors
///
/// [`StoreError::NoFolder`].
pub fn folder() -> Result<PathBuf, StoreError> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(folder) = variable(FOLDER_VARIABLE) {
        return Ok(folder.into());
    }
    let cache = match variable("XDG_CACHE_HOME") {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(variable("HOME").ok_or(StoreError::NoFolder)?).join(".cache"),
    };
    Ok(cache.join("harness").join("oracles"))
}

/// The added oracles, sorted by name, read on the first call. Damaged ones are errors.
pub fn added() -> &'static [Result<Added, StoreError>] {
    static ADDED: OnceLock<Vec<Result<Added, StoreError>>> = OnceLock::new();
    ADDED.get_or_init(|| folder().map_or_else(|_| Vec::new(), |folder| read_all(&folder)))
}

fn read_all(folder: &Path) -> Vec<Result<Added, StoreError>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
    names.retain(|name| folder.join(name).join(RECORD).is_file());
    names.sort();
    names.iter().map(|name| read(folder, name)).collect()
}

fn read(folder: &Path, name: &str) -> Result<Added, StoreError> {
    let damaged = |reason: String| StoreError::Damaged {
        name: name.to_owned(),
        reason,
    };
    let folder = folder.join(name);
    let text = fs::read_to_string(folder.join(RECORD))
        .map_err(|error| damaged(format!("{RECORD}: {error}")))?;
    let record: Record =
        serde_json::from_str(&text).map_err(|error| damaged(format!("{RECORD}: {error}")))?;
    if record.schema_version != SCHEMA {
        let found = record.schema_version;
        return Err(damaged(format!(
            "{RECORD} has version {found}, must be {SCHEMA}"
        )));
    }
    if record.name != name {
        return Err(damaged(format!("its record is of `{}`", record.name)));
    }
    let library = folder.join(LIBRARY);
    let sha256 = sha256(&library).map_err(|error| damaged(error.to_string()))?;
    if sha256 != record.sha256 {
        return Err(damaged(format!("{LIBRARY} was changed after it was added")));
    }
    let build = record.build(library);
    Ok(Added { record, build })
}

/// All usable builds, the embedded ones first.
pub fn all() -> impl Iterator<Item = &'static Build> {
    let added = added()
        .iter()
        .flatten()
        .filter(|added| added.record.checked);
    cpp_shim::builds()
        .iter()
        .chain(added.map(|added| &added.build))
}

/// The added oracles that cannot be used, with the reason.
pub fn damaged() -> impl Iterator<Item = &'static StoreError> {
    added().iter().filter_map(|added| added.as_ref().err())
}

/// The record of an added oracle.
pub fn record(id: &str) -> Option<&'static Record> {
    let mut records = added().iter().flatten().map(|added| &added.record);
    records.find(|record| record.name == id)
}

/// The build with this id, also if it was not checked. None if there is none.
///
/// # Errors
///
/// The reason, if an added oracle of this name is damaged.
pub fn find(id: &str) -> Result<Option<&'static Build>, &'static StoreError> {
    let added = added().iter().flatten().map(|added| &added.build);
    let mut builds = cpp_shim::builds().iter().chain(added);
    if let Some(build) = builds.find(|build| build.id() == id) {
        return Ok(Some(build));
    }
    let is_of_id =
        |error: &&StoreError| matches!(error, StoreError::Damaged { name, .. } if name == id);
    damaged().find(is_of_id).map_or(Ok(None), Err)
}

/// The reason why an oracle must not run models with tensors of a type, if there is one.
pub fn refused_model(id: &str, format: &str) -> Option<&'static str> {
    let mut refused = record(id)?.refused.iter();
    let refused = refused.find(|refused| refused.format.eq_ignore_ascii_case(format))?;
    Some(&refused.reason)
}

/// Whether a name can be that of an added oracle.
///
/// # Errors
///
/// [`StoreError::Name`].
pub fn require_name(name: &str) -> Result<(), StoreError> {
    let refused = |reason| {
        Err(StoreError::Name {
            name: name.to_owned(),
            reason,
        })
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || name.starts_with(['.', '-']) || !name.chars().all(is_plain) {
        return refused(
            "it must have letters, digits, `.`, `_` and `-`, and start with a letter or a digit",
        );
    }
    if name == crate::participant::Forward::ID {
        return refused("the forward pass in Rust has this id");
    }
    Ok(())
}

/// Stores an oracle: copies the library, and writes the record last, so that an interrupted copy is no oracle.
///
/// # Errors
///
/// [`StoreError::Io`] and [`StoreError::NoFolder`].
pub fn store(record: &mut Record, library: &Path) -> Result<PathBuf, StoreError> {
    let folder = folder()?.join(&record.name);
    let io = |path: &Path| {
        let path = path.to_path_buf();
        move |source| StoreError::Io { path, source }
    };
    fs::create_dir_all(&folder).map_err(io(&folder))?;
    let (to, json) = (folder.join(LIBRARY), folder.join(RECORD));
    if json.exists() {
        fs::remove_file(&json).map_err(io(&json))?;
    }
    // The library may be loaded: a running process keeps the old file.
    let partial = folder.join("oracle.partial");
    fs::copy(library, &partial).map_err(io(&partial))?;
    fs::rename(&partial, &to).map_err(io(&to))?;
    record.sha256 = sha256(&to).map_err(io(&to))?;
    update(record)?;
    Ok(folder)
}

/// Replaces the record of a stored oracle.
///
/// # Errors
///
/// As [`store`].
pub fn update(record: &Record) -> Result<(), StoreError> {
    let json = folder()?.join(&record.name).join(RECORD);
    let text = serde_json::to_string_pretty(record).expect("a record has no maps with other keys");
    let write = || {
        let mut file = WholeFile::create(&json)?;
        file.write_all((text + "\n").as_bytes())?;
        file.finish()
    };
    write().map_err(|source| StoreError::Io {
        path: json.clone(),
        source,
    })
}

/// Removes an added oracle. Returns whether there was one.
///
/// # Errors
///
/// [`StoreError::Io`] and [`StoreError::NoFolder`].
pub fn remove(name: &str) -> Result<bool, StoreError> {
    require_name(name)?;
    let folder = folder()?.join(name);
    if !folder.join(RECORD).exists() && !folder.join(LIBRARY).exists() {
        return Ok(false);
    }
    match fs::remove_dir_all(&folder) {
        Ok(()) => Ok(true),
        Err(source) => Err(StoreError::Io {
            path: folder,
            source,
        }),
    }
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut hash = Sha256::new();
    io::copy(&mut fs::File::open(path)?, &mut hash)?;
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
