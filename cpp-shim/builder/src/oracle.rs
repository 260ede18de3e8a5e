//! Plans, compiles and links oracles.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Environment;
use crate::cache::{Cache, Key, write_whole};
use crate::checkout::{Arithmetic, Checkout, CheckoutBuild};
use crate::compiler::Language;
use crate::error::BuildError;
use crate::features;
use crate::libraries::Libraries;
use crate::pattern::matching;
use crate::plan::{FlagSet, Labels, Object, Planner, Toolchain, joined};
use crate::progress::{Event, Report};
use crate::source::{Files, Source, headers, pinned as pinned_source};
use crate::spec::{Spec, Upstream};

/// Exports only the entry point. Without this script the symbols of the C++ runtime would be exported, too.
const VERSION_SCRIPT: &str = "{ global: oracle_entry; local: *; };\n";

/// The parts of the shim for libraries with and without the inference library.
const PARTS: [[&str; 2]; 2] = [["tensors", "no_models"], ["tensors", "models"]];

/// The source of an oracle and how it was compiled. The shared object contains it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Id of the oracle.
    pub id: String,
    /// The project of the source.
    pub upstream: String,
    /// Version of the package, or the commit of a checkout.
    pub version: String,
    /// sha256 of the registry package, of the compiled files of a checkout, or of the linked libraries.
    pub checksum: String,
    /// The package or the folder, for display.
    pub origin: String,
    /// First line of the compilers' `--version`.
    pub compiler: String,
    /// Flags of the files with arithmetic.
    pub flags: Vec<String>,
    /// CPU features that the code needs, with the names of Rust's detection macros.
    pub features: Vec<&'static str>,
    /// Whether candidates must have the same results, bit for bit.
    pub identity: bool,
}

/// A compiled oracle.
#[derive(Debug)]
pub struct Oracle {
    /// The source and how it was compiled.
    pub provenance: Provenance,
    /// The shared object, in the cache.
    pub shared_object: PathBuf,
    /// Hash of the inputs of the shared object, hexadecimal.
    pub key: String,
}

/// What all builds in a cache share.
struct Workshop<'a> {
    environment: &'a Environment,
    spec: &'a Spec,
    toolchain: Toolchain,
    cache: Cache,
    report: &'a Report<'a>,
    /// Hash of the shim's headers.
    headers: String,
}

impl<'a> Workshop<'a> {
    fn open(
        environment: &'a Environment,
        spec: &'a Spec,
        report: &'a Report<'a>,
    ) -> Result<Self, BuildError> {
        let toolchain = Toolchain::find(environment)?;
        let cache = Cache::open(&environment.cache, report)?;
        let mut headers = Key::default();
        for pattern in &spec.shim.headers {
            for file in matching(&environment.shim, pattern)? {
                headers = headers
                    .with(&file)
                    .with_file(&environment.shim.join(file))?;
            }
        }
        Ok(Self {
            environment,
            spec,
            toolchain,
            cache,
            report,
            headers: headers.hex(),
        })
    }

    fn flags<'f>(&self, flags: &'f [String]) -> Result<FlagSet<'f>, BuildError> {
        FlagSet::new(&self.toolchain, flags)
    }

    /// The flags of a build with those of the environment.
    fn all_flags(&self, own: &[String], defines: &[String]) -> Vec<String> {
        let mut flags = self.toolchain.environment_flags();
        flags.extend_from_slice(own);
        flags.extend(defines.iter().map(|define| format!("-D{define}")));
        flags
    }

    /// Folders of upstream's headers.
    fn include(&self, upstream: &Upstream) -> Vec<String> {
        let folders = [&self.spec.layout.include, &upstream.include];
        folders.into_iter().flatten().cloned().collect()
    }

    /// Writes the headers that cmake would generate. Returns their folder and hash.
    fn generate(&self, source: &Source) -> Result<(PathBuf, String), BuildError> {
        let headers = source.generated(&self.spec.layout)?;
        let parts = headers
            .iter()
            .flat_map(|header| [&header.name, &header.text]);
        let hash = Key::default().with_all(parts).hex();
        let folder = self.cache.path(&hash[..16], "include");
        for header in headers {
            let path = folder.join(&header.name);
            fs::create_dir_all(&folder).map_err(BuildError::io("create", &folder))?;
            write_whole(&path, |path| {
                fs::write(path, &header.text).map_err(BuildError::io("write", path))
            })?;
        }
        Ok((folder, hash))
    }

    fn compile(&self, objects: &[Object]) -> Result<(), BuildError> {
        compile(objects, &self.toolchain, self.environment.jobs, self.report)
    }

    fn link(
        &self,
        provenance: Provenance,
        objects: &[Object],
        libraries: &[OsString],
    ) -> Result<Oracle, BuildError> {
        let key = Key::default()
            .with_all(objects.iter().map(|object| &object.key))
            .with_all(libraries.iter().map(|argument| argument.as_encoded_bytes()))
            .with_all(&self.spec.flags.link)
            .with(&provenance.checksum)
            .with(VERSION_SCRIPT)
            .hex();
        let shared_object = self.cache.path(&key, "so");
        if !shared_object.is_file() {
            (self.report)(&Event::Linking {
                label: provenance.id.clone(),
            });
            let script = self.cache.path("exports", "map");
            fs::write(&script, VERSION_SCRIPT).map_err(BuildError::io("write", &script))?;
            let mut flags: Vec<OsString> =
                self.spec.flags.link.iter().map(OsString::from).collect();
            flags.push(joined("-Wl,--version-script=", &script));
            let paths: Vec<PathBuf> = objects.iter().map(|object| object.path.clone()).collect();
            write_whole(&shared_object, |path| {
                self.toolchain
                    .of(Language::Cxx)
                    .link(&paths, libraries, &flags, path)
            })?;
        }
        Ok(Oracle {
            provenance,
            shared_object,
            key,
        })
    }
}

/// Compiles the builds of the specification from the packages that are pinned in `vendor`, and embeds nothing yet.
/// `cargo` unpacks the packages.
///
/// # Errors
///
/// [`BuildError`].
pub fn pinned(
    environment: &Environment,
    vendor: &Path,
    cargo: &str,
    spec: &Spec,
    report: &Report<'_>,
) -> Result<Vec<Oracle>, BuildError> {
    let shop = Workshop::open(environment, spec, report)?;
    let architecture = environment.architecture.as_str();
    let baseline = shop.flags(spec.baseline_flags(architecture)?)?;
    let mut sources = BTreeMap::new();
    let mut planned = Vec::new();
    for build in &spec.build {
        let upstream = spec.upstream(&build.upstream)?;
        if !sources.contains_key(&build.upstream) {
            let pin = upstream.pin.as_ref().ok_or_else(|| BuildError::NotPinned {
                upstream: build.upstream.clone(),
            })?;
            let source = pinned_source(environment, vendor, cargo, pin)?;
            let generated = shop.generate(&source)?;
            sources.insert(build.upstream.clone(), (source, generated));
        }
        let (source, generated) = &sources[&build.upstream];
        let own = build.flags(architecture)?;
        let flags = shop.flags(own)?;
        let provenance = Provenance {
            id: build.id.clone(),
            upstream: build.upstream.clone(),
            version: source.version.clone(),
            checksum: source.checksum.clone(),
            origin: source.origin.clone(),
            compiler: shop.toolchain.version(),
            flags: shop.all_flags(own, &build.defines),
            features: required_features(&[&baseline, &flags], architecture),
            identity: build.identity,
        };
        let of = (!build.generic).then_some(architecture);
        let files = Files::list(&source.root, &spec.layout, upstream, of, true)?;
        let include = shop.include(upstream);
        let planner = Planner {
            environment,
            spec,
            upstream,
            source,
            include: &include,
            generated,
            defines: &build.defines,
            toolchain: &shop.toolchain,
            cache: &shop.cache,
            headers: &shop.headers,
        };
        let labels = Labels {
            build: &build.id,
            upstream: &build.upstream,
        };
        let mut objects = planner.upstream_objects(&files, &flags, &baseline, &labels)?;
        objects.extend(planner.shim_objects(&upstream.shim, &baseline, &provenance, &labels)?);
        planned.push((provenance, objects));
    }

    let all: Vec<Object> = planned
        .iter()
        .flat_map(|(_, objects)| objects.clone())
        .collect();
    shop.compile(&all)?;
    let oracles = planned
        .into_iter()
        .map(|(provenance, objects)| shop.link(provenance, &objects, &[]))
        .collect::<Result<Vec<Oracle>, _>>()?;
    // Group files are in the cache, too.
    let objects = all.iter().flat_map(|object| [&object.path, &object.source]);
    let objects = objects.filter(|path| path.starts_with(&environment.cache));
    let linked = oracles.iter().map(|oracle| &oracle.shared_object);
    shop.cache
        .keep(&environment.target, objects.chain(linked), report);
    Ok(oracles)
}

/// Compiles a checkout, or links the libraries that the user compiled from it.
///
/// # Errors
///
/// [`BuildError`]; [`BuildError::Shim`] if a file of the shim does not compile against its headers.
pub fn checkout(
    environment: &Environment,
    spec: &Spec,
    checkout: &Checkout,
    build: &CheckoutBuild,
    report: &Report<'_>,
) -> Result<Oracle, BuildError> {
    let shop = Workshop::open(environment, spec, report)?;
    let architecture = environment.architecture.as_str();
    let baseline = shop.flags(spec.baseline_flags(architecture)?)?;
    let parts = PARTS[usize::from(checkout.has_models)].map(String::from);
    let labels = Labels {
        build: &build.id,
        upstream: &build.id,
    };
    let mut own = Vec::new();
    let mut defines = Vec::new();
    let mut of = Some(architecture);
    if build.arithmetic == Arithmetic::Native {
        own.extend_from_slice(&spec.native);
    } else if let Some(like) = spec.build_like(&checkout.upstream, build.arithmetic.name()) {
        own.extend_from_slice(like.flags(architecture)?);
        defines.extend_from_slice(&like.defines);
        of = (!like.generic).then_some(architecture);
    }
    own.extend_from_slice(&build.flags);
    let mut provenance = Provenance {
        id: build.id.clone(),
        upstream: checkout.upstream.clone(),
        version: checkout.version(),
        checksum: String::new(),
        origin: checkout.folder.display().to_string(),
        compiler: shop.toolchain.version(),
        flags: shop.all_flags(&own, &defines),
        features: Vec::new(),
        identity: false,
    };
    let no_additions = Upstream::default();
    let (upstream, include, files, libraries) = match &build.libraries {
        Some(folder) => {
            let libraries = Libraries::find(folder, checkout.has_models)?;
            provenance.checksum.clone_from(&libraries.checksum);
            provenance.flags = libraries.names();
            let include = if checkout.has_sources {
                vec!["include".to_owned(), "ggml/include".to_owned()]
            } else {
                vec![String::new()]
            };
            (&no_additions, include, Files::default(), Some(libraries))
        }
        None if !checkout.has_sources => {
            return Err(checkout.without_sources());
        }
        None => {
            let upstream = spec.upstream(&checkout.upstream)?;
            let files = checkout.files(spec, of)?;
            let include = shop.include(upstream);
            provenance.checksum = files.checksum(&checkout.root, &include)?;
            (upstream, include, files, None)
        }
    };
    let flags = shop.flags(&own)?;
    if libraries.is_none() {
        provenance.features = required_features(&[&baseline, &flags], architecture);
    }
    let common = headers(&checkout.root, &include)?;
    let source = checkout.source(provenance.checksum.clone(), common);
    let planner = Planner {
        environment,
        spec,
        upstream,
        source: &source,
        include: &include,
        generated: &shop.generate(&source)?,
        defines: &defines,
        toolchain: &shop.toolchain,
        cache: &shop.cache,
        headers: &shop.headers,
    };
    // The shim first: if it does not compile, nothing else needs to.
    let shim = planner.shim_objects(&parts, &baseline, &provenance, &labels)?;
    shop.compile(&shim).map_err(|cause| match cause {
        cause @ BuildError::Compiler { .. } => BuildError::Shim {
            folder: checkout.folder.clone(),
            cause: Box::new(cause),
        },
        cause => cause,
    })?;
    let plan = |files: &Files| planner.upstream_objects(files, &flags, &baseline, &labels);
    let mut objects = plan(&files)?;
    let mut compiled = shop.compile(&objects);
    if let (Err(BuildError::Compiler { .. }), false) = (&compiled, files.together.is_empty()) {
        // Files of a group may define the same name. Alone they compile, or show the error of one file.
        objects = plan(&files.ungrouped())?;
        compiled = shop.compile(&objects);
    }
    compiled?;
    objects.extend(shim);
    let arguments = libraries.map_or_else(Vec::new, |libraries| libraries.arguments());
    shop.link(provenance, &objects, &arguments)
}

/// CPU features that code compiled with any of the flags may use, in the order of the table.
fn required_features(flags: &[&FlagSet<'_>], architecture: &str) -> Vec<&'static str> {
    let used: Vec<&str> = flags
        .iter()
        .flat_map(|flags| flags.cpu_features(architecture))
        .collect();
    features::of(architecture)
        .iter()
        .map(|(_, feature)| *feature)
        .filter(|feature| used.contains(feature))
        .collect()
}

/// Compiles missing objects on `jobs` threads, the largest sources first.
fn compile(
    objects: &[Object],
    toolchain: &Toolchain,
    jobs: usize,
    report: &Report<'_>,
) -> Result<(), BuildError> {
    let missing: BTreeMap<&str, &Object> = objects
        .iter()
        .filter(|object| !object.path.is_file())
        .map(|object| (object.key.as_str(), object))
        .collect();
    let mut missing: Vec<&Object> = missing.into_values().collect();
    missing.sort_by_key(|object| {
        std::cmp::Reverse(fs::metadata(&object.source).map_or(0, |metadata| metadata.len()))
    });

    let next = AtomicUsize::new(0);
    let failure = Mutex::new(None);
    let work = || {
        while let Some(object) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = compile_one(object, &missing, toolchain, report) {
                // Other objects are likely to fail in the same way. No more are started, and one error is reported.
                next.store(missing.len(), Ordering::Relaxed);
                failure
                    .lock()
                    .unwrap_or_else(|poisoned| poisoned.into_inner())
                    .get_or_insert(error);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(missing.len()) {
            scope.spawn(work);
        }
    });
    failure
        .into_inner()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
        .map_or(Ok(()), Err)
}

fn compile_one(
    object: &Object,
    missing: &[&Object],
    toolchain: &Toolchain,
    report: &Report<'_>,
) -> Result<(), BuildError> {
    let name = object
        .source
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    let position = 1 + missing
        .iter()
        .position(|other| other.key == object.key)
        .unwrap_or(0);
    report(&Event::Compiling {
        label: object.label.clone(),
        file: name.into_owned(),
        position,
        total: missing.len(),
    });
    write_whole(&object.path, |path| {
        toolchain
            .of(object.language)
            .compile(&object.source, &object.arguments, path)
    })
}
