//! `harness bench` without a model: times kernels, one row for each case.

use qk256::kernel::{self, Kernel};

use super::BenchArgs;
use crate::bench::Bench;
use crate::bench::plan::FORMATS;
use crate::bench::report::Report;
use crate::cli::select::{kernel_of, oracle_infos};
use crate::cli::{CliError, style};
use crate::receipt::OracleInfo;

/// Times the kernels, and returns the oracles that they were compared with.
pub(super) fn time(args: &BenchArgs) -> Result<(Report, Vec<OracleInfo>), CliError> {
    let kernels = kernels(&args.kernel_ids)?;
    let mut oracles = args.oracles.load()?;
    oracles.references.retain(|reference| reference.compared);
    let infos = oracle_infos(&oracles.references);
    let bench = Bench {
        references: oracles.references,
        kernels,
        threads: args.threads(),
        extent: args.extent(),
        omitted: oracles.omitted,
        progress: style::progress(),
    };
    Ok((bench.run()?, infos))
}

/// The fastest kernel of each format and the requested ones.
fn kernels(ids: &[String]) -> Result<Vec<&'static Kernel>, CliError> {
    let mut kernels: Vec<&Kernel> = FORMATS.iter().map(|format| kernel::best(format)).collect();
    for id in ids {
        let kernel = kernel_of(id)?;
        kernel
            .availability()
            .map_err(|missing| CliError::Setup(format!("kernel {id}: {missing}")))?;
        if kernels.iter().all(|known| known.id() != kernel.id()) {
            kernels.push(kernel);
        }
    }
    Ok(kernels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn kernels_are_the_fastest_and_the_requested_ones_once() {
        let fastest = kernels(&[]).unwrap();
        assert_eq!(fastest.len(), FORMATS.len());
        let again = kernels(&[fastest[0].id().into(), "i2_s.group64.scalar".into()]).unwrap();
        assert_eq!(again.len(), FORMATS.len() + 1);
        let error = kernels(&["i2_s.group128.abacus".into()]).unwrap_err();
        assert_eq!(error.exit(), Exit::Usage);
    }
}
