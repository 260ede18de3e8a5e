//! Whether a candidate that promises nothing gives the same bits for the same numbers: in a batch or alone, on one
//! thread or several, and in a repeated call.
//!
//! The kernels and the forward pass of this repository have the bits of an oracle for every batch and number of threads,
//! which the levels check. An oracle as a candidate is compared with itself here.

use crate::decoding::Decoding;
use crate::finding::{Finding, Observed};
use crate::inference::{Engine, InferenceError};
use crate::outcome::{Omission, PairAccumulator};
use crate::rerun::Rerun;
use crate::verdict::Attribution;

/// The reference of outcomes in which a candidate is compared with itself.
pub(super) const ITSELF: &str = "itself";

/// A way of computing the same numbers once more.
pub(super) struct Variant {
    /// What differs, for the finding.
    pub(super) how: String,
    /// The kind of finding if the bits differ.
    pub(super) kind: Attribution,
    /// The results.
    pub(super) values: Vec<f32>,
}

/// Compares the results of a variant with the first ones.
pub(super) fn compare(
    subject: &str,
    first: &[f32],
    variant: &Variant,
    accumulator: &mut PairAccumulator,
    reproduce: &Rerun,
) {
    accumulator.counter.add(first, &variant.values);
    let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
    let at = first
        .iter()
        .zip(&variant.values)
        .position(|pair| !same(pair));
    if let Some(at) = at.filter(|_| accumulator.wants_finding()) {
        accumulator.find(Finding {
            attribution: variant.kind,
            ..Finding::new(
                subject,
                format!("{}, result {at}", variant.how),
                Observed::from(first[at]),
                Observed::from(variant.values[at]),
                reproduce,
            )
        });
    }
}

/// The logits of a model by one engine, computed in different ways and compared with those of `decoding`.
pub(super) fn of_model(
    engine: &dyn Engine,
    decoding: &Decoding,
    accumulator: &mut PairAccumulator,
    reproduce: &Rerun,
) {
    let first = match decoding.logits(engine) {
        Ok(first) => first,
        Err(error) => return accumulator.omit(Omission::unsupported(error.to_string())),
    };
    let threads = if decoding.params.threads == 1 { 2 } else { 1 };
    for (how, kind, decoding) in [
        (
            "repeated".into(),
            Attribution::Nondeterministic,
            decoding.clone(),
        ),
        (
            format!("threads {threads}"),
            Attribution::ThreadVariant,
            decoding.on_threads(threads),
        ),
        (
            "one token at a time".into(),
            Attribution::BatchVariant,
            decoding.in_single_tokens(),
        ),
    ] {
        let values: Result<Vec<f32>, InferenceError> = decoding.logits(engine);
        match values {
            Ok(values) if values.len() == first.len() => {
                let variant = Variant { how, kind, values };
                compare("logits", &first, &variant, accumulator, reproduce);
            }
            Ok(_) => accumulator.omit(Omission::unsupported(format!("{how}: other shapes"))),
            Err(error) => accumulator.omit(Omission::unsupported(format!("{how}: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::inference::{Inference, InferenceParams, TracedNode};
    use crate::levels::Level;
    use crate::verdict::Verdict;

    /// An engine whose logits depend on what they must not depend on.
    #[derive(Default)]
    struct Fickle {
        by_threads: bool,
        by_batch: bool,
        by_call: Option<AtomicU32>,
    }

    struct Run<'a> {
        engine: &'a Fickle,
        threads: usize,
    }

    impl Engine for Fickle {
        fn id(&self) -> &str {
            "fickle"
        }

        fn with_model(
            &self,
            _: &Path,
            params: &InferenceParams,
            work: &mut dyn FnMut(&mut dyn Inference),
        ) -> Result<(), InferenceError> {
            if let Some(calls) = &self.by_call {
                calls.fetch_add(1, Ordering::Relaxed);
            }
            let threads = params.threads;
            work(&mut Run {
                engine: self,
                threads,
            });
            Ok(())
        }
    }

    impl Inference for Run<'_> {
        fn id(&self) -> &str {
            "fickle"
        }

        fn vocabulary(&self) -> usize {
            1
        }

        fn graph(&self) -> &str {
            "fickle"
        }

        fn decode(
            &mut self,
            tokens: &[u32],
            _: Option<&mut dyn FnMut(TracedNode)>,
        ) -> Result<Vec<f32>, InferenceError> {
            let Fickle {
                by_threads,
                by_batch,
                by_call,
            } = self.engine;
            let calls = by_call
                .as_ref()
                .map_or(0, |calls| calls.load(Ordering::Relaxed));
            let error = u32::from(*by_threads && self.threads > 1)
                + u32::from(*by_batch && tokens.len() > 1)
                + calls;
            Ok(tokens.iter().map(|&token| (token + error) as f32).collect())
        }

        fn tokenize(&mut self, _: &str) -> Result<Vec<u32>, InferenceError> {
            unreachable!("nothing is tokenized here")
        }
    }

    fn judged(engine: &Fickle) -> (Verdict, Vec<Attribution>) {
        let decoding = Decoding::new(PathBuf::new(), vec![1, 2, 3, 4], 1);
        let mut accumulator = PairAccumulator::new(Level::Logits, "fickle", ITSELF);
        of_model(
            engine,
            &decoding,
            &mut accumulator,
            &Rerun::of_level(Level::Logits),
        );
        let outcome = accumulator.finish();
        let kinds = outcome.findings.iter().map(|finding| finding.attribution);
        (outcome.verdict, kinds.collect())
    }

    #[test]
    fn each_kind_of_variance_is_found() {
        use Attribution::{BatchVariant, Nondeterministic, ThreadVariant};
        assert_eq!(judged(&Fickle::default()), (Verdict::Exact, vec![]));
        let by_threads = Fickle {
            by_threads: true,
            ..Fickle::default()
        };
        assert_eq!(
            judged(&by_threads),
            (Verdict::Divergent, vec![ThreadVariant])
        );
        let by_batch = Fickle {
            by_batch: true,
            ..Fickle::default()
        };
        assert_eq!(judged(&by_batch), (Verdict::Divergent, vec![BatchVariant]));
        let by_call = Fickle {
            by_call: Some(AtomicU32::new(0)),
            ..Fickle::default()
        };
        let (verdict, kinds) = judged(&by_call);
        assert_eq!((verdict, kinds[0]), (Verdict::Divergent, Nondeterministic));
    }
}
