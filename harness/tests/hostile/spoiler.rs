//! Makes malformed files from a valid one by one change each.

use harness::rewrite::ModelDraft;
use qk256::gguf::{GgmlType, Gguf, Value};

/// A malformed file and a description of its change.
pub(crate) struct Case {
    pub(crate) what: String,
    pub(crate) file: Vec<u8>,
}

/// Collects malformed files, each made from the valid one by one change.
pub(crate) struct Spoiler<'a> {
    pub(crate) good: Gguf<'a>,
    pub(crate) cases: Vec<Case>,
}

impl<'a> Spoiler<'a> {
    pub(crate) fn spoil(
        &mut self,
        what: impl Into<String>,
        change: impl FnOnce(&mut ModelDraft<'a>),
    ) {
        let mut draft = ModelDraft::of(&self.good);
        change(&mut draft);
        let what = what.into();
        // Skipped if the writer itself refuses the file.
        let file = draft.write(Vec::new());
        self.cases.extend(file.map(|file| Case { what, file }));
    }

    /// Every existing key: absent, of another type, and with every absurd value of its type.
    pub(crate) fn metadata(&mut self) {
        let entries = ModelDraft::of(&self.good).metadata;
        for (index, (key, value)) in entries.iter().enumerate() {
            self.spoil(format!("no {key}"), |draft| {
                draft.metadata.remove(index);
            });
            for absurd in absurd(value) {
                let what = format!("{key} = {absurd:?}");
                self.spoil(what, |draft| draft.metadata[index].1 = absurd);
            }
        }
    }

    /// An additional key with this value and every absurd one.
    pub(crate) fn added(&mut self, key: &str, value: Value<'a>) {
        for value in absurd(&value).into_iter().chain([value]) {
            let what = format!("{key} = {value:?}");
            self.spoil(what, |draft| draft.metadata.push((key.to_owned(), value)));
        }
    }

    /// Every tensor of the first layer and outside layers: absent, misshapen, of another type, with other values.
    pub(crate) fn tensors(&mut self) {
        let tensors = ModelDraft::of(&self.good).tensors;
        for (index, tensor) in tensors
            .iter()
            .enumerate()
            .filter(|(_, tensor)| !tensor.name.starts_with("blk.1"))
        {
            let name = &tensor.name;
            self.spoil(format!("no {name}"), |draft| {
                draft.tensors.remove(index);
            });
            for dims in misshapen(&tensor.dims) {
                // With the number of bytes that the shape requires, and with the original bytes.
                for fit in [true, false] {
                    self.spoil(format!("{name} of {dims:?}, bytes fit: {fit}"), |draft| {
                        let tensor = &mut draft.tensors[index];
                        let (was, is): (usize, usize) =
                            (tensor.dims.iter().product(), dims.iter().product());
                        if fit {
                            let len = tensor.bytes.len() * is / was;
                            tensor.bytes.to_mut().resize(len, 1);
                        }
                        tensor.dims = dims.clone();
                    });
                }
            }
            for ggml_type in [
                GgmlType::F32,
                GgmlType::F16,
                GgmlType::Q4_0,
                GgmlType::Q6_K,
                GgmlType::I2_S,
            ] {
                self.spoil(format!("{name} as {ggml_type:?}"), |draft| {
                    let tensor = &mut draft.tensors[index];
                    let elements: usize = tensor.dims.iter().product();
                    let Some(block) = ggml_type.block() else {
                        return;
                    };
                    tensor.ggml_type = ggml_type;
                    tensor.bytes = vec![0x3c; elements / block.weights * block.bytes].into();
                });
            }
            for (label, byte) in [("zeros", 0u8), ("NaN", 0xff)] {
                self.spoil(format!("{name} all {label}"), |draft| {
                    draft.tensors[index].bytes.to_mut().fill(byte)
                });
            }
            self.spoil(format!("{name} all infinite"), |draft| {
                let infinity: &[u8] = match draft.tensors[index].ggml_type {
                    GgmlType::F32 => &[0, 0, 0x80, 0x7f],
                    _ => &[0, 0x7c],
                };
                let bytes = draft.tensors[index].bytes.to_mut();
                bytes
                    .chunks_mut(infinity.len())
                    .for_each(|chunk| chunk.copy_from_slice(&infinity[..chunk.len()]));
            });
        }
        self.spoil("no tensors", |draft| draft.tensors.clear());
        self.spoil("a tensor of no use", |draft| {
            let mut unused = draft.tensors[0].clone();
            unused.name = "blk.9.attn_q.weight".into();
            draft.tensors.push(unused);
        });
    }

    /// The bytes of the file: truncated, and with counts and dimensions overwritten.
    pub(crate) fn bytes(&mut self) {
        let good = self.good.bytes();
        let data = self.good.data_start();
        for at in [
            0,
            3,
            4,
            8,
            23,
            24,
            100,
            data / 2,
            data - 1,
            data,
            data + 1,
            (data + good.len()) / 2,
            good.len() - 1,
        ] {
            self.cases.push(Case {
                what: format!("cut off at {at}"),
                file: good[..at].to_vec(),
            });
        }
        let mut patch = |what: String, at: usize, bytes: &[u8]| {
            let mut file = good.to_vec();
            file[at..at + bytes.len()].copy_from_slice(bytes);
            self.cases.push(Case { what, file });
        };
        for version in [0u32, 1, 4, 0x0300_0000, u32::MAX] {
            patch(format!("version {version}"), 4, &version.to_le_bytes());
        }
        for (label, at) in [("tensors", 8), ("metadata entries", 16)] {
            for count in [0u64, 1, 1 << 20, 1 << 40, u64::MAX] {
                patch(format!("{count} {label}"), at, &count.to_le_bytes());
            }
        }
        // A tensor's name is followed by the number of dimensions, the dimensions, the type and the offset.
        let name = b"blk.0.ffn_down.weight";
        let after = name.len()
            + good
                .windows(name.len())
                .position(|window| window == name)
                .expect("has this tensor");
        for dims in [0u32, 1, 3, 4, 5, u32::MAX] {
            patch(
                format!("ffn_down of {dims} dimensions"),
                after,
                &dims.to_le_bytes(),
            );
        }
        for dim in [0u64, 1, 1 << 31, 1 << 62, u64::MAX] {
            patch(
                format!("ffn_down of {dim} columns"),
                after + 4,
                &dim.to_le_bytes(),
            );
            patch(
                format!("ffn_down of {dim} rows"),
                after + 12,
                &dim.to_le_bytes(),
            );
        }
        for id in [4u32, 5, 24, 37, 40, 255, u32::MAX] {
            patch(
                format!("ffn_down of type {id}"),
                after + 20,
                &id.to_le_bytes(),
            );
        }
        for offset in [1u64, 32, 1 << 20, 1 << 40, u64::MAX - 31, u64::MAX] {
            patch(
                format!("ffn_down at {offset}"),
                after + 24,
                &offset.to_le_bytes(),
            );
        }
    }
}

/// Values that no model has, of the same type and of other types.
fn absurd<'a>(value: &Value<'a>) -> Vec<Value<'a>> {
    let mut values = match value {
        Value::U32(_) => [0, 1, 2, 3, 7, 1 << 16, i32::MAX as u32, u32::MAX]
            .map(Value::U32)
            .to_vec(),
        Value::F32(_) => [
            0.0,
            -1.0,
            f32::NAN,
            f32::INFINITY,
            f32::MIN_POSITIVE,
            f32::MAX,
        ]
        .map(Value::F32)
        .to_vec(),
        Value::Bool(bit) => vec![Value::Bool(!bit)],
        Value::Str(_) => vec![Value::Str(""), Value::Str("no such thing")],
        _ => Vec::new(),
    };
    values.extend([Value::I32(-1), Value::U64(u64::MAX), Value::Str("text")]);
    values
}

/// Shapes other than this one.
fn misshapen(dims: &[usize]) -> Vec<Vec<usize>> {
    let mut transposed = dims.to_vec();
    transposed.reverse();
    let with = |index: usize, dim: usize| {
        let mut dims = dims.to_vec();
        dims[index] = dim;
        dims
    };
    let last = dims.len() - 1;
    let mut shapes = vec![
        transposed,
        with(0, dims[0] * 2),
        with(0, dims[0] / 2),
        with(last, dims[last] * 2),
        with(last, 1),
        vec![dims.iter().product()],
        [dims, &[2]].concat(),
    ];
    shapes.retain(|shape| shape != dims);
    shapes
}
