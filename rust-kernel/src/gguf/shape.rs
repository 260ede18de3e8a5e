//! Dimensions and type of a tensor, and its size in elements and bytes.

use super::ggml_type::GgmlType;
use super::problem::Problem;

/// The most dimensions that a tensor can have.
pub const MAX_DIMS: usize = 4;

/// Dimensions and type of a tensor. There are 1 to 4 dimensions, none is zero, their product fits in memory, the type
/// is known, and rows are whole blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Padded with ones, so that products can include all of them.
    dims: [usize; MAX_DIMS],
    count: usize,
    ggml_type: GgmlType,
}

impl Shape {
    /// The shape of these dimensions (`dims[0]` the contiguous one) and this type.
    ///
    /// # Errors
    ///
    /// [`Problem::DimensionCount`], [`Problem::ZeroDimension`], [`Problem::DimensionOverflow`],
    /// [`Problem::UnknownType`] or [`Problem::PartialBlock`].
    pub fn new(dims: &[usize], ggml_type: GgmlType) -> Result<Self, Problem> {
        let count = dims.len();
        if !(1..=MAX_DIMS).contains(&count) {
            return Err(Problem::DimensionCount {
                found: count as u64,
                most: MAX_DIMS,
            });
        }
        if dims.contains(&0) {
            return Err(Problem::ZeroDimension);
        }
        let mut padded = [1; MAX_DIMS];
        padded[..count].copy_from_slice(dims);
        let shape = Self {
            dims: padded,
            count,
            ggml_type,
        };
        let elements = dims.iter().try_fold(1, |product, &dim| {
            addressable(usize::checked_mul(product, dim)?)
        });
        let elements = elements.ok_or(Problem::DimensionOverflow)?;
        if !ggml_type.is_known() {
            return Err(Problem::UnknownType { found: ggml_type.0 });
        }
        if let Some(block) = ggml_type.block() {
            let columns = shape.columns();
            if !columns.is_multiple_of(block.weights) {
                return Err(Problem::PartialBlock {
                    columns,
                    block: block.weights,
                    ggml_type,
                });
            }
            (elements / block.weights)
                .checked_mul(block.bytes)
                .and_then(addressable)
                .ok_or(Problem::DimensionOverflow)?;
        }
        Ok(shape)
    }

    /// The dimensions, the contiguous one first.
    pub fn dims(&self) -> &[usize] {
        &self.dims[..self.count]
    }

    /// The type.
    pub fn ggml_type(&self) -> GgmlType {
        self.ggml_type
    }

    /// Elements of one row: `dims[0]`.
    pub fn columns(&self) -> usize {
        self.dims[0]
    }

    /// Rows: the product of all dimensions but the first.
    pub fn rows(&self) -> usize {
        self.dims[1..].iter().product()
    }

    /// `rows x columns`.
    pub fn elements(&self) -> usize {
        self.dims.iter().product()
    }

    /// Size in bytes computed from the shape and the block of the type, or `None` if the type has no reliable block;
    /// see [`GgmlType::block`].
    pub fn nominal_bytes(&self) -> Option<usize> {
        let block = self.ggml_type.block()?;
        Some(self.elements() / block.weights * block.bytes)
    }
}

/// `size`, unless it is too large: no slice is longer than `isize::MAX` bytes, and ggml counts elements in an `i64`.
fn addressable(size: usize) -> Option<usize> {
    (size <= isize::MAX as usize).then_some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_everything_but_the_contiguous_dimension() {
        let shape = Shape::new(&[512, 3, 5], GgmlType::TQ2_0).unwrap();
        assert_eq!(shape.dims(), [512, 3, 5]);
        assert_eq!(
            (shape.columns(), shape.rows(), shape.elements()),
            (512, 15, 7680)
        );
        assert_eq!(shape.nominal_bytes(), Some(15 * 2 * 66));
        let vector = Shape::new(&[7], GgmlType::I2_S).unwrap();
        assert_eq!(
            (vector.columns(), vector.rows(), vector.nominal_bytes()),
            (7, 1, None)
        );
    }

    #[test]
    fn impossible_shapes_are_refused() {
        let refused = |dims: &[usize], t| Shape::new(dims, t).unwrap_err();
        let most = MAX_DIMS;
        assert_eq!(
            refused(&[], GgmlType::F32),
            Problem::DimensionCount { found: 0, most }
        );
        assert_eq!(
            refused(&[1; 5], GgmlType::F32),
            Problem::DimensionCount { found: 5, most }
        );
        assert_eq!(refused(&[4, 0], GgmlType::F32), Problem::ZeroDimension);
        assert_eq!(
            refused(&[1], GgmlType(77)),
            Problem::UnknownType { found: 77 }
        );
        assert_eq!(
            refused(&[255, 256], GgmlType::TQ1_0),
            Problem::PartialBlock {
                columns: 255,
                block: 256,
                ggml_type: GgmlType::TQ1_0
            }
        );
    }

    #[test]
    fn products_that_overflow_are_refused() {
        let half = 1 << (usize::BITS / 2);
        for (dims, t) in [
            (&[half, half][..], GgmlType::I2_S),
            (&[half, half / 2], GgmlType::I2_S),
            (
                &[usize::MAX, usize::MAX, usize::MAX, usize::MAX],
                GgmlType::F32,
            ),
            (&[isize::MAX as usize / 2], GgmlType::F32),
            (&[half, half / 16], GgmlType::F64),
        ] {
            assert_eq!(
                Shape::new(dims, t),
                Err(Problem::DimensionOverflow),
                "{dims:?} {t}"
            );
        }
        assert!(Shape::new(&[half, half / 4], GgmlType::I2_S).is_ok());
    }
}
