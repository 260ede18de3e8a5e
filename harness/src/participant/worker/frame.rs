//! Frames: the encoding of messages in a pipe.
//!
//! A frame is the length of the head (`u32`) and of the body (`u64`), the head, and the body. The head is a message as
//! JSON. The body holds bulk data (tokens, values, a path) as raw bytes. Both ends run on one machine, so numbers have
//! its byte order. Memory is allocated only as bytes arrive, not by the announced length.

use std::io::{self, Read, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes};

/// Maximal length of a head in bytes. Heads hold names and messages and are much smaller.
const MAX_HEAD: usize = 1 << 20;

/// Number of bytes allocated at once while a body arrives.
const PIECE: usize = 1 << 20;

/// Writes a message with its body.
pub(super) fn send<M: Serialize, T: IntoBytes + Immutable>(
    to: &mut impl Write,
    message: &M,
    body: &[T],
) -> io::Result<()> {
    let body = body.as_bytes();
    let head = serde_json::to_vec(message)?;
    if head.len() > MAX_HEAD {
        return Err(protocol_error(format!("a head of {} bytes", head.len())));
    }
    let mut start = Vec::with_capacity(12 + head.len());
    start.extend((head.len() as u32).to_ne_bytes());
    start.extend((body.len() as u64).to_ne_bytes());
    start.extend(head);
    to.write_all(&start)?;
    to.write_all(body)?;
    to.flush()
}

/// Reads a message and returns the number of bytes in its body, which must be read next.
pub(super) fn receive<M: DeserializeOwned>(from: &mut impl Read) -> io::Result<(M, u64)> {
    let (mut head, mut body) = ([0; 4], [0; 8]);
    from.read_exact(&mut head)?;
    from.read_exact(&mut body)?;
    let length = u32::from_ne_bytes(head) as usize;
    if length > MAX_HEAD {
        return Err(protocol_error(format!("a head of {length} bytes")));
    }
    let mut head = vec![0; length];
    from.read_exact(&mut head)?;
    let message =
        serde_json::from_slice(&head).map_err(|error| protocol_error(error.to_string()))?;
    Ok((message, u64::from_ne_bytes(body)))
}

/// Reads a body of `bytes` bytes with any number of elements.
pub(super) fn body<T>(from: &mut impl Read, bytes: u64) -> io::Result<Vec<T>>
where
    T: FromBytes + IntoBytes + FromZeros,
{
    let size = size_of::<T>() as u64;
    if !bytes.is_multiple_of(size) {
        return Err(protocol_error(format!(
            "a body of {bytes} bytes, not of whole {size}s"
        )));
    }
    let length = usize::try_from(bytes / size)
        .map_err(|_| protocol_error(format!("a body of {bytes} bytes")))?;
    let mut elements = Vec::new();
    while elements.len() < length {
        let have = elements.len();
        let end = length.min(have + PIECE / size_of::<T>());
        elements.resize_with(end, T::new_zeroed);
        from.read_exact(elements[have..].as_mut_bytes())?;
    }
    Ok(elements)
}

/// Reads a body that must have `length` elements.
pub(super) fn body_of<T>(
    from: &mut impl Read,
    bytes: u64,
    length: Option<usize>,
) -> io::Result<Vec<T>>
where
    T: FromBytes + IntoBytes + FromZeros,
{
    let wanted = length.and_then(|length| length.checked_mul(size_of::<T>()));
    if wanted.map(|wanted| wanted as u64) != Some(bytes) {
        let wanted = wanted.map_or("no such number".to_owned(), |wanted| wanted.to_string());
        return Err(protocol_error(format!(
            "a body of {bytes} bytes in place of {wanted}"
        )));
    }
    body(from, bytes)
}

/// The error for a message that violates the protocol.
pub(super) fn protocol_error(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sent_messages_are_received() {
        let values = [1.5f32, f32::NAN, -0.0];
        let mut pipe = Vec::new();
        send(&mut pipe, &"first", &values).unwrap();
        send(&mut pipe, &7u8, &[0u8; 0]).unwrap();
        let mut pipe = pipe.as_slice();
        let (message, bytes) = receive::<String>(&mut pipe).unwrap();
        assert_eq!((message.as_str(), bytes), ("first", 12));
        let arrived = body_of::<f32>(&mut pipe, bytes, Some(3)).unwrap();
        assert_eq!(arrived.as_bytes(), values.as_bytes());
        assert_eq!(receive::<u8>(&mut pipe).unwrap(), (7, 0));
        assert!(pipe.is_empty());
    }

    #[test]
    fn memory_is_allocated_only_as_bytes_arrive() {
        let error = body::<f32>(&mut [0u8; 64].as_slice(), u64::MAX - 3).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        let mut head = u32::MAX.to_ne_bytes().to_vec();
        head.extend([0; 100]);
        let error = receive::<String>(&mut head.as_slice()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn protocol_violations_are_reported() {
        let mut pipe = Vec::new();
        send(&mut pipe, &"word", &[0u8; 6]).unwrap();
        let error = receive::<u8>(&mut pipe.as_slice()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        for length in [None, Some(1), Some(usize::MAX)] {
            let error = body_of::<f32>(&mut [0u8; 6].as_slice(), 6, length).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
        assert!(body::<f32>(&mut [0u8; 6].as_slice(), 6).is_err());
    }
}
