//! Every mutant is diagnosed with its own cause, and other faults are not misnamed.

mod common;

use std::collections::BTreeSet;

use common::IDENTITY;
use common::oracles::references;
use harness::case::{Case, Input};
use harness::cause::{Cause, Fault};
use harness::diagnose::{Diagnosed, Diagnosis};
use harness::finding::{Finding, Observed};
use harness::implementation::{Implementation, ImplementationError};
use harness::mutant::{Evaluator, Hooks, MUTANTS, Mutant};
use harness::participant::{Candidate, KernelImplementation, Participants};
use qk256::format::{Format, I2_S_GROUP128, QK256, Storage, StorageVariant, TQ1_0, TQ2_0, Weights};
use rayon::prelude::*;
use testing::test;

fn cause(implementation: &dyn Implementation, format: &'static Format) -> Option<Cause> {
    Diagnosed::of(implementation, format).cause(None)
}

fn with_hooks(format: &'static Format, hooks: Hooks) -> Option<Cause> {
    cause(&Evaluator::new("unlisted", format, hooks), format)
}

/// The probes alone, without levels or an oracle, diagnose every mutant in every format and explain all wrong results.
#[test]
fn every_mutant_is_diagnosed_with_its_parameters() {
    let planted: Vec<(&Mutant, Candidate)> = MUTANTS
        .iter()
        .flat_map(|mutant| {
            mutant
                .candidates()
                .map(move |candidate| (mutant, candidate))
        })
        .collect();
    let wrong: Vec<String> = planted
        .par_iter()
        .filter_map(|(mutant, candidate)| {
            let found = cause(candidate.implementation.as_ref(), candidate.format);
            let declared = mutant.fault_in(candidate.format.id);
            let right = |found: &Cause| found.fault == declared && found.is_whole();
            (!found.as_ref().is_some_and(right)).then(|| {
                format!(
                    "{}: {found:?}, not {declared:?}",
                    candidate.implementation.id()
                )
            })
        })
        .collect();
    assert_eq!(wrong, [""; 0], "{}", wrong.join("\n"));
}

/// The name of a fault's kind in receipts.
fn kind(fault: &Fault) -> String {
    let json = serde_json::to_value(fault).expect("a fault becomes JSON");
    json["kind"].as_str().expect("faults are tagged").to_owned()
}

/// Every kind of cause must have a mutant that tests it.
#[test]
fn faults_survive_json_and_have_different_texts() {
    let faults: Vec<Fault> = MUTANTS
        .iter()
        .flat_map(|mutant| mutant.formats.iter().map(|format| (mutant.fault)(format)))
        .collect();
    let kinds: BTreeSet<String> = faults.iter().map(kind).collect();
    // Slots in no known layout and operations of models are in other tests.
    assert_eq!(kinds.len(), 18, "{kinds:?}");
    for fault in &faults {
        let cause = Cause {
            implementation: "an implementation".into(),
            fault: fault.clone(),
            only_in: None,
            explained: 3,
            wrong: 4,
        };
        let json = serde_json::to_string(&cause).unwrap();
        assert_eq!(
            serde_json::from_str::<Cause>(&json).unwrap(),
            cause,
            "{json}"
        );
        assert!(cause.to_string().contains("explains 3 of 4 wrong results"));
    }
    let texts: BTreeSet<String> = faults.iter().map(Fault::to_string).collect();
    let distinct = faults
        .iter()
        .map(|fault| serde_json::to_string(fault).unwrap());
    assert_eq!(texts.len(), distinct.collect::<BTreeSet<_>>().len());
}

#[test]
fn right_implementations_have_no_cause() {
    for format in [&I2_S_GROUP128, &TQ2_0, &TQ1_0] {
        assert_eq!(with_hooks(format, Hooks::RIGHT), None, "{}", format.id);
    }
    let kernels = qk256::kernel::all().iter();
    for kernel in kernels.filter(|kernel| kernel.availability().is_ok()) {
        let implementation = KernelImplementation::new(kernel);
        let diagnosed = Diagnosed::of(&implementation, kernel.format());
        assert_eq!(diagnosed.wrong(), 0, "{}", kernel.id());
        assert_eq!(diagnosed.cause(None), None, "{}", kernel.id());
    }
}

/// A fault that no kind describes has no name, even if it resembles a kind.
#[test]
fn unlisted_faults_are_not_misnamed() {
    const RIGHT: Hooks = Hooks::RIGHT;
    let others: [(&str, Hooks); 5] = [
        (
            "odd rows off by one",
            Hooks {
                code: |weights, row, col| {
                    let code = weights.code(row, col.min(weights.cols() - 1));
                    if row % 2 == 1 && col == 7 {
                        code ^ 1
                    } else {
                        code
                    }
                },
                ..RIGHT
            },
        ),
        (
            "a scale with an offset",
            Hooks {
                scale: |weights, index| weights.scale(index) + 0.5,
                ..RIGHT
            },
        ),
        (
            "the scale's magnitude alone, squared",
            Hooks {
                scale: |weights, index| weights.scale(index) * weights.scale(index),
                ..RIGHT
            },
        ),
        (
            "sums that saturate",
            Hooks {
                lane: |sum| sum.clamp(-32768, 32767),
                ..RIGHT
            },
        ),
        (
            "products of large activations lose their last bit",
            Hooks {
                term: |raw, a| raw * i64::from(a) / 2 * 2,
                ..RIGHT
            },
        ),
    ];
    for (name, hooks) in others {
        for format in [&I2_S_GROUP128, &TQ2_0] {
            let implementation = Evaluator::new("unlisted", format, hooks);
            let diagnosed = Diagnosed::of(&implementation, format);
            assert!(
                diagnosed.wrong() > 0,
                "{name} in {} shows nothing",
                format.id
            );
            assert_eq!(diagnosed.cause(None), None, "{name} in {}", format.id);
            let case = Case {
                format,
                variant: format.native_variant(),
                ..dots_case(4, QK256)
            };
            let case = Case {
                scales: vec![1.0; case.storage().map_or(0, |storage| storage.scale_count())],
                ..case
            };
            assert_eq!(
                diagnosed.cause(Some(&case)),
                None,
                "{name} in {}",
                format.id
            );
        }
    }
}

/// Parameters of faults are measured and are no constants of the mutants.
#[test]
fn parameters_of_faults_are_measured() {
    let fault = |hooks| with_hooks(&I2_S_GROUP128, hooks).map(|cause| cause.fault);
    const RIGHT: Hooks = Hooks::RIGHT;
    let ratio = Hooks {
        scale: |weights, index| -0.375 * weights.scale(index),
        ..RIGHT
    };
    assert_eq!(fault(ratio), Some(Fault::ScaleRatio { ratio: -0.375 }));
    let late = Hooks {
        scale: |weights, index| match weights.storage().scale_offset() {
            Some(at) => f32::from_le_bytes(std::array::from_fn(|i| weights.bytes()[at + 1 + i])),
            None => weights.scale(index),
        },
        ..RIGHT
    };
    assert_eq!(fault(late), Some(Fault::ScaleDisplaced { bytes: 1 }));
    let third = Hooks {
        place: |product, batch, row| (row != 3).then_some(batch * product.rows + row),
        ..RIGHT
    };
    let zeroed = fault(third);
    assert!(
        matches!(
            zeroed,
            Some(Fault::RowsZeroed {
                first: 3,
                every: None,
                ..
            })
        ),
        "{zeroed:?}"
    );
    let reversed = Hooks {
        place: |product, batch, row| Some((product.batch - 1 - batch) * product.rows + row),
        ..RIGHT
    };
    let order = vec![2, 1, 0];
    assert_eq!(fault(reversed), Some(Fault::BatchPermuted { order }));
    let short = Hooks {
        columns: |storage| storage.cols() / 512 * 512,
        ..RIGHT
    };
    let dropped = fault(short);
    assert!(
        matches!(
            dropped,
            Some(Fault::ColumnsDropped {
                run: 512,
                last_run: false,
                ..
            })
        ),
        "{dropped:?}"
    );
    let swapped = Hooks {
        code: |weights, row, col| weights.code(row, (col ^ 2).min(weights.cols() - 1)),
        ..RIGHT
    };
    match fault(swapped) {
        Some(Fault::Slots { displaced, first }) => {
            assert_eq!((displaced, first.len()), (256, 4));
            assert_eq!(first[0].weight, 0);
            assert_eq!(first[0].read, "byte 2, shift 6");
            assert_eq!(first[0].declared, "byte 0, shift 6");
        }
        other => panic!("{other:?}"),
    }
}

/// An implementation with two faults: each finding has the one that explains its own case, and the cause contains how
/// many results it leaves unexplained.
#[test]
fn a_finding_gets_the_cause_of_its_own_case() {
    let hooks = Hooks {
        place: |product, batch, row| (row % 128 != 127).then_some(batch * product.rows + row),
        lane: |sum| i64::from(sum as i16),
        ..Hooks::RIGHT
    };
    let implementation = Evaluator::new("twofold", &I2_S_GROUP128, hooks);
    let diagnosed = Diagnosed::of(&implementation, &I2_S_GROUP128);
    let wrapping = dots_case(1, 2304);
    let found = diagnosed.cause(Some(&wrapping)).expect("a cause");
    assert!(
        matches!(found.fault, Fault::AccumulatorWraps { bits: 16, .. }),
        "{found}"
    );
    assert!(!found.is_whole(), "{found}");
    let tall = dots_case(128, QK256);
    let found = diagnosed.cause(Some(&tall)).expect("a cause");
    assert!(
        matches!(found.fault, Fault::RowsZeroed { first: 127, .. }),
        "{found}"
    );
    assert_eq!(
        diagnosed.cause(Some(&dots_case(1, QK256))),
        None,
        "nothing is wrong there"
    );
}

/// An implementation that is right in one operation and wrong in the other.
struct Half {
    dots: Box<dyn Implementation>,
    products: Box<dyn Implementation>,
}

impl Implementation for Half {
    fn id(&self) -> &str {
        "half"
    }

    fn defined_on(&self, storage: &Storage) -> Result<(), ImplementationError> {
        self.dots.defined_on(storage)
    }

    fn dots(
        &self,
        weights: &Weights<'_>,
        a: &[i8],
        out: &mut [i64],
    ) -> Result<(), ImplementationError> {
        self.dots.dots(weights, a, out)
    }

    fn products(
        &self,
        weights: &Weights<'_>,
        activations: &[f32],
        threads: usize,
        out: &mut [f32],
    ) -> Result<(), ImplementationError> {
        self.products.products(weights, activations, threads, out)
    }

    fn quantize(&self, storage: &Storage, values: &[f32]) -> Result<Vec<u8>, ImplementationError> {
        self.dots.quantize(storage, values)
    }
}

/// Kernels have one path for dots and another for products. A fault in only one of them is found, with its extent.
#[test]
fn a_fault_in_one_operation_is_found_there() {
    let right = |format| Box::new(Evaluator::new("right", format, Hooks::RIGHT));
    let mut found = BTreeSet::new();
    for mutant in MUTANTS {
        let format = mutant.formats[0];
        let declared = (mutant.fault)(format);
        let wrong = || mutant.candidates().next().expect("a format").implementation;
        let halves = [
            (
                "products",
                right(format) as Box<dyn Implementation>,
                wrong(),
            ),
            ("dots", wrong(), right(format)),
        ];
        for (operation, dots, products) in halves {
            let half = Half { dots, products };
            let diagnosed = Diagnosed::of(&half, format);
            let Some(cause) = diagnosed.cause(None) else {
                assert_eq!(diagnosed.wrong(), 0, "{operation} of {}", mutant.name);
                continue;
            };
            // A wrapping product occurs only in the longest row.
            assert_eq!(kind(&cause.fault), kind(&declared), "{operation}: {cause}");
            assert!(cause.is_whole(), "{cause}");
            if let Some(only_in) = cause.only_in {
                assert_eq!(
                    only_in.operation.as_deref(),
                    Some(operation),
                    "{}",
                    mutant.name
                );
                found.insert((operation, mutant.name));
            }
        }
    }
    // The others are in steps that only one operation has.
    let of = |operation| found.iter().filter(|(of, _)| *of == operation).count();
    assert_eq!((of("products"), of("dots")), (12, 12), "{found:?}");
}

/// An implementation with one path for small batches and another for large ones.
struct TwoPaths {
    few: Box<dyn Implementation>,
    many: Box<dyn Implementation>,
}

impl TwoPaths {
    /// Largest number of activation rows in a small batch.
    const FEW: usize = 3;

    fn path(&self, weights: &Weights<'_>, activations: usize) -> &dyn Implementation {
        let path = if activations <= TwoPaths::FEW * weights.cols() {
            &self.few
        } else {
            &self.many
        };
        path.as_ref()
    }
}

impl Implementation for TwoPaths {
    fn id(&self) -> &str {
        "two-paths"
    }

    fn defined_on(&self, storage: &Storage) -> Result<(), ImplementationError> {
        self.few.defined_on(storage)
    }

    fn dots(
        &self,
        weights: &Weights<'_>,
        a: &[i8],
        out: &mut [i64],
    ) -> Result<(), ImplementationError> {
        self.path(weights, a.len()).dots(weights, a, out)
    }

    fn products(
        &self,
        weights: &Weights<'_>,
        activations: &[f32],
        threads: usize,
        out: &mut [f32],
    ) -> Result<(), ImplementationError> {
        self.path(weights, activations.len())
            .products(weights, activations, threads, out)
    }
}

/// Kernels have one path for small batches and another for large ones. A fault in only one of them is found, with its
/// extent.
#[test]
fn a_fault_in_one_path_is_found_there() {
    let named = [
        "values-3-1-1-3",
        "sequential-unpack",
        "last-block-dropped",
        "tail-dropped",
    ];
    let mutants: Vec<&Mutant> = MUTANTS
        .iter()
        .filter(|mutant| named.contains(&mutant.name))
        .collect();
    assert_eq!(mutants.len(), named.len());
    for mutant in mutants {
        let format = mutant.formats[0];
        let right = || Box::new(Evaluator::new("right", format, Hooks::RIGHT));
        let wrong = || mutant.candidates().next().expect("a format").implementation;
        let paths = [
            (wrong(), right() as Box<dyn Implementation>, true),
            (right(), wrong(), false),
        ];
        for (few, many, is_few) in paths {
            let cause = cause(&TwoPaths { few, many }, format);
            let cause = cause.unwrap_or_else(|| panic!("{}: nothing is named", mutant.name));
            assert_eq!(cause.fault, mutant.fault_in(format.id), "{cause}");
            let only_in = cause.only_in.as_ref().expect("one path alone");
            // Tails are only tried with batches of 2 and 5.
            let found = (only_in.least_batch, only_in.most_batch);
            let right = match found {
                (None, Some(most)) => is_few && (3..5).contains(&most),
                (Some(least), None) => !is_few && (3..=5).contains(&least),
                _ => false,
            };
            assert!(right, "{}: {cause}", mutant.name);
            assert!(cause.is_whole(), "{cause}");
        }
    }
}

/// If two faults affect the same results, one is named with the results that it explains alone.
#[test]
fn one_of_two_faults_is_a_partial_cause() {
    let hooks = Hooks {
        raw: |_, code| 2 * i64::from(code) - 2,
        scale: |weights, index| 3.0 * weights.scale(index),
        ..Hooks::RIGHT
    };
    let implementation = Evaluator::new("twofold", &I2_S_GROUP128, hooks);
    let case = Case {
        codes: vec![0; QK256],
        ..dots_case(1, QK256)
    };
    let found = Diagnosed::of(&implementation, &I2_S_GROUP128).cause(Some(&case));
    let found = found.expect("a cause");
    let values = vec![-3, -1, 1, 3];
    let declared = vec![-1, 0, 1, 2];
    assert_eq!(found.fault, Fault::Codebook { values, declared });
    assert!(!found.is_whole(), "{found}");
}

/// A case with all codes 2 and all activations 127.
fn dots_case(rows: usize, cols: usize) -> Case {
    Case {
        format: &I2_S_GROUP128,
        variant: StorageVariant::Qk256,
        rows,
        cols,
        batch: 1,
        threads: 1,
        shift: [0, 0],
        codes: vec![2; rows * cols],
        scales: vec![1.0],
        input: Input::Codes(vec![127; cols]),
    }
}

/// The known defect of the oracle is named where the oracle is wrong.
#[test(needs(IDENTITY))]
fn a_wrong_oracle_is_diagnosed() {
    let participants = Participants {
        references: references(),
        candidates: Candidate::kernels(|kernel| kernel.id() == "i2_s.group128.scalar"),
        engines: Vec::new(),
        upstream: None,
    };
    let strict = participants.references[0].implementation.id().to_owned();
    let finding = Finding {
        attribution: harness::verdict::Attribution::ReferenceWrong,
        ..Finding::new(
            String::new(),
            String::new(),
            Observed::from(0i64),
            Observed::from(0i64),
            &harness::rerun::Rerun::of_level(harness::levels::Level::Tensor),
        )
    };
    let mut diagnosis = Diagnosis::new(&participants);
    let case = dots_case(1, 2176);
    let found = diagnosis.of_case(&finding, "i2_s.group128.scalar", &strict, &case);
    let found = found.expect("a cause");
    assert_eq!(found.implementation, strict);
    let wraps = Fault::AccumulatorWraps {
        bits: 16,
        cols: 2176,
        difference: -16 * 65536,
    };
    assert_eq!(found.fault, wraps, "{found}");
}

fn main() -> std::process::ExitCode {
    testing::main()
}
