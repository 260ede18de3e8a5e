//! A quantized matrix: a storage and the borrowed bytes that it describes.

use half::f16;

use super::{
    Format, Layout, ScaleRule, ShapeError, Sibling, Storage, StorageVariant, StorageVariantError,
    detect, variant,
};
use crate::gguf::GgmlType;

/// A matrix of quantized weights, `rows x cols`, as borrowed bytes. Nothing is copied or dequantized.
#[derive(Debug, Clone, Copy)]
pub struct Weights<'a> {
    storage: Storage,
    bytes: &'a [u8],
    companion: Companion<'a>,
}

/// The scales in a companion tensor.
#[derive(Debug, Clone, Copy)]
enum Companion<'a> {
    None,
    F32(&'a [u8]),
    F16(&'a [u8]),
}

/// A tensor of a file: a type, a shape and a span of bytes.
#[derive(Debug, Clone, Copy)]
pub struct RawTensor<'a> {
    /// Type id.
    pub ggml_type: GgmlType,
    /// Rows: the product of all dimensions but the first.
    pub rows: usize,
    /// Columns: the contiguous dimension.
    pub cols: usize,
    /// The bytes up to the next tensor or the end of the file.
    pub span: &'a [u8],
}

impl<'a> Weights<'a> {
    /// A view of `bytes`, which must have exactly [`Storage::bytes`] bytes.
    ///
    /// Scales that are not inside the tensor are 1; see [`Weights::with_scales`].
    ///
    /// # Errors
    ///
    /// [`ShapeError::Length`] if the length differs.
    pub fn new(storage: Storage, bytes: &'a [u8]) -> Result<Weights<'a>, ShapeError> {
        ShapeError::check("bytes of weights", bytes.len(), storage.bytes())?;
        Ok(Weights {
            storage,
            bytes,
            companion: Companion::None,
        })
    }

    /// Takes the scales from a companion tensor of f32 or f16, in row-major order.
    ///
    /// # Errors
    ///
    /// [`ShapeError::Length`] unless it holds exactly [`Storage::scale_count`] elements of one of these types, or if
    /// the scales are inside the tensor.
    pub fn with_scales(
        mut self,
        ggml_type: GgmlType,
        scales: &'a [u8],
    ) -> Result<Weights<'a>, ShapeError> {
        let outside = if self.storage.scale_offset().is_none() {
            self.storage.scale_count()
        } else {
            0
        };
        let (width, companion) = match ggml_type {
            GgmlType::F32 => (4, Companion::F32(scales)),
            GgmlType::F16 => (2, Companion::F16(scales)),
            _ => (0, Companion::None),
        };
        ShapeError::check("bytes of the scale tensor", scales.len(), outside * width)?;
        self.companion = companion;
        Ok(self)
    }

    /// A view of a tensor of a file, whose storage variant is detected by exact size.
    ///
    /// `layout` is the layout of the codes of I2_S's QK256 storage variants, which files do not record. Other types
    /// have one layout. `scales` is the companion tensor, if the file has one.
    ///
    /// # Errors
    ///
    /// As [`detect`], and [`ShapeError`] if `layout` cannot hold the shape or `scales` does not fit.
    pub fn from_tensor(
        tensor: RawTensor<'a>,
        layout: Layout,
        alignment: usize,
        scales: Option<RawTensor<'a>>,
    ) -> Result<Weights<'a>, StorageVariantError> {
        let RawTensor {
            ggml_type,
            rows,
            cols,
            span,
        } = tensor;
        let sibling = scales.map(|scales| Sibling {
            elements: scales.rows * scales.cols,
        });
        let variant = detect(ggml_type, rows, cols, span.len(), alignment, sibling)?;
        let format = variant::format_of(ggml_type, variant, layout)
            .ok_or(StorageVariantError::NotTernary(ggml_type))?;
        let storage = Storage::new(*format, variant, rows, cols)?;
        let weights = Weights::new(storage, &span[..storage.bytes()])?;
        match (scales, variant) {
            (
                Some(scales),
                StorageVariant::Bare | StorageVariant::PaddedRows | StorageVariant::Bitnet32Split,
            ) => {
                let width = if scales.ggml_type == GgmlType::F16 {
                    2
                } else {
                    4
                };
                let exact = scales.rows * scales.cols * width;
                let bytes = scales.span.get(..exact).unwrap_or(scales.span);
                Ok(weights.with_scales(scales.ggml_type, bytes)?)
            }
            _ => Ok(weights),
        }
    }

    /// Sizes and positions.
    pub fn storage(&self) -> &Storage {
        &self.storage
    }

    /// Format.
    pub fn format(&self) -> &Format {
        self.storage.format()
    }

    /// Rows of the matrix.
    pub fn rows(&self) -> usize {
        self.storage.rows()
    }

    /// Columns of the matrix.
    pub fn cols(&self) -> usize {
        self.storage.cols()
    }

    /// All bytes of the tensor, including the scales inside it.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The bytes of the panel that contains a row: its codes and inline scales.
    ///
    /// # Panics
    ///
    /// If the row lies outside the matrix.
    pub fn panel(&self, row: usize) -> &'a [u8] {
        let stride = self.storage.panel_stride();
        let panel = row / self.storage.layout().panel_rows();
        &self.bytes[panel * stride..][..stride]
    }

    /// The code of one weight.
    ///
    /// # Panics
    ///
    /// If the weight lies outside the matrix.
    pub fn code(&self, row: usize, col: usize) -> u8 {
        let slot = self.storage.slot(row, col);
        slot.digit.read(self.bytes[slot.byte])
    }

    /// Scale `index` in row-major order; see [`Storage::scale_index`]. 1 if the tensor has no scale.
    ///
    /// # Panics
    ///
    /// If there are not that many scales.
    pub fn scale(&self, index: usize) -> f32 {
        assert!(
            index < self.storage.scale_count(),
            "scale {index} of {:?}",
            self.storage
        );
        let f32_at =
            |bytes: &[u8], at: usize| f32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]));
        let f16_at =
            |bytes: &[u8], at: usize| f16::from_le_bytes([bytes[at], bytes[at + 1]]).to_f32();
        match (self.storage.scale_at(index), self.storage.format().scale) {
            (Some(at), ScaleRule::Tensor) => f32_at(self.bytes, at),
            (Some(at), ScaleRule::Block { .. }) => f16_at(self.bytes, at),
            (None, _) => match self.companion {
                Companion::None => 1.0,
                Companion::F32(scales) => f32_at(scales, 4 * index),
                Companion::F16(scales) => f16_at(scales, 2 * index),
            },
        }
    }

    /// The number of occurrences of each code 0 to 3, without padding.
    pub fn histogram(&self) -> [u64; 4] {
        let storage = &self.storage;
        let whole_units = storage.cols() / storage.unit_weights();
        let regions = storage.layout().regions(storage.unit_weights());
        let mut totals = [0; 4];
        for region in &regions {
            let mut seen = ByteCounts::default();
            for row in (0..storage.rows()).step_by(storage.layout().panel_rows()) {
                let units = self
                    .panel(row)
                    .chunks_exact(storage.unit_bytes())
                    .take(whole_units);
                if region.bytes.len() == storage.unit_bytes() {
                    seen.add(&self.panel(row)[..whole_units * storage.unit_bytes()]);
                } else {
                    units.for_each(|unit| seen.add(&unit[region.bytes.clone()]));
                }
            }
            for (byte, count) in seen.totals() {
                for digit in region.digits {
                    totals[digit.read(byte) as usize] += count;
                }
            }
        }
        for row in 0..storage.rows() {
            for col in whole_units * storage.unit_weights()..storage.cols() {
                totals[self.code(row, col) as usize] += 1;
            }
        }
        totals
    }
}

/// Counts of byte values. Four tables shorten the dependency chain of increments when a value repeats.
struct ByteCounts([[u64; 256]; 4]);

impl Default for ByteCounts {
    fn default() -> Self {
        ByteCounts([[0; 256]; 4])
    }
}

impl ByteCounts {
    fn add(&mut self, bytes: &[u8]) {
        let (quads, rest) = bytes.as_chunks::<4>();
        for quad in quads {
            for (table, &byte) in self.0.iter_mut().zip(quad) {
                table[byte as usize] += 1;
            }
        }
        rest.iter().for_each(|&byte| self.0[0][byte as usize] += 1);
    }

    fn totals(&self) -> impl Iterator<Item = (u8, u64)> + '_ {
        (0..=255u8).map(|byte| (byte, self.0.iter().map(|table| table[byte as usize]).sum()))
    }
}
