//! The reader reads what the writer has written.

use proptest::collection::vec;
use proptest::prelude::*;
use qk256::gguf::{ALIGNMENT_KEY, ArrayBuf, Builder, GgmlType, Gguf, Value, ValueType};
use std::io::Write;
use testing::test;

/// An owned value.
#[derive(Debug, Clone)]
enum Owned {
    Number(Value<'static>),
    Text(String),
    Array(ArrayBuf),
}

impl Owned {
    fn as_value(&self) -> Value<'_> {
        match self {
            Self::Number(value) => *value,
            Self::Text(text) => Value::Str(text),
            Self::Array(array) => array.into(),
        }
    }
}

/// Arrays of one Rust type.
fn array_of<T>(items: impl Strategy<Value = T> + 'static) -> BoxedStrategy<ArrayBuf>
where
    T: std::fmt::Debug + 'static,
    for<'s> ArrayBuf: From<&'s [T]>,
{
    vec(items, 0..5)
        .prop_map(|items| ArrayBuf::from(&items[..]))
        .boxed()
}

fn arrays() -> impl Strategy<Value = ArrayBuf> {
    let flat = prop_oneof![
        array_of(any::<u8>()),
        array_of(any::<i8>()),
        array_of(any::<u16>()),
        array_of(any::<i16>()),
        array_of(any::<u32>()),
        array_of(any::<i32>()),
        array_of(any::<u64>()),
        array_of(any::<i64>()),
        array_of(any::<u32>().prop_map(f32::from_bits)),
        array_of(any::<u64>().prop_map(f64::from_bits)),
        array_of(any::<bool>()),
        vec(".{0,6}", 0..5).prop_map(ArrayBuf::strings),
        prop::sample::select(ValueType::ALL.to_vec()).prop_map(ArrayBuf::empty),
    ];
    flat.prop_recursive(4, 16, 4, |inner| {
        vec(inner, 0..4)
            .prop_map(|arrays| ArrayBuf::arrays(arrays.iter().map(ArrayBuf::as_array)).unwrap())
    })
}

fn values() -> impl Strategy<Value = Owned> {
    let number = prop_oneof![
        any::<u8>().prop_map(Value::from),
        any::<i8>().prop_map(Value::from),
        any::<u16>().prop_map(Value::from),
        any::<i16>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f32>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ];
    prop_oneof![
        number.prop_map(Owned::Number),
        ".{0,12}".prop_map(Owned::Text),
        arrays().prop_map(Owned::Array),
    ]
}

/// Dimensions, type and data.
type Matrix = (Vec<usize>, GgmlType, Vec<u8>);

fn matrices() -> impl Strategy<Value = Matrix> {
    let rest = vec(1usize..4, 0..4);
    let ggml_type = prop::sample::select(GgmlType::ALL.to_vec());
    (1usize..4, rest, ggml_type, 1usize..300, any::<u8>()).prop_map(
        |(blocks, rest, ggml_type, length, seed)| {
            let block = ggml_type.block().unwrap_or(qk256::gguf::Block {
                weights: 1,
                bytes: 1,
            });
            let rows: usize = rest.iter().product();
            let mut dims = vec![blocks * block.weights];
            dims.extend(rest);
            let length = match ggml_type.block() {
                Some(block) => rows * blocks * block.bytes,
                None => length,
            };
            let data = (0..length)
                .map(|at| (at as u8).wrapping_mul(31) ^ seed)
                .collect();
            (dims, ggml_type, data)
        },
    )
}

/// Items with unique names, in no particular order.
fn named<T: std::fmt::Debug>(
    items: impl Strategy<Value = T>,
) -> impl Strategy<Value = Vec<(String, T)>> {
    vec((".{0,10}", items), 0..8).prop_map(|mut items| {
        let mut seen = std::collections::BTreeSet::from([ALIGNMENT_KEY.to_owned()]);
        items.retain(|(name, _)| seen.insert(name.clone()));
        items
    })
}

fn write(
    metadata: &[(String, Owned)],
    tensors: &[(String, Matrix)],
    alignment: Option<u32>,
    piece: usize,
) -> Vec<u8> {
    let mut builder = Builder::default();
    for (key, value) in metadata {
        builder.metadata(key, value.as_value()).unwrap();
    }
    for (name, (dims, ggml_type, data)) in tensors {
        builder
            .tensor(name, dims, *ggml_type, data.len() as u64)
            .unwrap();
    }
    if let Some(alignment) = alignment {
        builder.metadata(ALIGNMENT_KEY, alignment).unwrap();
    }
    let mut writer = builder.start(Vec::new()).unwrap();
    for (name, (_, _, data)) in tensors {
        let pieces = |sink: &mut dyn Write| {
            data.chunks(piece)
                .try_for_each(|piece| sink.write_all(piece))
        };
        writer = writer.stream(name, |sink| pieces(sink)).unwrap();
    }
    writer.finish().unwrap()
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        metadata in named(values()),
        tensors in named(matrices()),
        alignment in prop::option::of((3u32..9).prop_map(|bit| 1 << bit)),
        piece in 1usize..400,
    ) {
        let file = write(&metadata, &tensors, alignment, piece);
        prop_assert_eq!(&file, &write(&metadata, &tensors, alignment, usize::MAX));
        crate::fuzz::check_gguf(&file).unwrap();
        let gguf = Gguf::parse(&file).unwrap();
        prop_assert_eq!(gguf.version(), 3);
        prop_assert_eq!(gguf.alignment(), alignment.unwrap_or(32) as usize);

        let mut written: Vec<_> = metadata.iter().map(|(k, v)| (k.as_str(), v.as_value())).collect();
        written.extend(alignment.map(|alignment| (ALIGNMENT_KEY, Value::U32(alignment))));
        prop_assert_eq!(gguf.metadata().collect::<Vec<_>>(), written);

        prop_assert_eq!(gguf.tensor_count(), tensors.len());
        for (read, (name, (dims, ggml_type, data))) in gguf.tensors().zip(&tensors) {
            prop_assert_eq!(read.name(), name);
            prop_assert_eq!(read.dims(), dims);
            prop_assert_eq!(read.ggml_type(), *ggml_type);
            let (own, padding) = read.bytes().split_at(data.len());
            prop_assert_eq!(own, &data[..]);
            prop_assert!(padding.len() < gguf.alignment() && padding.iter().all(|&b| b == 0));
            prop_assert!(read.data().is_none_or(|bytes| bytes == &data[..]));
        }
    }
}

#[test]
fn the_bits_of_numbers_survive() {
    let nan = f32::from_bits(0x7fa0_1234);
    let mut builder = Builder::default();
    builder.metadata("nan", nan).unwrap();
    builder.metadata("zero", -0.0f64).unwrap();
    let file = builder.start(Vec::new()).unwrap().finish().unwrap();
    let gguf = Gguf::parse(&file).unwrap();
    assert_eq!(gguf.f32("nan").unwrap().to_bits(), nan.to_bits());
    assert_eq!(
        gguf.value::<f64>("zero").unwrap().to_bits(),
        (-0.0f64).to_bits()
    );
}
