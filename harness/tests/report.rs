//! Reports: they contain the contents of the receipts, in any order, and nothing else.

mod common;
#[path = "receipts/generated.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod generated;

use std::collections::BTreeSet;

use harness::outcome::Omission;
use harness::receipt::Receipt;
use harness::report::{Collection, html, markdown, page_of};
use harness::rerun::Rerun;
use harness::shard::Shard;
use harness::verdict::Verdict;
use roxmltree::{Document, Node, ParsingOptions};
use tempfile::{TempDir, tempdir};

use common::{assert_code, harness, stderr, stdout};

/// Makes the documents of receipts.
fn documents(receipts: Vec<Receipt>) -> (String, String) {
    let collections = receipts.into_iter().map(Collection::of);
    let collection = collections.reduce(Collection::and).unwrap();
    let page = page_of(&collection).unwrap();
    (html::write(&page).unwrap(), markdown::write(&page))
}

/// Parses a page as XML, because it is polyglot HTML.
fn parse(page: &str) -> Document<'_> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(page, options).unwrap()
}

fn text(node: Node<'_, '_>) -> String {
    let texts = node.descendants().filter(Node::is_text);
    texts.filter_map(|node| node.text()).collect()
}

fn elements<'a>(document: &'a Document<'a>, name: &'a str) -> impl Iterator<Item = Node<'a, 'a>> {
    let all = document.descendants();
    all.filter(move |node| node.tag_name().name() == name)
}

/// The cells of the row that begins with `first` in the table with this caption.
fn row(page: &Document<'_>, caption: &str, first: &str) -> Vec<String> {
    let table = elements(page, "table").find(|table| {
        table
            .descendants()
            .any(|node| node.has_tag_name("caption") && text(node) == caption)
    });
    let table = table.unwrap_or_else(|| panic!("there is no table `{caption}`"));
    let rows = table.descendants().filter(|node| node.has_tag_name("tr"));
    let cells = |row: Node<'_, '_>| -> Vec<String> {
        row.children().filter(Node::is_element).map(text).collect()
    };
    rows.map(cells)
        .find(|cells| cells.first().is_some_and(|cell| cell == first))
        .unwrap_or_else(|| panic!("`{caption}` has no row `{first}`"))
}

/// A receipt without data of this machine and this time.
fn anywhere(mut receipt: Receipt, timestamp: &str) -> Receipt {
    receipt.harness.commit = "0123456789abcdef0123456789abcdef01234567".into();
    for run in &mut receipt.harness.runs {
        run.timestamp = timestamp.into();
        run.seconds = 1.5;
        run.command = vec!["harness".into(), "check".into()];
        run.environment.os = "linux".into();
        run.environment.arch = "x86_64".into();
        run.environment.cpu = "a CPU".into();
        run.environment.cpu_features = vec!["avx2".into()];
        run.environment.threads = 2;
        run.environment.rustc = "a compiler".into();
        run.environment.sum_order = "serial".into();
    }
    receipt.renew_digest();
    receipt.verify().unwrap();
    receipt
}

fn of_a_shard(timestamp: &str, off: i8) -> Receipt {
    let pairs = vec![(5i16, off), (9, 0), (-4, 0)];
    let found = generated::Found {
        block: pairs.clone(),
        tensor: pairs,
    };
    anywhere(generated::check(Shard::WHOLE, &found), timestamp)
}

const EARLY: &str = "2026-01-02T03:04:05Z";
const LATE: &str = "2026-02-03T04:05:06Z";

fn write(receipt: &Receipt, folder: &TempDir, name: &str) -> String {
    let path = folder.path().join(name);
    receipt.write(&path).unwrap();
    path.to_str().unwrap().into()
}

#[test]
fn numbers_are_those_of_the_receipts() {
    let check = anywhere(generated::rich_check(), LATE);
    let fuzz = anywhere(generated::fuzz(Shard::WHOLE), LATE);
    let mutants = anywhere(generated::mutants(), LATE);
    let (page, _) = documents(vec![check.clone(), fuzz, mutants]);
    let page = parse(&page);

    let block = &check.harness.check.as_ref().unwrap().levels[0];
    assert_eq!(block.verdict, Verdict::Divergent);
    let caption = "Verdict and comparisons of each candidate, over all oracles and models";
    let cells = row(&page, caption, "i2_s.group128.scalar");
    assert_eq!(
        cells[1],
        format!("✗ divergent {}", block.measures.comparisons)
    );

    let outcome = &block.outcomes[0];
    let caption = "i2_s.group128.scalar: the worst of each measure";
    let cells = row(&page, caption, "block");
    assert_eq!(cells[1..3], ["first/build", "✗ divergent"]);
    assert_eq!(cells[5], outcome.measures.mismatches.to_string());
    let max_ulp = outcome.measures.max_ulp.expect("numbers were compared");
    assert_eq!(cells[9], max_ulp.to_string());

    let caption = "Mutants in kernels, and which measure alone catches them";
    let cells = row(&page, caption, "tail-dropped");
    assert_eq!(cells[1..4], ["1", "0.9700", "✓ caught"]);
    assert_eq!(cells[7..10], ["· missed", "✓ caught", "✓ named"]);
    let caption = "Kernels that executed, as the dispatcher counted";
    let calls = row(&page, caption, "i2_s.group128.scalar");
    assert_eq!(calls[1], "36");

    let tiles: Vec<String> = elements(&page, "dd").map(text).collect();
    for tile in ["50 cases, 2 known divergences", "2 of 2 caught"] {
        assert!(tiles.iter().any(|other| other == tile), "{tiles:?}");
    }
}

#[test]
fn layers_are_drawn_and_listed_as_in_the_receipt() {
    let check = anywhere(generated::rich_check(), LATE);
    let outcomes = &check.harness.check.as_ref().unwrap().levels[2].outcomes;
    let layer = outcomes[0].nodes[0].layers[1].clone();
    let (page, markdown) = documents(vec![check.clone()]);
    let page = parse(&page);
    let caption = "default: layer by layer";
    let first = row(&page, caption, "0");
    assert_eq!(first[3..], ["0", "none", "0", "0"]);
    let second = row(&page, caption, "1");
    assert_eq!(second[2], layer.comparisons.to_string());
    assert_eq!(second[3..5], ["8", "attn_norm"]);
    let distance: f64 = second[5].parse().unwrap();
    assert!((distance - layer.nmse.unwrap().sqrt()).abs() < 1e-6);
    let words = "first/build: 1 of 2 layers differ, from layer 1 on; the farthest is layer 1";
    assert!(markdown.contains(words), "{markdown}");

    // A NaN has no distance and is no agreement.
    let mut broken = check;
    let section = broken.harness.check.as_mut().unwrap();
    let of = &mut section.levels[2].outcomes[0].nodes[0].layers[1];
    (of.non_finite, of.nmse) = (of.mismatches, Some(0.0));
    let (page, _) = documents(vec![broken]);
    assert_eq!(row(&parse(&page), caption, "1")[5], "none");
}

#[test]
fn every_finding_has_its_place_values_and_command() {
    let (page, markdown) = documents(vec![anywhere(generated::rich_check(), LATE)]);
    let page = parse(&page);
    let findings = elements(&page, "section")
        .find(|node| node.attribute("aria-labelledby") == Some("findings"));
    let words = text(findings.unwrap());
    for printed in [
        "i2_s.group128.scalar against first/build, level node on default: candidate wrong",
        "expected 1.0 (0x3f800000), got 1.5 (0x3fc00000)",
        "MUL, layer 1, decode 0: its inputs agree, the operation is wrong",
        "inputs: inp_embd identical",
        "cause: scale wrong: 1.5 times what it should be (in i2_s.group128.scalar, only in results of batches from 2; \
         explains 3 of 4 wrong results looked at)",
        "smallest input found: 1 x 128 weights in ",
        "harness check",
    ] {
        assert!(words.contains(printed), "`{printed}` is not in:\n{words}");
    }
    assert!(markdown.contains("```sh\nharness check\n```"), "{markdown}");
}

#[test]
fn text_of_a_receipt_stays_text() {
    const HOSTILE: &str =
        "<script>alert(1)</script>|`x`|</title></details>&amp;\u{1b}[31m\u{202e}\n# h";
    let mut receipt = generated::rich_check();
    let run = &mut receipt.harness.runs[0];
    run.model = Some(HOSTILE.into());
    run.command = vec![HOSTILE.into()];
    let check = receipt.harness.check.as_mut().unwrap();
    check.omitted = vec![Omission::skipped(HOSTILE)];
    let levels = check.levels.iter_mut();
    for outcome in levels.flat_map(|report| &mut report.outcomes) {
        outcome.candidate = HOSTILE.into();
        outcome.reference = HOSTILE.into();
        for finding in &mut outcome.findings {
            finding.subject = HOSTILE.into();
            finding.reproduce = Rerun::Replay {
                file: HOSTILE.into(),
            };
            finding.expected.value = HOSTILE.into();
        }
        for node in &mut outcome.nodes {
            node.kind = HOSTILE.into();
        }
    }
    receipt.renew_digest();
    receipt.verify().unwrap();
    let (page, markdown) = documents(vec![receipt]);
    let page = parse(&page);
    assert_eq!(elements(&page, "script").count(), 0);
    assert!(text(page.root()).contains("<script>alert(1)</script>|`x`|"));
    assert!(!text(page.root()).contains(['\u{1b}', '\u{202e}']));

    // In Markdown it is in code or escaped, and a bar in it does not end a cell.
    for line in markdown.lines().filter(|line| line.contains("<script")) {
        let code = line.starts_with(HOSTILE.get(..8).unwrap()) || line.contains('`');
        assert!(code, "{line}");
    }
    assert!(!markdown.contains("\n# h"), "{markdown}");
    let mut columns = 0;
    for line in markdown.lines() {
        let bars = line.replace("\\|", "").matches('|').count();
        match line.starts_with("| ") {
            true if columns == 0 => columns = bars,
            true => assert_eq!(bars, columns, "{line}"),
            false => columns = 0,
        }
    }
}

#[test]
fn a_page_can_be_read_by_everyone() {
    let (page, _) = documents(vec![
        anywhere(generated::rich_check(), LATE),
        of_a_shard(EARLY, 0),
        anywhere(generated::mutants(), EARLY),
    ]);
    let page = parse(&page);
    let mut level = 0;
    for heading in page.descendants().filter(Node::is_element) {
        let name = heading.tag_name().name();
        if let Some(next) = name
            .strip_prefix('h')
            .and_then(|digit| digit.parse::<u32>().ok())
        {
            assert!(
                next <= level + 1,
                "{name} after h{level}: {}",
                text(heading)
            );
            level = next;
        }
        for attribute in ["src", "href", "action", "data"] {
            let link = heading.attribute(attribute).unwrap_or("#");
            let is_inside = link.starts_with('#') || link == "data:,";
            assert!(is_inside, "{name} {attribute}={link}");
        }
    }
    assert_eq!(elements(&page, "h1").count(), 1);
    assert!(elements(&page, "th").all(|cell| cell.has_attribute("scope")));
    assert!(elements(&page, "svg").count() >= 3);
    for drawing in elements(&page, "svg") {
        assert_eq!(drawing.attribute("role"), Some("img"));
        let title = drawing.first_element_child().unwrap();
        assert!(title.has_tag_name(("http://www.w3.org/2000/svg", "title")));
        assert!(!text(title).is_empty());
        let shapes = drawing.descendants();
        let colours = shapes.flat_map(|node| [node.attribute("fill"), node.attribute("stroke")]);
        for colour in colours.flatten() {
            assert!(colour.starts_with("var(--") || colour == "none", "{colour}");
        }
    }
    let ids = page.descendants().filter_map(|node| node.attribute("id"));
    let ids: Vec<&str> = ids.collect();
    assert_eq!(BTreeSet::from_iter(&ids).len(), ids.len());
    for link in elements(&page, "a").filter_map(|link| link.attribute("href")) {
        assert!(ids.contains(&link.trim_start_matches('#')), "{link}");
    }
    let headings: Vec<String> = elements(&page, "h2").map(text).collect();
    let wanted = [
        "Verdict",
        "Findings",
        "Levels by kernel",
        "Layout maps",
        "Divergence along the layers",
        "ULP histograms",
        "Mutation matrix",
        "Speed",
        "Trend",
        "Provenance",
    ];
    assert_eq!(headings, wanted);
}

/// Relative luminance of `#rrggbb`, as the Web Content Accessibility Guidelines 2.2 define it.
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let value = u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

#[test]
fn text_has_contrast_in_light_and_dark_mode() {
    let style = include_str!("../templates/report/style.css");
    let (light, dark) = style.split_once("prefers-color-scheme: dark").unwrap();
    let backgrounds = ["--background", "--soft"];
    let mut pairs: Vec<(String, &str)> = Vec::new();
    for ink in [
        "--text", "--muted", "--good", "--fair", "--bad", "--first", "--second", "--third",
    ] {
        pairs.extend(backgrounds.map(|paper| (paper.to_owned(), ink)));
    }
    for ink in ["--good", "--fair", "--bad"] {
        pairs.push((format!("{ink}-soft"), ink));
    }
    pairs.extend((0..5).map(|step| (format!("--step-{step}"), "--on-cell")));
    pairs.push(("--odd".into(), "--on-cell"));
    for theme in [light, dark] {
        let colour = |name: &str| {
            let (_, rest) = theme.split_once(&format!("{name}: ")).unwrap();
            luminance(&rest[..7])
        };
        for (paper, ink) in &pairs {
            let (a, b) = (colour(paper), colour(ink));
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(contrast >= 4.5, "{ink} on {paper}: {contrast:.2}");
        }
    }
}

#[test]
fn the_order_of_receipts_does_not_matter() {
    let folder = tempdir().unwrap();
    let files = [
        ("a.json", anywhere(generated::rich_check(), LATE)),
        ("b.json", of_a_shard(EARLY, 3)),
        ("c.json", anywhere(generated::fuzz(Shard::WHOLE), EARLY)),
        ("d.json", anywhere(generated::mutants(), LATE)),
    ];
    let files = files.map(|(name, receipt)| write(&receipt, &folder, name));
    let report = |paths: &[&str], name: &str| {
        let output = folder.path().join(name);
        let mut args = vec!["report"];
        args.extend(paths);
        args.extend(["-o", output.to_str().unwrap()]);
        assert_code(&harness(&args), 0);
        ["index.html", "report.md"].map(|file| std::fs::read_to_string(output.join(file)).unwrap())
    };
    let [a, b, c, d] = files.each_ref().map(String::as_str);
    let forth = report(&[a, b, c, d], "forth");
    assert_eq!(forth, report(&[d, b, a, c], "back"));
    assert_eq!(forth, report(&[folder.path().to_str().unwrap()], "folder"));
    // Duplicate receipts count once.
    assert_eq!(forth, report(&[a, b, c, d, a], "twice"));
}

#[test]
fn the_newest_receipt_of_the_same_work_counts() {
    let (bad, good) = (of_a_shard(EARLY, 3), of_a_shard(LATE, 0));
    let verdicts = [&bad, &good].map(|receipt| receipt.harness.verdict);
    assert_eq!(verdicts, [Verdict::Divergent, Verdict::Exact]);
    let (page, markdown) = documents(vec![bad.clone(), good.clone()]);
    assert!(markdown.contains("**✓ exact**"), "{markdown}");
    assert!(markdown.contains("2 receipts of 1 commit"), "{markdown}");
    let rate = 100.0 * bad.parity.exact_match_rate.unwrap();
    assert!(markdown.contains(&format!("{rate:.4} %")), "{markdown}");
    assert!(page.contains("Exact match rate and verdict"));
    // Another machine is other work, so its receipt does not replace a failure here.
    let mut elsewhere = bad;
    elsewhere.harness.runs[0].environment.cpu = "another CPU".into();
    elsewhere.renew_digest();
    let (_, markdown) = documents(vec![elsewhere, good]);
    assert!(markdown.contains("**✗ divergent**"), "{markdown}");
}

#[test]
fn absent_shards_are_reported_as_missing() {
    let shard = Shard { index: 2, count: 3 };
    let (_, markdown) = documents(vec![anywhere(generated::fuzz(shard), LATE)]);
    assert!(
        markdown.contains("Missing: 2 shards of the work"),
        "{markdown}"
    );
    assert!(markdown.contains("- fuzz 1/3\n- fuzz 3/3\n"), "{markdown}");
}

#[test]
fn a_small_report_in_markdown() {
    let receipt = anywhere(generated::rich_check(), LATE);
    let digest = receipt.harness.digest[..12].to_owned();
    let (_, markdown) = documents(vec![receipt]);
    insta::assert_snapshot!(markdown.replace(&digest, "SEAL"));
}

#[test]
fn invalid_receipts_make_no_report() {
    let folder = tempdir().unwrap();
    let good = write(&of_a_shard(EARLY, 0), &folder, "good.json");
    let text = std::fs::read_to_string(&good).unwrap();
    let edited = text.replacen("\"exact\"", "\"divergent\"", 1);
    let output = folder.path().join("report");
    let report =
        |paths: &[&str]| harness(&[&["report", "-o", output.to_str().unwrap()], paths].concat());
    for (name, content) in [
        ("cut.json", &text[..text.len() / 2]),
        ("edited.json", &edited),
        ("foreign.json", "{}"),
    ] {
        let bad = folder.path().join(name);
        std::fs::write(&bad, content).unwrap();
        let result = report(&[&good, bad.to_str().unwrap()]);
        assert_code(&result, 3);
        assert!(stderr(&result).contains(name), "{}", stderr(&result));
        assert!(!output.exists(), "{name}");
    }
    let empty = tempdir().unwrap();
    let result = report(&[empty.path().to_str().unwrap()]);
    assert_code(&result, 3);
    let printed = stderr(&result);
    assert!(printed.contains("no receipt"), "{printed}");
    assert!(!output.exists());
    let result = report(&[&good, &good]);
    assert_code(&result, 0);
    let printed = stdout(&result);
    assert!(printed.starts_with("1 receipt, verdict exact"), "{printed}");
}
