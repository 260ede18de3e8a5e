//! The pass that checks a file and indexes its parts.

use super::cursor::Cursor;
use super::error::{GgufError, shortened};
use super::header::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT, MAGIC, check_alignment, check_version};
use super::problem::Problem;
use super::tensor::TensorInfo;
use super::value::{MAX_ARRAY_DEPTH, Value, read_type};

/// Minimum size of a metadata entry in bytes: the length of an empty key, the type, a value of one byte.
const LEAST_ENTRY_BYTES: usize = 8 + 4 + 1;

/// Positions of the parts of a valid file.
///
/// An entry of each list is smaller than the corresponding entry of the file, so no list is larger than the file.
#[derive(Debug, Clone)]
pub(super) struct Index {
    pub(super) version: u32,
    pub(super) alignment: usize,
    /// Start of each metadata entry, in file order.
    pub(super) entries: Vec<usize>,
    /// Indices of `entries` in the order of the keys' bytes.
    pub(super) by_key: Vec<u32>,
    /// The tensors in file order.
    pub(super) tensors: Vec<Place>,
    /// Indices of `tensors` in the order of the names' bytes.
    pub(super) by_name: Vec<u32>,
    /// Start of the data section.
    pub(super) data_start: usize,
}

/// The position of one tensor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Start of the tensor info.
    pub(super) info: usize,
    /// First byte of the data.
    pub(super) start: usize,
    /// End of the span.
    pub(super) end: usize,
}

const _: () = assert!(size_of::<usize>() < LEAST_ENTRY_BYTES);
const _: () = assert!(size_of::<Place>() < TensorInfo::LEAST_BYTES);

/// One metadata entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) key: &'a str,
    pub(super) value: Value<'a>,
    /// Start of the value in the file.
    value_at: usize,
}

impl<'a> Entry<'a> {
    /// Reads entry `index` of the metadata.
    pub(super) fn read(cursor: &mut Cursor<'a>, index: usize) -> Result<Self, GgufError> {
        let place = |error: GgufError| error.within(format_args!("metadata[{index}]"));
        let key = cursor.str("key").map_err(place)?;
        let place = |error| place(error).of_entry(key);
        let value_type = read_type(cursor, "type").map_err(place)?;
        let value_at = cursor.position();
        let value = Value::read(cursor, "value", value_type, MAX_ARRAY_DEPTH).map_err(place)?;
        Ok(Self {
            key,
            value,
            value_at,
        })
    }
}

/// The string at offset `at`, as bytes: the key of an entry or the name of a tensor.
pub(super) fn name_at(bytes: &[u8], at: usize) -> &[u8] {
    // The string was read before, so the read cannot fail. Comparing bytes needs no second UTF-8 check.
    Cursor::new(bytes, at).str_bytes("").unwrap_or_default()
}

impl Index {
    /// Checks the whole file except for the tensor data.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, GgufError> {
        Self::parse_head(bytes, bytes.len())
    }

    /// Checks a file of `file_bytes` bytes. `bytes` are the bytes before the tensor data.
    pub(super) fn parse_head(bytes: &[u8], file_bytes: usize) -> Result<Self, GgufError> {
        let mut cursor = Cursor::new(bytes, 0);
        let found = cursor.magic("magic")?;
        if found != MAGIC {
            return Err(GgufError::malformed("magic", 0, Problem::Magic { found }));
        }
        let at = cursor.position();
        let version = cursor.u32("version")?;
        check_version(version).map_err(|problem| GgufError::malformed("version", at, problem))?;
        let tensor_count = listed(&mut cursor, "tensor_count", TensorInfo::LEAST_BYTES)?;
        let entry_count = listed(&mut cursor, "metadata_count", LEAST_ENTRY_BYTES)?;

        let mut alignment = DEFAULT_ALIGNMENT;
        // Both counts were checked against the remaining bytes.
        let mut entries = Vec::with_capacity(entry_count);
        for index in 0..entry_count {
            entries.push(cursor.position());
            let entry = Entry::read(&mut cursor, index)?;
            if entry.key == ALIGNMENT_KEY {
                alignment = read_alignment(&entry).map_err(|problem| {
                    GgufError::malformed("value", entry.value_at, problem)
                        .within(format_args!("metadata[{index}]"))
                        .of_entry(entry.key)
                })?;
            }
        }
        let by_key = sorted_by_name(bytes, &entries, "metadata", "key")?;

        let mut infos = Vec::with_capacity(tensor_count);
        for index in 0..tensor_count {
            infos.push(cursor.position());
            TensorInfo::read(&mut cursor, index)?;
        }
        let by_name = sorted_by_name(bytes, &infos, "tensor_infos", "name")?;

        let data_start = cursor.position().checked_next_multiple_of(alignment);
        let data_start = data_start.unwrap_or(usize::MAX);
        let tensors = place_tensors(bytes, file_bytes, &infos, data_start, alignment)?;
        Ok(Self {
            version,
            alignment,
            entries,
            by_key,
            tensors,
            by_name,
            data_start,
        })
    }
}

/// Reads the length of a list. Lists are indexed by `u32`; real files have far fewer entries.
fn listed(cursor: &mut Cursor<'_>, field: &str, least: usize) -> Result<usize, GgufError> {
    let at = cursor.position();
    let count = cursor.count(field, least)?;
    if u32::try_from(count).is_err() {
        let problem = Problem::Count {
            found: count as u64,
            most: u32::MAX.into(),
        };
        return Err(GgufError::malformed(field, at, problem));
    }
    Ok(count)
}

fn read_alignment(entry: &Entry<'_>) -> Result<usize, Problem> {
    match entry.value {
        Value::U32(found) => check_alignment(found),
        other => Err(Problem::AlignmentType {
            found: other.value_type(),
        }),
    }
}

/// The indices of `positions`, sorted by the names at these positions. The names must be unique.
fn sorted_by_name(
    bytes: &[u8],
    positions: &[usize],
    list: &str,
    field: &str,
) -> Result<Vec<u32>, GgufError> {
    let name = |index: u32| name_at(bytes, positions[index as usize]);
    let mut order: Vec<u32> = (0..positions.len() as u32).collect();
    // Ties are sorted by index, so that the error reports the later of two equal names.
    order.sort_unstable_by(|&a, &b| name(a).cmp(name(b)).then(a.cmp(&b)));
    match order.windows(2).find(|pair| name(pair[0]) == name(pair[1])) {
        None => Ok(order),
        Some(pair) => {
            let (first, again) = (pair[0] as usize, pair[1] as usize);
            let text = String::from_utf8_lossy(name(pair[1]));
            let problem = Problem::Duplicate { first };
            Err(GgufError::malformed(field, positions[again], problem)
                .within(format_args!("{list}[{again}]"))
                .of_entry(&text))
        }
    }
}

/// Computes spans from data offsets. Spans must be aligned, inside the file, and large enough for shape and type.
fn place_tensors(
    bytes: &[u8],
    file_bytes: usize,
    infos: &[usize],
    data_start: usize,
    alignment: usize,
) -> Result<Vec<Place>, GgufError> {
    let info_of = |index: usize| TensorInfo::read(&mut Cursor::new(bytes, infos[index]), index);
    let available = file_bytes.saturating_sub(data_start);
    let mut places = Vec::with_capacity(infos.len());
    for (index, &info_at) in infos.iter().enumerate() {
        let info = info_of(index)?;
        let found = info.offset;
        if !found.is_multiple_of(alignment as u64) {
            return Err(info.bad_offset(index, Problem::Misaligned { found, alignment }));
        }
        let offset = usize::try_from(found)
            .ok()
            .filter(|&offset| offset < available);
        let Some(offset) = offset else {
            let available = available as u64;
            return Err(info.bad_offset(index, Problem::OutsideFile { found, available }));
        };
        places.push(Place {
            info: info_at,
            start: data_start + offset,
            end: file_bytes,
        });
    }

    let mut by_start: Vec<u32> = (0..places.len() as u32).collect();
    by_start.sort_unstable_by_key(|&index| (places[index as usize].start, index));
    for (rank, &index) in by_start.iter().enumerate() {
        let index = index as usize;
        let next = by_start.get(rank + 1).map(|&next| next as usize);
        let end = next.map_or(file_bytes, |next| places[next].start);
        let span = end - places[index].start;
        let info = info_of(index)?;
        // A tensor of unknown size has at least one element and so at least one byte.
        let needed = info.shape.nominal_bytes().unwrap_or(1);
        if span < needed {
            let ggml_type = info.shape.ggml_type();
            let problem = match (ggml_type.also(), next) {
                (Some(also), _) => Problem::OtherType {
                    span,
                    needed,
                    ggml_type,
                    also,
                },
                (None, None) => Problem::DataCutShort { span, needed },
                (None, Some(next)) => {
                    let next = shortened(info_of(next)?.name);
                    Problem::Overlap { next, span, needed }
                }
            };
            return Err(info.bad_offset(index, problem));
        }
        places[index].end = end;
    }
    Ok(places)
}
