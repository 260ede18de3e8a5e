//! The C and C++ compilers: found by the `cc` crate, run here so that their messages can be shown.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cache::Key;
use crate::error::{BuildError, tail};
use crate::features;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    C,
    Cxx,
}

impl Language {
    /// By the file's extension: `.c` is C, everything else C++.
    pub(crate) fn of(file: &Path) -> Self {
        if file.extension().is_some_and(|extension| extension == "c") {
            Self::C
        } else {
            Self::Cxx
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::C => "C",
            Self::Cxx => "C++",
        }
    }
}

pub(crate) struct Compiler {
    tool: cc::Tool,
    language: Language,
    /// First line of `--version`.
    version: String,
}

impl Compiler {
    /// Asks the `cc` crate, which honours CC, CXX, CFLAGS and CXXFLAGS with their target-specific
    /// forms and tells cargo to watch them.
    pub(crate) fn find(language: Language) -> Result<Self, BuildError> {
        let tool = cc::Build::new()
            .cpp(language == Language::Cxx)
            .no_default_flags(true)
            .inherit_rustflags(false)
            .cargo_warnings(false)
            .warnings(false)
            .extra_warnings(false)
            .try_get_compiler()
            .map_err(|error| no_compiler(language, "", &error.to_string()))?;
        let program = tool.path().display().to_string();
        let output = tool
            .to_command()
            .arg("--version")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| no_compiler(language, &program, &error.to_string()))?;
        let version = String::from_utf8_lossy(&output.stdout);
        match version.lines().next() {
            Some(line) if output.status.success() => Ok(Self {
                version: line.trim().to_owned(),
                tool,
                language,
            }),
            _ => Err(no_compiler(language, &program, &tail(&output.stderr))),
        }
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn is_gnu(&self) -> bool {
        self.tool.is_like_gnu() && !self.tool.is_like_clang()
    }

    /// Flags that the environment adds, in front of ours.
    pub(crate) fn environment_flags(&self) -> impl Iterator<Item = String> {
        let flags = self
            .tool
            .args()
            .iter()
            .map(|flag| flag.to_string_lossy().into_owned());
        // The `cc` crate's own, for `warnings(false)`: upstream's warnings are not ours to fix.
        flags.filter(|flag| flag != "-w")
    }

    /// The macros that the compiler predefines under `flags`. They tell the instruction set.
    pub(crate) fn macros(&self, flags: &[String]) -> Result<Macros, BuildError> {
        let mut command = self.tool.to_command();
        let language = if self.language == Language::C {
            "c"
        } else {
            "c++"
        };
        command
            .args(flags)
            .args(["-dM", "-E", "-x", language, "/dev/null"]);
        let output = run(&mut command, || {
            "asking the compiler for its macros".to_owned()
        })?;
        Ok(Macros(String::from_utf8_lossy(&output).into_owned()))
    }

    /// Everything about the compiler that its output depends on.
    pub(crate) fn key(&self, macros: &Macros) -> Key {
        Key::default()
            .with(self.language.name())
            .with(&self.version)
            .with_all(self.tool.args().iter().map(|flag| flag.as_encoded_bytes()))
            .with(&macros.0)
    }

    pub(crate) fn compile(
        &self,
        source: &Path,
        flags: &[OsString],
        object: &Path,
    ) -> Result<(), BuildError> {
        let mut command = self.tool.to_command();
        command
            .args(flags)
            .arg("-c")
            .arg(source)
            .arg("-o")
            .arg(object);
        run(&mut command, || format!("compiling {}", source.display())).map(drop)
    }

    pub(crate) fn link(
        &self,
        objects: &[PathBuf],
        flags: &[OsString],
        shared: &Path,
    ) -> Result<(), BuildError> {
        let mut command = self.tool.to_command();
        command.args(objects).args(flags).arg("-o").arg(shared);
        run(&mut command, || format!("linking {}", shared.display())).map(drop)
    }
}

/// Predefined macros, as `#define NAME VALUE` lines.
pub(crate) struct Macros(String);

impl Macros {
    /// CPU features that the compiler may use, by the names that Rust detects them by.
    pub(crate) fn cpu_features(&self, architecture: &str) -> Vec<&'static str> {
        let defined: Vec<&str> = self
            .0
            .lines()
            .filter_map(|line| line.split_whitespace().nth(1))
            .collect();
        features::of(architecture)
            .iter()
            .filter(|(name, _)| defined.contains(name))
            .map(|(_, feature)| *feature)
            .collect()
    }
}

fn run(command: &mut Command, what: impl Fn() -> String) -> Result<Vec<u8>, BuildError> {
    // The messages are quoted in ours: ask for them in one language.
    let outcome = command.env("LC_ALL", "C").stdin(Stdio::null()).output();
    let failed = |status: String, said: String| BuildError::Compiler {
        what: what(),
        status,
        command: in_shell(command),
        said,
    };
    match outcome {
        Ok(output) if output.status.success() => Ok(output.stdout),
        Ok(output) => Err(failed(output.status.to_string(), tail(&output.stderr))),
        Err(error) => Err(failed("it did not start".into(), format!("    {error}"))),
    }
}

/// The command as it can be pasted into a shell.
fn in_shell(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    for argument in command.get_args() {
        let word = argument.to_string_lossy();
        if word.contains(['"', ' ', '\'']) {
            words.push(format!("'{word}'"));
        } else {
            words.push(word.into_owned());
        }
    }
    words.join(" ")
}

fn no_compiler(language: Language, program: &str, reason: &str) -> BuildError {
    BuildError::NoCompiler {
        language: language.name(),
        program: program.to_owned(),
        reason: reason.trim().to_owned(),
        variable: if language == Language::C { "CC" } else { "CXX" },
    }
}
