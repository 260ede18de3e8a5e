//! Diagnoses one implementation: generates hypotheses and scores them with the probes.

use std::cmp::Reverse;

use qk256::format::Format;

use super::by_products::ByProducts;
use super::hypothesis::{Hypothesis, Score};
use super::kind::{self, Kind};
use super::paths::{EachRow, FEW, MANY};
use super::probes;
use super::scope::Scope;
use super::subject::Subject;
use super::work::Work;
use crate::case::Case;
use crate::cause::Cause;
use crate::implementation::Implementation;

/// The results of an implementation for the probes, and the hypotheses that explain its errors.
pub struct Diagnosed<'a> {
    subject: Subject<'a>,
    works: Vec<Work>,
    /// Number of wrong results of the probes.
    wrong: u64,
    /// Hypotheses that explain errors of the probes and contradict no result, the best first.
    hypotheses: Vec<ScoredHypothesis>,
}

/// A hypothesis with its score for the probes, in the scope that has the fault.
struct ScoredHypothesis {
    hypothesis: Hypothesis,
    scope: Scope,
    score: Score,
}

impl ScoredHypothesis {
    /// The score for another case. None if the case is outside the scope or contradicts the hypothesis.
    fn on(&self, work: &Work) -> Option<Score> {
        self.scope
            .covers(work)
            .then(|| self.hypothesis.score(work))?
    }
}

impl<'a> Diagnosed<'a> {
    /// Probes an implementation in a format and scores the hypotheses.
    pub fn of(implementation: &'a dyn Implementation, format: &'static Format) -> Diagnosed<'a> {
        let subject = Subject {
            implementation,
            format,
        };
        let works = probes::run(&subject);
        let mut diagnosed = Diagnosed {
            wrong: works.iter().map(wrong).sum(),
            subject,
            works,
            hypotheses: Vec::new(),
        };
        // If all results are right, no hypothesis is needed.
        if diagnosed.wrong > 0 {
            let found = kind::ALL.iter().flat_map(|kind| match kind {
                Kind::Probed(hypotheses) => hypotheses(&diagnosed.subject),
                Kind::ProbedInEachPath(hypotheses) => diagnosed.in_each_path(*hypotheses),
                Kind::Seen(hypotheses) => hypotheses(&diagnosed.subject, &diagnosed.works),
            });
            let scored = |hypothesis| diagnosed.scored(hypothesis);
            let mut scored: Vec<ScoredHypothesis> = found.filter_map(scored).collect();
            scored.retain(|scored| scored.score.explained > 0);
            // The sort is stable: among equal scores the earlier, more specific kind stays first.
            scored.sort_by_key(|scored| Reverse(scored.score.explained));
            diagnosed.hypotheses = scored;
        }
        diagnosed
    }

    /// The cause of the wrong results of `case`, which must explain all of them. Without a case, the cause of most
    /// wrong results of the probes. None if no result is wrong or no fault explains them.
    pub fn cause(&self, case: Option<&Case>) -> Option<Cause> {
        let Some(case) = case else {
            let best = self.hypotheses.first()?;
            return (2 * best.score.explained > best.score.wrong)
                .then(|| self.cause_of(best, best.score));
        };
        let own = self.subject.answer(case.clone())?;
        if wrong(&own) == 0 {
            return None;
        }
        let known = self.hypotheses.iter().find_map(|scored| {
            let score = scored.on(&own)?;
            let all = score.explained == score.wrong;
            all.then(|| self.cause_of(scored, scored.score.plus(score)))
        });
        known.or_else(|| self.shown_by(&own))
    }

    /// The cause of a fault that appears in the case of a finding and not in the probes.
    fn shown_by(&self, own: &Work) -> Option<Cause> {
        let works = std::slice::from_ref(own);
        let found = kind::ALL.iter().flat_map(|kind| match kind {
            Kind::Probed(_) | Kind::ProbedInEachPath(_) => Vec::new(),
            Kind::Seen(hypotheses) => hypotheses(&self.subject, works),
        });
        found
            .filter_map(|hypothesis| {
                let scored = self.scored(hypothesis)?;
                let score = scored.on(own)?;
                let all = score.explained == score.wrong;
                all.then(|| self.cause_of(&scored, scored.score.plus(score)))
            })
            .next()
    }

    /// The hypotheses of a kind from the probes of dots and of products, without duplicates. If only small or only
    /// large batches are wrong, the probes are also run in batches of that size.
    fn in_each_path(&self, hypotheses: fn(&Subject<'_>) -> Vec<Hypothesis>) -> Vec<Hypothesis> {
        let implementation = self.subject.implementation;
        let wrong_with = |is_asked: fn(usize) -> bool| {
            let mut works = self.works.iter();
            works.any(|work| is_asked(work.case.batch) && wrong(work) > 0)
        };
        let copies = match (
            wrong_with(|batch| batch <= FEW),
            wrong_with(|batch| batch > 2 * FEW),
        ) {
            (true, false) => Some(1),
            (false, true) => Some(MANY),
            _ => None,
        };
        let each = copies.map(|copies| EachRow {
            implementation,
            copies,
        });
        let mut paths = vec![implementation];
        paths.extend(each.as_ref().map(|each| each as &dyn Implementation));
        let by_products: Vec<ByProducts<'_>> = paths
            .iter()
            .map(|&implementation| ByProducts(implementation))
            .collect();
        paths.extend(
            by_products
                .iter()
                .map(|implementation| implementation as &dyn Implementation),
        );
        let mut found: Vec<Hypothesis> = Vec::new();
        for implementation in paths {
            let format = self.subject.format;
            for hypothesis in hypotheses(&Subject {
                implementation,
                format,
            }) {
                if found.iter().all(|known| known.fault != hypothesis.fault) {
                    found.push(hypothesis);
                }
            }
        }
        found
    }

    /// Scores a hypothesis in the scope in which it explains most and no result contradicts it.
    fn scored(&self, hypothesis: Hypothesis) -> Option<ScoredHypothesis> {
        let scores: Vec<Option<Score>> = self.works.iter().map(|w| hypothesis.score(w)).collect();
        let in_scope = |scope: Scope| {
            let mut total = Score::default();
            for (work, score) in self.works.iter().zip(&scores) {
                total = total.plus(if scope.covers(work) {
                    (*score)?
                } else {
                    Score::unexplained(wrong(work))
                });
            }
            Some((scope, total))
        };
        let scopes = Scope::all(&self.works).into_iter().filter_map(in_scope);
        // `max_by_key` returns the last of equal elements. Reversing selects the widest scope, which comes first.
        let (scope, score) = scopes.rev().max_by_key(|(_, score)| score.explained)?;
        Some(ScoredHypothesis {
            hypothesis,
            scope,
            score,
        })
    }

    fn cause_of(&self, scored: &ScoredHypothesis, score: Score) -> Cause {
        Cause {
            implementation: self.subject.implementation.id().into(),
            fault: scored.hypothesis.fault.clone(),
            only_in: scored.scope.extent(),
            explained: score.explained,
            wrong: score.wrong,
        }
    }

    /// Number of wrong results of the probes.
    pub fn wrong(&self) -> u64 {
        self.wrong
    }
}

/// Number of wrong results of a case.
fn wrong(work: &Work) -> u64 {
    work.places()
        .filter(|&(batch, row)| work.is_wrong(batch, row))
        .count() as u64
}
