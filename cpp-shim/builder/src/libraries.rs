//! Libraries that the user compiled, for linking in place of sources.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::cache::Key;
use crate::error::BuildError;
use crate::plan::joined;

/// Libraries in the order of linking: each needs the ones after it.
const NAMES: [&str; 4] = ["llama", "ggml", "ggml-cpu", "ggml-base"];

/// Folders of a build or an installation in which cmake puts libraries.
const FOLDERS: [&str; 8] = [
    "",
    "bin",
    "lib",
    "lib64",
    "src",
    "ggml/src",
    "ggml/src/ggml-cpu",
    "lib/x86_64-linux-gnu",
];

/// Static libraries need the runtime of OpenMP if they call it.
const OPENMP: &[u8] = b"GOMP_parallel";

/// Libraries in a folder.
pub(crate) struct Libraries {
    files: Vec<PathBuf>,
    needs_openmp: bool,
    pub(crate) checksum: String,
}

impl Libraries {
    /// Finds the libraries below `folder`; without `with_models`, those of ggml alone.
    pub(crate) fn find(folder: &Path, with_models: bool) -> Result<Libraries, BuildError> {
        let folder = folder
            .canonicalize()
            .map_err(BuildError::io("open", folder))?;
        let mut files = Vec::new();
        for name in NAMES.iter().filter(|name| with_models || **name != "llama") {
            let candidates = FOLDERS.iter().flat_map(|part| {
                ["so", "a"].map(|end| folder.join(part).join(format!("lib{name}.{end}")))
            });
            files.extend(candidates.into_iter().find(|file| file.is_file()));
        }
        let has = |name: &str| {
            files
                .iter()
                .any(|file| file.file_stem() == Some(name.as_ref()))
        };
        let missing = match (with_models && !has("libllama"), has("libggml")) {
            (true, _) => Some("libllama"),
            (_, false) => Some("libggml"),
            _ => None,
        };
        if let Some(missing) = missing {
            return Err(BuildError::Library {
                folder,
                missing: missing.to_owned(),
            });
        }
        let mut key = Key::default();
        let mut needs_openmp = false;
        for file in &files {
            let bytes = fs::read(file).map_err(BuildError::io("read", file))?;
            let is_static = file.extension() == Some("a".as_ref());
            needs_openmp |= is_static && bytes.windows(OPENMP.len()).any(|part| part == OPENMP);
            key = key.with(bytes);
        }
        Ok(Libraries {
            files,
            needs_openmp,
            checksum: key.hex(),
        })
    }

    /// The arguments of the linker.
    pub(crate) fn arguments(&self) -> Vec<OsString> {
        let mut arguments = vec!["-Wl,--start-group".into()];
        arguments.extend(self.files.iter().map(OsString::from));
        arguments.push("-Wl,--end-group".into());
        for folder in self.files.iter().filter_map(|file| file.parent()) {
            arguments.push(joined("-Wl,-rpath,", folder));
        }
        if self.needs_openmp {
            arguments.push("-fopenmp".into());
        }
        arguments.extend(["-ldl", "-lm"].map(OsString::from));
        arguments
    }

    /// Names of the files, for display.
    pub(crate) fn names(&self) -> Vec<String> {
        self.files
            .iter()
            .map(|file| file.display().to_string())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_found_in_the_folders_of_a_build() {
        let folder = tempfile::tempdir().unwrap();
        let write = |file: &str, bytes: &str| {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        let find = |with_models| Libraries::find(folder.path(), with_models);
        let missing = |with_models| find(with_models).err().unwrap().to_string();
        assert!(missing(true).contains("libllama"), "{}", missing(true));
        assert!(missing(false).contains("libggml"), "{}", missing(false));

        write("ggml/src/libggml.a", "calls GOMP_parallel");
        write("ggml/src/libggml-cpu.a", "");
        let ggml = find(false).unwrap();
        assert_eq!(ggml.files.len(), 2);
        assert!(ggml.needs_openmp);

        write("bin/libllama.so", "");
        write("bin/libggml.so", "");
        let all = find(true).unwrap();
        let names: Vec<_> = all
            .files
            .iter()
            .map(|file| file.file_name().unwrap())
            .collect();
        assert_eq!(names, ["libllama.so", "libggml.so", "libggml-cpu.a"]);
        assert!(!all.needs_openmp);
        assert_ne!(all.checksum, ggml.checksum);
    }
}
