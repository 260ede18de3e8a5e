//! The needs of tests with oracles. The tests of the crate `harness` include this file.

use testing::Need;

/// The identity builds, so that every format has an oracle.
pub(crate) const ORACLE: Need = Need {
    name: "oracle",
    check: || {
        let mut identities = cpp_shim::builds()
            .iter()
            .filter(|build| build.provenance().identity)
            .peekable();
        if identities.peek().is_none() {
            return Err("no oracle is compiled in".into());
        }
        let missing = identities.filter_map(|build| {
            let missing = build.availability().err()?;
            Some(format!("{} {missing}", build.id()))
        });
        let missing: Vec<String> = missing.collect();
        if missing.is_empty() {
            return Ok(());
        }
        Err(missing.join("; "))
    },
};
