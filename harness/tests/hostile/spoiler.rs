//! Good files, spoilt by one change each.

use qk256::gguf::{Builder, GgmlType, Gguf, Tensor, Value};

/// A tensor to write.
#[derive(Clone)]
struct Draft {
    name: String,
    dims: Vec<usize>,
    ggml_type: GgmlType,
    bytes: Vec<u8>,
}

/// The parts of a good file, to spoil.
pub(crate) struct Parts<'a> {
    pub(crate) metadata: Vec<(String, Value<'a>)>,
    tensors: Vec<Draft>,
}

impl<'a> Parts<'a> {
    fn of(gguf: &Gguf<'a>) -> Parts<'a> {
        let draft = |tensor: Tensor<'a>| Draft {
            name: tensor.name().to_owned(),
            dims: tensor.dims().to_vec(),
            ggml_type: tensor.ggml_type(),
            bytes: tensor.bytes().to_vec(),
        };
        Parts {
            metadata: gguf
                .metadata()
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
            tensors: gguf.tensors().map(draft).collect(),
        }
    }

    /// The file, or nothing if even the writer knows that it cannot be.
    fn write(&self) -> Option<Vec<u8>> {
        let mut builder = Builder::default();
        for (key, value) in &self.metadata {
            builder.metadata(key, *value).ok()?;
        }
        for Draft {
            name,
            dims,
            ggml_type,
            bytes,
        } in &self.tensors
        {
            builder
                .tensor(name, dims, *ggml_type, bytes.len() as u64)
                .ok()?;
        }
        let mut writer = builder.start(Vec::new()).ok()?;
        for tensor in &self.tensors {
            writer = writer.tensor(&tensor.name, &tensor.bytes).ok()?;
        }
        writer.finish().ok()
    }
}

/// A spoilt file and what was done to it.
pub(crate) struct Case {
    pub(crate) what: String,
    pub(crate) file: Vec<u8>,
}

/// Collects spoilt files, each made from the good one by one change.
pub(crate) struct Spoiler<'a> {
    pub(crate) good: Gguf<'a>,
    pub(crate) cases: Vec<Case>,
}

impl<'a> Spoiler<'a> {
    pub(crate) fn spoil(&mut self, what: impl Into<String>, change: impl FnOnce(&mut Parts<'a>)) {
        let mut parts = Parts::of(&self.good);
        change(&mut parts);
        let what = what.into();
        self.cases
            .extend(parts.write().map(|file| Case { what, file }));
    }

    /// Every key that is there: absent, of another type, and every absurd value of its own.
    pub(crate) fn metadata(&mut self) {
        let entries = Parts::of(&self.good).metadata;
        for (index, (key, value)) in entries.iter().enumerate() {
            self.spoil(format!("no {key}"), |parts| {
                parts.metadata.remove(index);
            });
            for absurd in absurd(value) {
                let what = format!("{key} = {absurd:?}");
                self.spoil(what, |parts| parts.metadata[index].1 = absurd);
            }
        }
    }

    /// A key that is not there, with this value and every absurd one.
    pub(crate) fn added(&mut self, key: &str, value: Value<'a>) {
        for value in absurd(&value).into_iter().chain([value]) {
            let what = format!("{key} = {value:?}");
            self.spoil(what, |parts| parts.metadata.push((key.to_owned(), value)));
        }
    }

    /// Every tensor of the first layer and of none: absent, misshapen, of another type, with other values.
    pub(crate) fn tensors(&mut self) {
        let drafts = Parts::of(&self.good).tensors;
        for (index, draft) in drafts
            .iter()
            .enumerate()
            .filter(|(_, draft)| !draft.name.starts_with("blk.1"))
        {
            let name = &draft.name;
            self.spoil(format!("no {name}"), |parts| {
                parts.tensors.remove(index);
            });
            for dims in misshapen(&draft.dims) {
                // With bytes as the shape asks for, and with those that were there.
                for fit in [true, false] {
                    self.spoil(format!("{name} of {dims:?}, bytes fit: {fit}"), |parts| {
                        let tensor = &mut parts.tensors[index];
                        let (was, is): (usize, usize) =
                            (tensor.dims.iter().product(), dims.iter().product());
                        if fit {
                            tensor.bytes.resize(tensor.bytes.len() * is / was, 1);
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
                self.spoil(format!("{name} as {ggml_type:?}"), |parts| {
                    let tensor = &mut parts.tensors[index];
                    let elements: usize = tensor.dims.iter().product();
                    let Some(block) = ggml_type.block() else {
                        return;
                    };
                    tensor.ggml_type = ggml_type;
                    tensor.bytes = vec![0x3c; elements / block.weights * block.bytes];
                });
            }
            for (label, byte) in [("zeros", 0u8), ("NaN", 0xff)] {
                self.spoil(format!("{name} all {label}"), |parts| {
                    parts.tensors[index].bytes.fill(byte)
                });
            }
            self.spoil(format!("{name} all infinite"), |parts| {
                let infinity: &[u8] = match parts.tensors[index].ggml_type {
                    GgmlType::F32 => &[0, 0, 0x80, 0x7f],
                    _ => &[0, 0x7c],
                };
                let bytes = &mut parts.tensors[index].bytes;
                bytes
                    .chunks_mut(infinity.len())
                    .for_each(|chunk| chunk.copy_from_slice(&infinity[..chunk.len()]));
            });
        }
        self.spoil("no tensors", |parts| parts.tensors.clear());
        self.spoil("a tensor of no use", |parts| {
            let mut unused = parts.tensors[0].clone();
            unused.name = "blk.9.attn_q.weight".into();
            parts.tensors.push(unused);
        });
    }

    /// The bytes themselves: cut off, counts and dimensions overwritten.
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
        // What follows a tensor's name: number of dimensions, dimensions, type, offset.
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

/// Values that no model has, of the same type and of another.
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
