//! Every planted mistake gets its own cause, and whatever is no such mistake gets none.

mod common;

use std::collections::BTreeSet;

use common::FOLLOWED;
use harness::case::{Case, Input};
use harness::cause::{Cause, Fault};
use harness::diagnose::{Examination, Examinations};
use harness::finding::{Finding, Observed};
use harness::implementation::{Implementation, SideError};
use harness::mistaken::{Evaluator, Hooks, MISTAKES, Mistake};
use harness::side::{Candidate, KernelSide, OracleSide, Reference, Sides};
use qk256::format::{Flavour, Format, I2_S_GROUP128, QK256, Storage, TQ1_0, TQ2_0, Weights};
use rayon::prelude::*;
use testing::test;

fn cause(side: &dyn Implementation, format: &'static Format) -> Option<Cause> {
    Examination::of(side, format).cause(None)
}

fn with_hooks(format: &'static Format, hooks: Hooks) -> Option<Cause> {
    cause(&Evaluator::new("unlisted", format, hooks), format)
}

/// The exam alone, without a ladder or an oracle, names every mistake in every format, and explains all that is wrong.
#[test]
fn every_planted_mistake_is_named_to_the_figure() {
    let planted: Vec<(&Mistake, Candidate)> = MISTAKES
        .iter()
        .flat_map(|mistake| {
            mistake
                .candidates()
                .map(move |candidate| (mistake, candidate))
        })
        .collect();
    let wrong: Vec<String> = planted
        .par_iter()
        .filter_map(|(mistake, candidate)| {
            let found = cause(candidate.side.as_ref(), candidate.format);
            let declared = mistake.fault_in(candidate.format.id);
            let right = |found: &Cause| found.fault == declared && found.is_whole();
            (!found.as_ref().is_some_and(right))
                .then(|| format!("{}: {found:?}, not {declared:?}", candidate.side.id()))
        })
        .collect();
    assert_eq!(wrong, [""; 0], "{}", wrong.join("\n"));
}

/// The name of a fault's kind, as receipts show it.
fn kind(fault: &Fault) -> String {
    let json = serde_json::to_value(fault).expect("a fault becomes JSON");
    json["kind"].as_str().expect("faults are tagged").to_owned()
}

/// A kind of cause without a mistake that has it would be believed untried.
#[test]
fn faults_survive_json_and_say_different_things() {
    let faults: Vec<Fault> = MISTAKES
        .iter()
        .flat_map(|mistake| mistake.formats.iter().map(|format| (mistake.fault)(format)))
        .collect();
    let kinds: BTreeSet<String> = faults.iter().map(kind).collect();
    // Of all faults, slots in no known layout are planted by another test, and operations in models.
    assert_eq!(kinds.len(), 18, "{kinds:?}");
    for fault in &faults {
        let cause = Cause {
            side: "a side".into(),
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
fn the_right_have_no_cause() {
    for format in [&I2_S_GROUP128, &TQ2_0, &TQ1_0] {
        assert_eq!(with_hooks(format, Hooks::RIGHT), None, "{}", format.id);
    }
    let kernels = qk256::kernel::all().iter();
    for kernel in kernels.filter(|kernel| kernel.availability().is_ok()) {
        let side = KernelSide::new(kernel);
        let examination = Examination::of(&side, kernel.format());
        assert_eq!(examination.wrong(), 0, "{}", kernel.id());
        assert_eq!(examination.cause(None), None, "{}", kernel.id());
    }
}

/// What no kind describes gets no name, however near it is to one.
#[test]
fn what_is_no_listed_fault_is_not_misnamed() {
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
            let side = Evaluator::new("unlisted", format, hooks);
            let examination = Examination::of(&side, format);
            assert!(
                examination.wrong() > 0,
                "{name} in {} shows nothing",
                format.id
            );
            assert_eq!(examination.cause(None), None, "{name} in {}", format.id);
            let case = Case {
                format,
                flavour: format.native_flavour(),
                ..dots_case(4, QK256)
            };
            let case = Case {
                scales: vec![1.0; case.storage().map_or(0, |storage| storage.scale_count())],
                ..case
            };
            assert_eq!(
                examination.cause(Some(&case)),
                None,
                "{name} in {}",
                format.id
            );
        }
    }
}

/// Figures follow what is wrong and are no constants of the planted mistakes.
#[test]
fn figures_are_measured() {
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

/// A side with two faults: each finding gets the one that explains its own case, and the cause says how much it leaves.
#[test]
fn a_finding_gets_the_cause_of_its_own_case() {
    let hooks = Hooks {
        place: |product, batch, row| (row % 128 != 127).then_some(batch * product.rows + row),
        lane: |sum| i64::from(sum as i16),
        ..Hooks::RIGHT
    };
    let side = Evaluator::new("twofold", &I2_S_GROUP128, hooks);
    let examination = Examination::of(&side, &I2_S_GROUP128);
    let wrapping = dots_case(1, 2304);
    let found = examination.cause(Some(&wrapping)).expect("a cause");
    assert!(
        matches!(found.fault, Fault::AccumulatorWraps { bits: 16, .. }),
        "{found}"
    );
    assert!(!found.is_whole(), "{found}");
    let tall = dots_case(128, QK256);
    let found = examination.cause(Some(&tall)).expect("a cause");
    assert!(
        matches!(found.fault, Fault::RowsZeroed { first: 127, .. }),
        "{found}"
    );
    assert_eq!(
        examination.cause(Some(&dots_case(1, QK256))),
        None,
        "nothing is wrong there"
    );
}

/// A side that is right in one operation and wrong in the other.
struct Half {
    dots: Box<dyn Implementation>,
    products: Box<dyn Implementation>,
}

impl Implementation for Half {
    fn id(&self) -> &str {
        "half"
    }

    fn defined_on(&self, storage: &Storage) -> Result<(), SideError> {
        self.dots.defined_on(storage)
    }

    fn dots(&self, weights: &Weights<'_>, a: &[i8], out: &mut [i64]) -> Result<(), SideError> {
        self.dots.dots(weights, a, out)
    }

    fn products(
        &self,
        weights: &Weights<'_>,
        activations: &[f32],
        threads: usize,
        out: &mut [f32],
    ) -> Result<(), SideError> {
        self.products.products(weights, activations, threads, out)
    }

    fn quantize(&self, storage: &Storage, values: &[f32]) -> Result<Vec<u8>, SideError> {
        self.dots.quantize(storage, values)
    }
}

/// Kernels have one path for dots and another for products: a fault of one alone is found there, and said to be there.
#[test]
fn a_fault_of_one_operation_alone_is_found_in_it() {
    let right = |format| Box::new(Evaluator::new("right", format, Hooks::RIGHT));
    let mut found = BTreeSet::new();
    for mistake in MISTAKES {
        let format = mistake.formats[0];
        let declared = (mistake.fault)(format);
        let wrong = || mistake.candidates().next().expect("a format").side;
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
            let examination = Examination::of(&half, format);
            let Some(cause) = examination.cause(None) else {
                assert_eq!(examination.wrong(), 0, "{operation} of {}", mistake.name);
                continue;
            };
            // A wrapping product is seen in the longest row alone.
            assert_eq!(kind(&cause.fault), kind(&declared), "{operation}: {cause}");
            assert!(cause.is_whole(), "{cause}");
            if let Some(only_in) = cause.only_in {
                assert_eq!(
                    only_in.operation.as_deref(),
                    Some(operation),
                    "{}",
                    mistake.name
                );
                found.insert((operation, mistake.name));
            }
        }
    }
    // The others concern steps that only one operation has.
    let of = |operation| found.iter().filter(|(of, _)| *of == operation).count();
    assert_eq!((of("products"), of("dots")), (12, 12), "{found:?}");
}

/// A side with a path for few activation rows and another for many.
struct TwoPaths {
    few: Box<dyn Implementation>,
    many: Box<dyn Implementation>,
}

impl TwoPaths {
    /// The most activation rows that are few.
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

    fn defined_on(&self, storage: &Storage) -> Result<(), SideError> {
        self.few.defined_on(storage)
    }

    fn dots(&self, weights: &Weights<'_>, a: &[i8], out: &mut [i64]) -> Result<(), SideError> {
        self.path(weights, a.len()).dots(weights, a, out)
    }

    fn products(
        &self,
        weights: &Weights<'_>,
        activations: &[f32],
        threads: usize,
        out: &mut [f32],
    ) -> Result<(), SideError> {
        self.path(weights, activations.len())
            .products(weights, activations, threads, out)
    }
}

/// Kernels multiply few activation rows otherwise than many: a fault of one path alone is found there, and said to be
/// there.
#[test]
fn a_fault_of_one_path_alone_is_found_in_it() {
    let named = [
        "values-3-1-1-3",
        "sequential-unpack",
        "last-block-dropped",
        "tail-dropped",
    ];
    let mistakes: Vec<&Mistake> = MISTAKES
        .iter()
        .filter(|mistake| named.contains(&mistake.name))
        .collect();
    assert_eq!(mistakes.len(), named.len());
    for mistake in mistakes {
        let format = mistake.formats[0];
        let right = || Box::new(Evaluator::new("right", format, Hooks::RIGHT));
        let wrong = || mistake.candidates().next().expect("a format").side;
        let paths = [
            (wrong(), right() as Box<dyn Implementation>, true),
            (right(), wrong(), false),
        ];
        for (few, many, is_few) in paths {
            let cause = cause(&TwoPaths { few, many }, format);
            let cause = cause.unwrap_or_else(|| panic!("{}: nothing is named", mistake.name));
            assert_eq!(cause.fault, mistake.fault_in(format.id), "{cause}");
            let only_in = cause.only_in.as_ref().expect("one path alone");
            // Tails are tried with batches of 2 and 5 alone.
            let found = (only_in.least_batch, only_in.most_batch);
            let right = match found {
                (None, Some(most)) => is_few && (3..5).contains(&most),
                (Some(least), None) => !is_few && (3..=5).contains(&least),
                _ => false,
            };
            assert!(right, "{}: {cause}", mistake.name);
            assert!(cause.is_whole(), "{cause}");
        }
    }
}

/// Where two faults meet in the same results, one is named for what it explains alone, and the cause says so.
#[test]
fn of_two_faults_one_is_part_of_the_cause() {
    let hooks = Hooks {
        raw: |_, code| 2 * i64::from(code) - 2,
        scale: |weights, index| 3.0 * weights.scale(index),
        ..Hooks::RIGHT
    };
    let side = Evaluator::new("twofold", &I2_S_GROUP128, hooks);
    let case = Case {
        codes: vec![0; QK256],
        ..dots_case(1, QK256)
    };
    let found = Examination::of(&side, &I2_S_GROUP128).cause(Some(&case));
    let found = found.expect("a cause");
    let values = vec![-3, -1, 1, 3];
    let declared = vec![-1, 0, 1, 2];
    assert_eq!(found.fault, Fault::Codebook { values, declared });
    assert!(!found.is_whole(), "{found}");
}

/// Codes all 2, activations all 127.
fn dots_case(rows: usize, cols: usize) -> Case {
    Case {
        format: &I2_S_GROUP128,
        flavour: Flavour::Qk256,
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

/// The oracle's own known defect is named where it is to blame.
#[test(needs(FOLLOWED))]
fn an_oracle_that_is_to_blame_is_examined() {
    let sides = Sides {
        references: references(),
        candidates: Candidate::kernels(|kernel| kernel.id() == "i2_s.group128.scalar"),
        engines: Vec::new(),
    };
    let strict = sides.references[0].side.id().to_owned();
    let finding = Finding {
        subject: String::new(),
        place: String::new(),
        expected: Observed::from(0i64),
        actual: Observed::from(0i64),
        truth: None,
        blame: harness::verdict::Blame::ReferenceWrong,
        node: None,
        cause: None,
        reproduce: String::new(),
        input: None,
        case: None,
    };
    let mut examinations = Examinations::new(&sides);
    let case = dots_case(1, 2176);
    let found = examinations.of_case(&finding, "i2_s.group128.scalar", &strict, &case);
    let found = found.expect("a cause");
    assert_eq!(found.side, strict);
    let wraps = Fault::AccumulatorWraps {
        bits: 16,
        cols: 2176,
        difference: -16 * 65536,
    };
    assert_eq!(found.fault, wraps, "{found}");
}

fn references() -> Vec<Reference> {
    let builds = cpp_shim::builds().iter();
    let available = builds.filter(|build| build.availability().is_ok());
    available
        .map(|build| {
            let oracle = build.load().expect("an available oracle loads");
            Reference::oracle(OracleSide::new(oracle), true)
        })
        .collect()
}

fn main() -> std::process::ExitCode {
    testing::main()
}
