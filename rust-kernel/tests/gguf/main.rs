//! Tests of the GGUF reader and writer with hand-written bytes, with damaged bytes, against each other, and with files
//! written by bitnet.cpp.

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
