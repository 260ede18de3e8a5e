use std::fs;

use super::*;

const SPEC: &str = include_str!("../../../../vendor/oracles.toml");

/// A folder with these empty files.
fn tree(files: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for file in files {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }
    folder
}

fn inspect(files: &[&str]) -> Result<Checkout, String> {
    let folder = tree(files);
    let spec = Spec::parse(SPEC).unwrap();
    Checkout::inspect(folder.path(), &spec).map_err(|error| error.to_string())
}

#[test]
fn upstreams_are_recognized() {
    let today = inspect(&[
        "ggml/src/ggml.c",
        "ggml/src/ggml-cpu/ggml-cpu.c",
        "include/llama.h",
    ]);
    let today = today.unwrap();
    assert_eq!(today.upstream, "llama.cpp");
    assert!(today.has_sources && today.has_models && today.split_cpu);

    let ik = inspect(&[
        "ggml/src/ggml.c",
        "ggml/src/iqk/iqk_mul_mat.h",
        "include/llama.h",
    ])
    .unwrap();
    assert_eq!(ik.upstream, "ik_llama.cpp");
    assert!(!ik.split_cpu);

    let bitnet = inspect(&[
        "include/ggml-bitnet.h",
        "3rdparty/llama.cpp/ggml/src/ggml.c",
    ])
    .unwrap();
    assert_eq!(bitnet.upstream, "bitnet.cpp");
    assert!(bitnet.root.ends_with("3rdparty/llama.cpp") && !bitnet.has_models);

    let installed = inspect(&["include/ggml.h", "include/ggml-cpu.h", "lib/libggml.so"]).unwrap();
    assert!(!installed.has_sources && !installed.has_models && installed.split_cpu);
}

#[test]
fn what_a_folder_lacks_is_said() {
    for (files, said) in [
        (&["README.md"][..], "neither ggml/src/ggml.c"),
        (&["ggml.c", "ggml.h", "llama.cpp"], "before June 2024"),
        (
            &["src/ggml.c", "include/x.h"],
            "without llama.cpp around it",
        ),
        (&["3rdparty/llama.cpp/.keep"], "git submodule update --init"),
    ] {
        let error = inspect(files).unwrap_err();
        assert!(error.contains(said), "{error}");
    }
    let spec = Spec::parse(SPEC).unwrap();
    let error = Checkout::inspect(Path::new("/no/such/folder"), &spec).unwrap_err();
    assert!(error.to_string().contains("cannot be opened"), "{error}");
}

#[test]
fn files_of_other_backends_are_left_out() {
    let files = [
        "ggml/src/ggml.c",
        "ggml/src/ggml-alloc.c",
        "ggml/src/ggml-vulkan.cpp",
        "ggml/src/ggml-cpu/ops.cpp",
        "ggml/src/ggml-cpu/arch/x86/quants.c",
        "ggml/src/ggml-cpu/arch/x86/cpu-feats.cpp",
        "ggml/src/ggml-cpu/arch/arm/quants.c",
        "ggml/src/ggml-cpu/llamafile/sgemm.cpp",
        "include/llama.h",
        "src/llama.cpp",
        "src/models/a.cpp",
        "src/models/b.cpp",
    ];
    let folder = tree(&files);
    let spec = Spec::parse(SPEC).unwrap();
    let checkout = Checkout::inspect(folder.path(), &spec).unwrap();
    let found = checkout.files(&spec, Some("x86_64")).unwrap();
    let cpu = ["ggml/src/ggml.c", "ggml/src/ggml-cpu/ops.cpp"];
    let x86 = "ggml/src/ggml-cpu/arch/x86/quants.c";
    assert_eq!(found.arithmetic, [cpu[0], cpu[1], x86]);
    assert_eq!(found.neutral, ["ggml/src/ggml-alloc.c", "src/llama.cpp"]);
    assert_eq!(found.together, [["src/models/a.cpp", "src/models/b.cpp"]]);
    assert_eq!(checkout.files(&spec, None).unwrap().arithmetic, cpu);
}
