//! What a comparison comes to.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The outcome of a comparison, a rung or a run; the worse, the greater.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Compared, and every pair was identical.
    Exact,
    /// Not identical, but no farther apart than two builds of the reference are.
    WithinNoiseFloor,
    /// Differs in a way that stands in the list of known divergences, and still does.
    KnownDivergence,
    /// Nothing was compared: not on this machine, or not now. The reason is printed.
    Skipped,
    /// Nothing was compared, or a model was not run to its end: a participant does not do this. No fault of anyone; the
    /// reason is printed.
    Unsupported,
    /// Differs.
    Divergent,
}

impl Verdict {
    /// Stable name, as tables and receipts show it.
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

    /// Whether this is agreement: something was compared and nothing unexpected was found.
    pub const fn agrees(self) -> bool {
        matches!(
            self,
            Verdict::Exact | Verdict::WithinNoiseFloor | Verdict::KnownDivergence
        )
    }

    /// Whether nothing is said of agreement: what was to be compared was not, or not to its end.
    pub const fn is_omission(self) -> bool {
        matches!(self, Verdict::Skipped | Verdict::Unsupported)
    }

    /// The worst of several verdicts. An omission never adds up to a pass and never spoils one: it counts only
    /// where everything was omitted, or nothing was there.
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

/// Who is wrong where two sides differ, as the arbiter sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// The candidate is not what the bytes say.
    CandidateWrong,
    /// The reference is not what the bytes say.
    ReferenceWrong,
    /// Neither is.
    BothWrong,
    /// Both are what the bytes say, up to rounding.
    BothDiffer,
    /// The file holds no number there, such as a scale that is NaN: no result can be right.
    InputWrong,
    /// Nobody knows: the arbiter has no definition of what was computed.
    Unjudged,
}

impl Blame {
    /// The blame where `candidate` and `reference` tell whether each side is what the bytes say.
    pub const fn from_truth(candidate: bool, reference: bool) -> Blame {
        match (candidate, reference) {
            (true, true) => Blame::BothDiffer,
            (true, false) => Blame::ReferenceWrong,
            (false, true) => Blame::CandidateWrong,
            (false, false) => Blame::BothWrong,
        }
    }

    /// Stable name, as tables and receipts show it.
    pub const fn name(self) -> &'static str {
        match self {
            Blame::CandidateWrong => "candidate_wrong",
            Blame::ReferenceWrong => "reference_wrong",
            Blame::BothWrong => "both_wrong",
            Blame::BothDiffer => "both_differ",
            Blame::InputWrong => "input_wrong",
            Blame::Unjudged => "unjudged",
        }
    }
}

impl fmt::Display for Blame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skips_never_add_up_to_a_pass() {
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
