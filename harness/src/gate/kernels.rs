//! Criterion: the kernels of the baseline ran.

use super::{Case, Point, Status};
use crate::baseline::Entry;

pub(super) fn judge(case: &Case<'_>) -> Vec<Point> {
    let targets = case.baseline.targets.iter();
    let kernels =
        targets.flat_map(|(arch, target)| target.kernels.iter().map(move |id| (arch, id)));
    kernels.map(|(arch, id)| point(case, arch, id)).collect()
}

fn point(case: &Case<'_>, arch: &str, id: &str) -> Point {
    let what = format!("{id} on {arch}");
    let now = case.now.targets.get(arch);
    if now.is_some_and(|target| target.kernels.contains(id)) {
        return Point::new(what, Status::Passed, "");
    }
    match case.unavailable(arch, Entry::Kernel(id)) {
        Some(reason) => Point::new(what, Status::NotHere, reason),
        None => {
            let why = format!(
                "did not run, although a machine has all required features; `harness check --kernel {id} --receipt \
                 FILE` runs it"
            );
            Point::new(what, Status::Failed, why)
        }
    }
}
