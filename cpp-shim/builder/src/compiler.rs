//! The C and C++ compilers. The `cc` crate finds them. This module runs them, so that it can show their messages.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Environment;
use crate::cache::Key;
use crate::error::{BuildError, first_error, tail};
use crate::features;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Language {
    C,
    Cxx,
}

impl Language {
    /// The language of a file by its extension: `.c` is C, all others are C++.
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
    /// Finds a compiler with the `cc` crate. It respects CC, CXX, CFLAGS and CXXFLAGS with their target-specific forms.
    /// In a build script, it registers them with cargo.
    pub(crate) fn find(language: Language, environment: &Environment) -> Result<Self, BuildError> {
        let tool = cc::Build::new()
            .target(&environment.target)
            .host(&environment.host)
            .opt_level(0)
            .cargo_metadata(std::env::var_os("OUT_DIR").is_some())
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

    /// Flags from the environment. They precede those of the specification.
    pub(crate) fn environment_flags(&self) -> impl Iterator<Item = String> {
        let flags = self
            .tool
            .args()
            .iter()
            .map(|flag| flag.to_string_lossy().into_owned());
        // The `cc` crate adds this flag for `warnings(false)`, which disables the warnings of upstream code.
        flags.filter(|flag| flag != "-w")
    }

    /// The predefined macros of the compiler with `flags`. The instruction set is derived from them.
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

    /// A hash of all properties of the compiler that affect its output.
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
        libraries: &[OsString],
        flags: &[OsString],
        shared: &Path,
    ) -> Result<(), BuildError> {
        let mut command = self.tool.to_command();
        command
            .args(objects)
            .args(libraries)
            .args(flags)
            .arg("-o")
            .arg(shared);
        run(&mut command, || format!("linking {}", shared.display())).map(drop)
    }
}

/// Predefined macros, as `#define NAME VALUE` lines.
pub(crate) struct Macros(String);

impl Macros {
    /// CPU features that the compiler may use, with the names of Rust's detection macros.
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
    // Errors quote the messages of the compiler, so their language should not vary.
    let outcome = command.env("LC_ALL", "C").stdin(Stdio::null()).output();
    let failed = |status: String, first: Option<String>, output: String| BuildError::Compiler {
        what: what(),
        status,
        first,
        command: in_shell(command),
        output,
    };
    match outcome {
        Ok(output) if output.status.success() => Ok(output.stdout),
        Ok(output) => Err(failed(
            output.status.to_string(),
            first_error(&output.stderr),
            tail(&output.stderr),
        )),
        Err(error) => Err(failed(
            "it did not start".into(),
            None,
            format!("    {error}"),
        )),
    }
}

/// Number of objects of a link command that are shown.
const SHOWN_OBJECTS: usize = 3;

/// The command, quoted for a shell. Most objects of a link command are left out.
fn in_shell(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    let mut objects = 0usize;
    for argument in command.get_args() {
        let word = argument.to_string_lossy();
        objects = if word.ends_with(".o") { objects + 1 } else { 0 };
        match objects.checked_sub(SHOWN_OBJECTS + 1) {
            Some(0) => words.push("...".into()),
            Some(_) => {}
            None if word.contains(['"', ' ', '\'']) => words.push(format!("'{word}'")),
            None => words.push(word.into_owned()),
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
