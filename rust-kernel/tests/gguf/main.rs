//! The GGUF reader and writer: against bytes laid out by hand, against damaged and hostile bytes,
//! against each other, and against files that bitnet.cpp wrote.

mod allocation;
#[path = "../../fuzz/src/lib.rs"]
#[expect(
    unreachable_pub,
    reason = "a library of its own, public for the fuzz targets"
)]
mod fuzz;
mod hostile;
mod malformed;
mod malformed_tensors;
mod raw;
mod reading;
mod real_files;
mod round_trip;
mod writer;

fn main() -> std::process::ExitCode {
    testing::main()
}
