//! The examination of one side: what it is suspected of, and what of that is believed.

use std::cmp::Reverse;

use qk256::format::Format;

use super::by_products::ByProducts;
use super::exam;
use super::kind::{self, Kind};
use super::paths::{EachRow, FEW, MANY};
use super::scope::Scope;
use super::subject::Subject;
use super::suspect::{Score, Suspect};
use super::work::Work;
use crate::case::Case;
use crate::cause::Cause;
use crate::implementation::Implementation;

/// What a side answered to the exam, and what explains its errors.
pub struct Examination<'a> {
    subject: Subject<'a>,
    works: Vec<Work>,
    /// How many results of the exam are wrong.
    wrong: u64,
    /// Whoever explains errors of the exam and contradicts nothing, the best first.
    suspects: Vec<Charge>,
}

/// A suspect, in the operations that have the fault, as it stands the exam.
struct Charge {
    suspect: Suspect,
    scope: Scope,
    score: Score,
}

impl Charge {
    /// How the suspect stands another case. None if it is outside the scope, or contradicts the suspect.
    fn on(&self, work: &Work) -> Option<Score> {
        self.scope.covers(work).then(|| self.suspect.score(work))?
    }
}

impl<'a> Examination<'a> {
    /// Examines a side in a format.
    pub fn of(side: &'a dyn Implementation, format: &'static Format) -> Examination<'a> {
        let subject = Subject { side, format };
        let works = exam::sit(&subject);
        let mut examination = Examination {
            wrong: works.iter().map(wrong).sum(),
            subject,
            works,
            suspects: Vec::new(),
        };
        // A side that is right in all of this is not suspected: what its marks are is not asked.
        if examination.wrong > 0 {
            let found = kind::ALL.iter().flat_map(|kind| match kind {
                Kind::Probed(suspects) => suspects(&examination.subject),
                Kind::ProbedInEachPath(suspects) => examination.in_each_path(*suspects),
                Kind::Seen(suspects) => suspects(&examination.subject, &examination.works),
            });
            let charge = |suspect| examination.charge(suspect);
            let mut charges: Vec<Charge> = found.filter_map(charge).collect();
            charges.retain(|charge| charge.score.explained > 0);
            // Stable: among equals the kind that comes first, the most specific one, stays first.
            charges.sort_by_key(|charge| Reverse(charge.score.explained));
            examination.suspects = charges;
        }
        examination
    }

    /// The cause of what is wrong in `case`, all of which it has to explain; without a case, of most of what is wrong in
    /// the exam. None if nothing is wrong there, or if no fault explains it.
    pub fn cause(&self, case: Option<&Case>) -> Option<Cause> {
        let Some(case) = case else {
            let best = self.suspects.first()?;
            return (2 * best.score.explained > best.score.wrong)
                .then(|| self.cause_of(best, best.score));
        };
        let own = self.subject.answer(case.clone())?;
        if wrong(&own) == 0 {
            return None;
        }
        let known = self.suspects.iter().find_map(|charge| {
            let score = charge.on(&own)?;
            let all = score.explained == score.wrong;
            all.then(|| self.cause_of(charge, charge.score.plus(score)))
        });
        known.or_else(|| self.shown_by(&own))
    }

    /// A fault that shows in a case of a finding and not in the exam.
    fn shown_by(&self, own: &Work) -> Option<Cause> {
        let works = std::slice::from_ref(own);
        let found = kind::ALL.iter().flat_map(|kind| match kind {
            Kind::Probed(_) | Kind::ProbedInEachPath(_) => Vec::new(),
            Kind::Seen(suspects) => suspects(&self.subject, works),
        });
        found
            .filter_map(|suspect| {
                let charge = self.charge(suspect)?;
                let score = charge.on(own)?;
                let all = score.explained == score.wrong;
                all.then(|| self.cause_of(&charge, charge.score.plus(score)))
            })
            .next()
    }

    /// What probes show of dots and of products: each fault once. Where only few activation rows go wrong, or only many,
    /// the probes are put in that way too.
    fn in_each_path(&self, suspects: fn(&Subject<'_>) -> Vec<Suspect>) -> Vec<Suspect> {
        let side = self.subject.side;
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
        let each = copies.map(|copies| EachRow { side, copies });
        let mut paths = vec![side];
        paths.extend(each.as_ref().map(|each| each as &dyn Implementation));
        let by_products: Vec<ByProducts<'_>> = paths.iter().map(|&side| ByProducts(side)).collect();
        paths.extend(by_products.iter().map(|side| side as &dyn Implementation));
        let mut found: Vec<Suspect> = Vec::new();
        for side in paths {
            let format = self.subject.format;
            for suspect in suspects(&Subject { side, format }) {
                if found.iter().all(|known| known.fault != suspect.fault) {
                    found.push(suspect);
                }
            }
        }
        found
    }

    /// How a suspect stands the exam, in the scope in which it explains the most and nothing contradicts it.
    fn charge(&self, suspect: Suspect) -> Option<Charge> {
        let scores: Vec<Option<Score>> = self.works.iter().map(|w| suspect.score(w)).collect();
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
        // Of equals the last one is the greatest to `max_by_key`: the widest scope, which comes first, shall be.
        let (scope, score) = scopes.rev().max_by_key(|(_, score)| score.explained)?;
        Some(Charge {
            suspect,
            scope,
            score,
        })
    }

    fn cause_of(&self, charge: &Charge, score: Score) -> Cause {
        Cause {
            side: self.subject.side.id().into(),
            fault: charge.suspect.fault.clone(),
            only_in: charge.scope.extent(),
            explained: score.explained,
            wrong: score.wrong,
        }
    }

    /// How many results of the exam are wrong.
    pub fn wrong(&self) -> u64 {
        self.wrong
    }
}

/// How many results of a case are wrong.
fn wrong(work: &Work) -> u64 {
    work.places()
        .filter(|&(batch, row)| work.is_wrong(batch, row))
        .count() as u64
}
