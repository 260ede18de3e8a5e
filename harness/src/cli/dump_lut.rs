//! `harness dump-lut`: shows the encoding of a model's tensors, as derived from the running oracles.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use qk256::format::Format;
use rayon::prelude::*;

use super::select::{OracleSelection, open_model};
use super::terminal::bold;
use super::{CliError, Output, outcomes, slots, style};
use crate::destination::{Destination, Destinations};
use crate::dump::{FormatDump, LutDump, OracleDump, TensorDump};
use crate::exit::Exit;
use crate::model::{ModelError, TernaryTensor};
use crate::outcome::Omission;
use crate::participant::{Reference, reference_layout};
use crate::printable;
use crate::probe::{Lut, ProbeError};
use crate::report::{LayoutMap, ReportError, draw_maps};
use crate::verdict::Verdict;

/// Show the value of each code of a model's ternary tensors, the slot of each weight, and the place of the scale
///
/// All tables are derived from the running oracle with one-hot probes and compared with the declaration of the Rust
/// implementation.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  harness dump-lut model.gguf
  harness dump-lut model.gguf --slots
  harness dump-lut model.gguf --tensor blk.0.attn_q.weight --format json | jq .verdict
  harness dump-lut model.gguf --oracle bitnet.cpp/strict --svg layout.svg")]
pub(super) struct DumpLutArgs {
    /// GGUF file with I2_S, TQ2_0 or TQ1_0 tensors
    model: PathBuf,
    /// Show only this tensor
    #[arg(long, value_name = "NAME")]
    tensor: Option<String>,
    #[command(flatten)]
    oracles: OracleSelection,
    /// Also show the slot of each weight of a block for every participant
    #[arg(long)]
    slots: bool,
    /// Draw the declared and derived layouts into this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

/// The tables of a format: the declared one and those derived from the oracles.
struct Tables {
    format: &'static Format,
    declared: Lut,
    derived: Vec<(String, Lut)>,
    omitted: Vec<Omission>,
}

impl Tables {
    /// All tables with the names of their participants.
    fn participants(&self) -> Vec<(&str, &Lut)> {
        let derived = self.derived.iter().map(|(id, lut)| (id.as_str(), lut));
        [("rust, declared", &self.declared)]
            .into_iter()
            .chain(derived)
            .collect()
    }
}

pub(super) fn run(args: &DumpLutArgs, out: &mut Output<'_>) -> Result<Exit, CliError> {
    if args.slots && out.is_json() {
        let words = "--slots is for people: it cannot be used with --format json";
        return Err(CliError::Usage(words.into()));
    }
    let mut destinations = Destinations::of_reading([&args.model]);
    let svg = args.svg.as_ref().map(|path| destinations.file(path));
    let svg = svg.transpose()?;
    out.share(&destinations)?;
    let oracles = args.oracles.load()?;
    let open = open_model(Some(&args.model))?;
    let mut tensors = open.model.ternary_tensors(reference_layout())?;
    if let Some(name) = &args.tensor {
        let known = tensors
            .iter()
            .map(|tensor| tensor.name.to_owned())
            .collect();
        tensors.retain(|tensor| tensor.name == name);
        if tensors.is_empty() {
            let path = args.model.clone();
            return Err(ModelError::NoTensor {
                path,
                name: name.clone(),
                known,
            }
            .into());
        }
    }
    let compared: Vec<&Reference> = oracles.references.iter().filter(|r| r.compared).collect();
    let tables = formats_of(&tensors)
        .map(|format| probe(format, &compared))
        .collect::<Result<Vec<Tables>, CliError>>()?;
    let formats: Vec<FormatDump> = tables.iter().map(|tables| dump(tables, &tensors)).collect();
    let verdict = Verdict::overall(formats.iter().map(|format| format.verdict));
    let result = LutDump {
        model: open.argument.clone(),
        formats,
        verdict,
    };

    open.model.require_unchanged()?;
    if let Some(svg) = svg {
        write_maps(&tables, svg)?;
    }
    if args.slots {
        for tables in &tables {
            slots::print(tables.format.type_name, &tables.participants(), out.text())?;
        }
    }
    print(&result, &oracles.omitted, out.text())?;
    writeln!(out.verdict(), "verdict: {}", style::verdict(verdict))?;
    out.document(|| &result)?;
    if result.formats.is_empty() {
        out.nothing_compared(format!("{} has no ternary tensor", result.model));
    }
    for format in &result.formats {
        match format.verdict {
            Verdict::Divergent => out.annotate(
                format_args!("an oracle decodes {} differently", format.format),
                "codes, layout or scale are not as declared",
            ),
            Verdict::Skipped => {
                let omitted = format.omitted.iter().chain(&oracles.omitted);
                omitted.for_each(|omission| out.nothing_compared(omission.to_string()));
            }
            _ => {}
        }
    }
    Ok(verdict.into())
}

/// The formats of the tensors, in the order of the list of formats.
fn formats_of(tensors: &[TernaryTensor<'_>]) -> impl Iterator<Item = &'static Format> {
    let there = |format: &&Format| tensors.iter().any(|t| t.weights.format() == *format);
    qk256::format::FORMATS.iter().filter(there)
}

fn probe(format: &'static Format, references: &[&Reference]) -> Result<Tables, CliError> {
    let declared = Lut::declared(format).map_err(ProbeError::from)?;
    let mut tables = Tables {
        format,
        declared,
        derived: Vec::new(),
        omitted: Vec::new(),
    };
    for reference in references {
        let id = reference.implementation.id();
        match reference.lut(format).as_ref() {
            Ok(lut) => tables.derived.push((id.into(), lut.clone())),
            Err(ProbeError::Implementation(error)) if error.is_omission() => {
                tables.omitted.push(error.into());
            }
            Err(error) => return Err(error.clone().into()),
        }
    }
    Ok(tables)
}

fn dump(tables: &Tables, tensors: &[TernaryTensor<'_>]) -> FormatDump {
    let Tables {
        format,
        declared,
        derived,
        omitted,
    } = tables;
    let oracles: Vec<OracleDump> = derived
        .iter()
        .map(|(id, lut)| OracleDump::new(id, lut, declared, format))
        .collect();
    let of_format = tensors
        .par_iter()
        .filter(|tensor| tensor.weights.format() == *format);
    FormatDump {
        format: format.type_name.into(),
        layout: format.layout.name().into(),
        declared: declared.clone(),
        verdict: Verdict::overall(oracles.iter().map(|oracle| oracle.verdict)),
        oracles,
        omitted: omitted.clone(),
        tensors: of_format.map(TensorDump::of).collect(),
    }
}

/// Draws the declared layout and that of the first oracle for each format.
fn write_maps(tables: &[Tables], destination: Destination) -> Result<(), CliError> {
    let rows: Vec<Vec<LayoutMap<'_>>> = tables
        .iter()
        .map(
            |Tables {
                 format,
                 declared,
                 derived,
                 ..
             }| {
                let oracle = derived.first().map(|(id, lut)| LayoutMap {
                    title: format!("{}: {id}", format.type_name),
                    lut,
                    declared: Some(declared),
                });
                let rust = LayoutMap {
                    title: format!("{}: rust, {}", format.type_name, format.id),
                    lut: declared,
                    declared: None,
                };
                oracle.into_iter().chain([rust]).collect()
            },
        )
        .collect();
    let svg = draw_maps(&rows).map_err(|reason| ReportError::Draw {
        figure: "the layouts".into(),
        reason,
    })?;
    Ok(destination.write_text(&svg)?)
}

fn print(result: &LutDump, omitted: &[Omission], out: &mut dyn Write) -> Result<(), CliError> {
    for format in &result.formats {
        let FormatDump {
            format: name,
            layout,
            declared,
            verdict,
            ..
        } = format;
        writeln!(out, "{}: {}", bold(name), style::verdict(*verdict))?;
        let headings = [
            "implementation",
            "codes",
            "layout",
            "weights in place",
            "scale",
        ];
        let mut table = style::table(&headings, 3..4);
        let scale = declared.scale.to_string();
        table.add_row([
            "rust, declared",
            &codes(&declared.codebook),
            layout,
            "256",
            &scale,
        ]);
        for oracle in &format.oracles {
            let in_place = oracle.slots_as_declared.to_string();
            table.add_row([
                oracle.id.as_str(),
                &codes(&oracle.derived.codebook),
                oracle.layout.as_deref().unwrap_or("unknown"),
                &in_place,
                &oracle.derived.scale.to_string(),
            ]);
        }
        writeln!(out, "{table}\n")?;
        outcomes::print_omitted(&format.omitted, out)?;
        print_tensors(format, out)?;
        writeln!(out)?;
    }
    outcomes::print_omitted(omitted, out)
}

fn print_tensors(format: &FormatDump, out: &mut dyn Write) -> Result<(), CliError> {
    let value = |code: usize| match format.declared.codebook.get(code) {
        Some(value) => format!("code {code} ({})", signed(*value)),
        None => format!("code {code}"),
    };
    let mut headings: Vec<String> = [
        "tensor",
        "rows",
        "cols",
        "storage variant",
        "scale",
        "scale at",
    ]
    .map(String::from)
    .to_vec();
    headings.extend((0..4).map(value));
    let headings: Vec<&str> = headings.iter().map(String::as_str).collect();
    let mut table = style::table(&headings, (1..3).chain(4..10));
    for tensor in &format.tensors {
        let [low, high] = tensor.scale_range;
        let mut row = vec![
            printable::line(&tensor.name).into_owned(),
            tensor.rows.to_string(),
            tensor.cols.to_string(),
            tensor.variant.clone(),
            tensor
                .scale
                .map_or(format!("{low:?}..{high:?}"), |scale| format!("{scale:?}")),
            tensor.scale_offset.map_or("-".into(), |at| at.to_string()),
        ];
        row.extend(tensor.code_histogram.map(style::count));
        table.add_row(row);
    }
    writeln!(out, "{table}")?;
    Ok(())
}

/// The values of the codes 0, 1, ... in order.
fn codes(codebook: &[i8]) -> String {
    let values: Vec<String> = codebook.iter().map(|&value| signed(value)).collect();
    values.join(" ")
}

/// A value with its sign, except zero.
fn signed(value: i8) -> String {
    if value == 0 {
        "0".into()
    } else {
        format!("{value:+}")
    }
}
