//! Builds one shared object for each build of the specification.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Environment;
use crate::cache::{Cache, Key, write_whole};
use crate::compiler::Language;
use crate::error::BuildError;
use crate::features;
use crate::plan::{FlagSet, Object, Planner, Toolchain, joined};
use crate::progress::Progress;
use crate::source::Source;
use crate::spec::Spec;

/// Exports only the entry point. Without this script the symbols of the C++ runtime would be exported, too.
const VERSION_SCRIPT: &str = "{ global: oracle_entry; local: *; };\n";

/// The properties of a build. The generated table and the shared object both contain them.
pub(crate) struct Provenance {
    pub(crate) id: String,
    pub(crate) upstream: String,
    pub(crate) version: String,
    pub(crate) checksum: String,
    pub(crate) origin: String,
    pub(crate) compiler: String,
    pub(crate) flags: Vec<String>,
    pub(crate) features: Vec<&'static str>,
}

pub(crate) struct Oracle {
    pub(crate) provenance: Provenance,
    pub(crate) shared_object: PathBuf,
    /// Hash of the inputs of the shared object.
    pub(crate) key: String,
}

/// Compiles objects that are not in the cache, and links every build.
pub(crate) fn build_all(environment: &Environment, spec: &Spec) -> Result<Vec<Oracle>, BuildError> {
    let progress = Progress::new();
    let toolchain = Toolchain::find()?;
    let cache = Cache::open(&environment.out_dir, &progress)?;
    let headers = spec
        .shim
        .headers
        .iter()
        .try_fold(Key::default(), |key, file| {
            key.with_file(&environment.shim.join(file))
        })?
        .hex();
    let baseline = FlagSet::new(&toolchain, spec.baseline_flags(&environment.architecture)?)?;

    let mut sources = BTreeMap::new();
    let mut planned = Vec::new();
    for build in &spec.build {
        let upstream = spec.upstream_of(build)?;
        if !sources.contains_key(&build.upstream) {
            let source = Source::locate(environment, upstream)?;
            sources.insert(build.upstream.clone(), source);
        }
        let source = &sources[&build.upstream];
        let own = build.flags(&environment.architecture)?;
        let flags = FlagSet::new(&toolchain, own)?;
        let mut all_flags = toolchain.environment_flags();
        all_flags.extend_from_slice(own);
        let provenance = Provenance {
            id: build.id.clone(),
            upstream: build.upstream.clone(),
            version: source.version.clone(),
            checksum: source.checksum.clone(),
            origin: source.origin.clone(),
            compiler: toolchain.version(),
            flags: all_flags,
            features: required_features(&[&baseline, &flags], &environment.architecture),
        };
        let planner = Planner {
            environment,
            spec,
            upstream,
            source,
            toolchain: &toolchain,
            cache: &cache,
            headers: &headers,
        };
        let objects = planner.objects(build, &flags, &baseline, &provenance)?;
        planned.push((provenance, objects));
    }

    let all: Vec<Object> = planned
        .iter()
        .flat_map(|(_, objects)| objects.clone())
        .collect();
    compile(&all, &toolchain, environment.jobs, &progress)?;
    let oracles = planned
        .into_iter()
        .map(|(provenance, objects)| {
            link(provenance, &objects, spec, &toolchain, &cache, &progress)
        })
        .collect::<Result<Vec<Oracle>, _>>()?;
    let objects = all.iter().map(|object| &object.path);
    let linked = oracles.iter().map(|oracle| &oracle.shared_object);
    cache.keep(&environment.target, objects.chain(linked), &progress);
    Ok(oracles)
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
    progress: &Progress,
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
            if let Err(error) = compile_one(object, &missing, toolchain, progress) {
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
    progress: &Progress,
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
    progress.print(&format!(
        "oracle {}: compiling {name} ({position}/{})",
        object.label,
        missing.len()
    ));
    write_whole(&object.path, |path| {
        toolchain
            .of(object.language)
            .compile(&object.source, &object.arguments, path)
    })
}

fn link(
    provenance: Provenance,
    objects: &[Object],
    spec: &Spec,
    toolchain: &Toolchain,
    cache: &Cache,
    progress: &Progress,
) -> Result<Oracle, BuildError> {
    let key = Key::default()
        .with_all(objects.iter().map(|object| &object.key))
        .with_all(&spec.flags.link)
        .with(VERSION_SCRIPT)
        .hex();
    let shared_object = cache.path(&key, "so");
    if !shared_object.is_file() {
        progress.print(&format!("oracle {}: linking", provenance.id));
        let script = cache.path("exports", "map");
        fs::write(&script, VERSION_SCRIPT).map_err(BuildError::io("write", &script))?;
        let mut flags: Vec<OsString> = spec.flags.link.iter().map(OsString::from).collect();
        flags.push(joined("-Wl,--version-script=", &script));
        let paths: Vec<PathBuf> = objects.iter().map(|object| object.path.clone()).collect();
        write_whole(&shared_object, |path| {
            toolchain.of(Language::Cxx).link(&paths, &flags, path)
        })?;
    }
    Ok(Oracle {
        provenance,
        shared_object,
        key,
    })
}
