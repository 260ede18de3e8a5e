//! "Did you mean" hints for unknown ids.

/// Lower limit of the Jaro similarity of near ids. clap uses the same measure and limit to suggest options.
const NEAR: f64 = 0.7;

/// Maximal number of suggestions.
const MOST: usize = 3;

/// Maximal number of ids that are listed in full if none is near.
const SHORT: usize = 6;

/// The end of the message that there is no `unknown`: the nearest ids, or all ids if they are few, and the command that
/// lists all.
///
/// `listing` is the command that lists all ids, such as `harness kernels`.
pub(crate) fn hint<'a>(
    unknown: &str,
    known: impl IntoIterator<Item = &'a str>,
    listing: Option<&str>,
) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let near = nearest(unknown, &known);
    if known.is_empty() {
        return "there are none".into();
    }
    if !near.is_empty() {
        let quoted: Vec<String> = near.iter().map(|id| format!("`{id}`")).collect();
        let all = listing.map(|command| format!(" `{command}` lists them"));
        let meant = quoted.join(" or ");
        return format!("did you mean {meant}?{}", all.unwrap_or_default());
    }
    if known.len() <= SHORT {
        return format!("there are: {}", known.join(", "));
    }
    match listing {
        Some(command) => format!("`{command}` lists all {}", known.len()),
        None => {
            let (first, last) = (known[0], known[known.len() - 1]);
            format!("there are {}: {first} ... {last}", known.len())
        }
    }
}

/// The nearest ids, the best first: ids that contain the word, then ids with a similar spelling.
fn nearest<'a>(unknown: &str, known: &[&'a str]) -> Vec<&'a str> {
    let unknown = unknown.to_lowercase();
    let similarity = |id: &str| {
        let id = id.to_lowercase();
        let part = unknown.len() > 1 && id.contains(&unknown);
        // Greater than every similarity, and greater the larger the word's part of the id.
        let of_part = 1.0 + unknown.len() as f64 / id.len() as f64;
        if part {
            of_part
        } else {
            strsim::jaro(&unknown, &id)
        }
    };
    let scored = known.iter().map(|id| (similarity(id), *id));
    let mut near: Vec<(f64, &str)> = scored.filter(|(score, _)| *score > NEAR).collect();
    // The sort is stable, so equally near ids keep their order.
    near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    near.truncate(MOST);
    near.into_iter().map(|(_, id)| id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_misspelt_id_is_suggested() {
        let kernels: Vec<&str> = qk256::kernel::all()
            .iter()
            .map(|kernel| kernel.id())
            .collect();
        let recipes = crate::synth::embedded();
        let recipes: Vec<&str> = recipes.iter().map(|(name, _)| *name).collect();
        for known in [&kernels, &recipes] {
            for id in known {
                let slips = [
                    &id[1..],
                    &id[..id.len() - 1],
                    &format!("{id}x"),
                    &id.to_uppercase(),
                ];
                for slip in slips {
                    let near = nearest(slip, known);
                    assert!(near.contains(id), "{slip}: {near:?}");
                }
            }
        }
    }

    #[test]
    fn hints_are_short() {
        let oracles = ["bitnet.cpp/strict", "bitnet.cpp/fma"];
        let hint_of = |unknown| hint(unknown, oracles, Some("harness oracle list"));
        assert_eq!(
            hint_of("strict"),
            "did you mean `bitnet.cpp/strict`? `harness oracle list` lists them"
        );
        assert_eq!(
            hint_of("xyz"),
            "there are: bitnet.cpp/strict, bitnet.cpp/fma"
        );
        let many: Vec<String> = (0..100).map(|n| format!("number-{n}")).collect();
        let hint = hint("xyz", many.iter().map(String::as_str), None);
        assert_eq!(hint, "there are 100: number-0 ... number-99");
    }
}
