//! The needs of tests with oracles. The tests of the crate `harness` include this file.

use testing::Need;

/// An oracle that this CPU can run.
pub(crate) const ORACLE: Need = Need {
    name: "oracle",
    check: || {
        let builds = cpp_shim::builds();
        if builds.iter().any(|build| build.availability().is_ok()) {
            return Ok(());
        }
        let missing = builds.iter().filter_map(|build| {
            let missing = build.availability().err()?;
            Some(format!("{} {missing}", build.id()))
        });
        let missing: Vec<String> = missing.collect();
        Err(if missing.is_empty() {
            "no oracle is compiled in".into()
        } else {
            missing.join("; ")
        })
    },
};
