//! Verdicts and attributions of comparisons.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The verdict of a comparison, a level or a run. Worse verdicts are greater.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All compared pairs are identical.
    Exact,
    /// Not identical, but the distance lies within the noise floor of two builds of the oracle.
    WithinNoiseFloor,
    /// Differs as listed in the known divergences.
    KnownDivergence,
    /// Nothing was compared because of the machine or the run. The reason is printed.
    Skipped,
    /// Nothing was compared, or a model was not run to its end, because a participant does not support it. This is no
    /// fault. The reason is printed.
    Unsupported,
    /// The results differ.
    Divergent,
}

impl Verdict {
    /// Stable name used in tables and receipts.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Exact => "exact",
            Verdict::WithinNoiseFloor => "within_noise_floor",
            Verdict::KnownDivergence => "known_divergence",
            Verdict::Skipped => "skipped",
            Verdict::Unsupported => "unsupported",
            Verdict::Divergent => "divergent",
        }
    }

    /// Whether this is agreement: something was compared and no unexpected difference was found.
    pub const fn agrees(self) -> bool {
        matches!(
            self,
            Verdict::Exact | Verdict::WithinNoiseFloor | Verdict::KnownDivergence
        )
    }

    /// Whether the comparison was omitted or not completed, which says nothing about agreement.
    pub const fn is_omission(self) -> bool {
        matches!(self, Verdict::Skipped | Verdict::Unsupported)
    }

    /// The worst of several verdicts. Omissions count only if there is nothing else. An empty list is `skipped`.
    pub fn overall(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
        let rank = |verdict: &Verdict| (!verdict.is_omission(), *verdict);
        verdicts
            .into_iter()
            .max_by_key(rank)
            .unwrap_or(Verdict::Skipped)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Which implementation is wrong where two differ, according to the reference model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Attribution {
    /// The candidate differs from the reference model.
    CandidateWrong,
    /// The oracle differs from the reference model.
    ReferenceWrong,
    /// Both differ from the reference model.
    BothWrong,
    /// Both agree with the reference model up to rounding.
    BothDiffer,
    /// The file holds a NaN or infinity, for example as a scale. No result can be right.
    InputWrong,
    /// The candidate gives other bits for a column in a batch than for the column alone.
    BatchVariant,
    /// The candidate gives other bits on another number of threads.
    ThreadVariant,
    /// The candidate gives other bits when the same call is repeated.
    Nondeterministic,
    /// Unknown: the reference model does not define this computation.
    Unjudged,
}

impl Attribution {
    /// The attribution, given whether `candidate` and `reference` agree with the reference model.
    pub const fn from_truth(candidate: bool, reference: bool) -> Attribution {
        match (candidate, reference) {
            (true, true) => Attribution::BothDiffer,
            (true, false) => Attribution::ReferenceWrong,
            (false, true) => Attribution::CandidateWrong,
            (false, false) => Attribution::BothWrong,
        }
    }

    /// Stable name used in tables and receipts.
    pub const fn name(self) -> &'static str {
        match self {
            Attribution::CandidateWrong => "candidate_wrong",
            Attribution::ReferenceWrong => "reference_wrong",
            Attribution::BothWrong => "both_wrong",
            Attribution::BothDiffer => "both_differ",
            Attribution::InputWrong => "input_wrong",
            Attribution::BatchVariant => "batch_variant",
            Attribution::ThreadVariant => "thread_variant",
            Attribution::Nondeterministic => "nondeterministic",
            Attribution::Unjudged => "unjudged",
        }
    }
}

impl fmt::Display for Attribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_are_never_a_pass() {
        use Verdict::*;
        assert_eq!(Verdict::overall([]), Skipped);
        assert_eq!(Verdict::overall([Skipped, Skipped]), Skipped);
        assert_eq!(Verdict::overall([Skipped, Exact]), Exact);
        assert_eq!(
            Verdict::overall([Exact, Divergent, WithinNoiseFloor]),
            Divergent
        );
        assert_eq!(Verdict::overall([Skipped, Unsupported]), Unsupported);
        assert_eq!(Verdict::overall([Unsupported, Exact]), Exact);
        assert_eq!(Verdict::overall([Unsupported, Divergent]), Divergent);
        assert!(!Skipped.agrees() && !Divergent.agrees() && KnownDivergence.agrees());
        assert!(!Unsupported.agrees());
    }
}
