//! Oracles are isolated: each exports one symbol, and several can be loaded in one process.

mod common;

use common::{ORACLE, oracles};
use cpp_shim::{Oracle, builds};
use object::read::elf::ElfFile64;
use object::{Endianness, Object, ObjectSymbol};
use testing::test;

/// Names of the exported symbols.
fn exported(image: &[u8]) -> Vec<String> {
    let file = ElfFile64::<Endianness>::parse(image).unwrap();
    file.dynamic_symbols()
        .filter(|symbol| !symbol.is_undefined())
        .filter(|symbol| !symbol.is_local())
        .map(|symbol| symbol.name().unwrap().to_owned())
        .collect()
}

#[cfg(feature = "vendored")]
#[test]
fn the_oracles_are_compiled_in() {
    let ids: Vec<&str> = builds().iter().map(|build| build.id()).collect();
    assert_eq!(
        ids,
        [
            "bitnet.cpp/strict",
            "bitnet.cpp/fma",
            "llama.cpp/strict",
            "llama.cpp/fma",
            "llama.cpp/scalar"
        ]
    );
}

/// The same sources must give the same results on every machine, because pages, snapshots and baselines contain them.
#[test]
fn no_build_depends_on_the_machine_that_compiles_it() {
    for build in builds() {
        let flags = build.provenance().flags;
        let asks_the_machine = |flag: &&&str| flag.ends_with("=native");
        let flag = flags.iter().find(asks_the_machine);
        assert_eq!(flag, None, "{} is compiled with it", build.id());
    }
}

#[test]
fn one_symbol_is_exported() {
    for build in builds() {
        assert_eq!(
            exported(build.image().unwrap()),
            ["oracle_entry"],
            "{}",
            build.id()
        );
    }
}

#[test]
fn the_cxx_runtime_is_linked_in() {
    for build in builds() {
        // The image contains the names of needed libraries as strings.
        let names = String::from_utf8_lossy(build.image().unwrap());
        for runtime in ["libstdc++.so", "libgcc_s.so"] {
            assert!(!names.contains(runtime), "{} needs {runtime}", build.id());
        }
        assert!(
            names.contains("libc.so"),
            "the test looks in the wrong place"
        );
    }
}

#[test]
fn the_image_names_no_folder_of_the_machine() {
    for build in builds() {
        let image = String::from_utf8_lossy(build.image().unwrap());
        for folder in [env!("CARGO_MANIFEST_DIR"), "/registry/src/"] {
            assert!(!image.contains(folder), "{} contains {folder}", build.id());
        }
    }
}

#[test]
fn ids_are_unique() {
    let mut ids: Vec<&str> = builds().iter().map(|build| build.id()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), builds().len());
}

#[test(needs(ORACLE))]
fn all_live_side_by_side() {
    let oracles = oracles();
    for (oracle, build) in oracles
        .iter()
        .zip(builds().iter().filter(|build| build.availability().is_ok()))
    {
        // Both would have the same id if the linker had treated them as one library.
        assert_eq!(oracle.description().id, build.id());
    }
    for pair in oracles.windows(2) {
        let of = |oracle: &Oracle| {
            let description = oracle.description();
            (description.version.clone(), description.checksum.clone())
        };
        let same = pair[0].description().upstream == pair[1].description().upstream;
        assert_eq!(of(&pair[0]) == of(&pair[1]), same);
        assert_ne!(pair[0].description().flags, pair[1].description().flags);
    }
}

#[test(needs(ORACLE))]
fn loading_again_gives_the_same_oracle() {
    for build in builds().iter().filter(|build| build.availability().is_ok()) {
        let (first, second) = (build.load().unwrap(), build.load().unwrap());
        assert!(std::ptr::eq(first.description(), second.description()));
    }
}

fn main() -> std::process::ExitCode {
    testing::main()
}
