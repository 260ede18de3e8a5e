//! Matrices of f32 in NumPy's format, version 1.0 (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).

use std::io::{self, Write};

/// The length of everything before the data is a multiple of this number of bytes.
const ALIGNMENT: usize = 64;

/// Length of the magic, the version and the header length, in bytes.
const PREAMBLE: usize = 10;

/// Writes the header for a `rows x cols` matrix of little-endian f32, row-major.
///
/// # Errors
///
/// The sink's error.
pub fn write_header(sink: &mut dyn Write, rows: usize, cols: usize) -> io::Result<()> {
    let mut header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {cols}), }}");
    let end = (PREAMBLE + header.len() + 1).next_multiple_of(ALIGNMENT);
    let padding = end - PREAMBLE - header.len() - 1;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    let length = u16::try_from(header.len()).expect("two numbers fit in a header");
    sink.write_all(b"\x93NUMPY\x01\x00")?;
    sink.write_all(&length.to_le_bytes())?;
    sink.write_all(header.as_bytes())
}

/// Writes values in row-major order.
///
/// # Errors
///
/// The sink's error.
pub fn write_values(sink: &mut dyn Write, values: &[f32]) -> io::Result<()> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    sink.write_all(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_aligned_and_has_shape_and_type() {
        let mut bytes = Vec::new();
        write_header(&mut bytes, 8, 128_256).unwrap();
        write_values(&mut bytes, &[1.0]).unwrap();
        assert_eq!(bytes[..8], *b"\x93NUMPY\x01\x00");
        let header = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let data = PREAMBLE + header;
        assert_eq!((data % ALIGNMENT, bytes.len() - data), (0, 4));
        assert_eq!(bytes[data..], 1f32.to_le_bytes());
        let header = str::from_utf8(&bytes[PREAMBLE..data]).unwrap();
        assert!(
            header.starts_with("{'descr': '<f4', 'fortran_order': False, 'shape': (8, 128256), }")
        );
        assert!(header.ends_with('\n'));
    }
}
