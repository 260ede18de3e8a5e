//! The nodes of a model's graph during a computation.

use std::any::Any;
use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::ffi::oracle_node;

/// A tensor of the compute graph, right after it was computed.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// Name of the tensor, such as `attn_norm-0`.
    pub name: &'a str,
    /// The operation that computed it, such as `MUL_MAT`. Unary operations have their own names, such as `SILU`.
    pub op: &'a str,
    /// Element type, such as `f32`.
    pub element: &'a str,
    /// Names of the operands, including weights and other leaves of the graph.
    pub inputs: &'a [&'a str],
    /// Number of elements in each dimension, the contiguous one first.
    pub ne: [i64; 4],
    /// Stride of each dimension in bytes.
    pub nb: [usize; 4],
    /// Bytes from the first element to the end of the last; empty if the node has no data of its own.
    pub data: &'a [u8],
}

impl Node<'_> {
    /// The elements in the order of `ne`, read with the strides. `None` if they are not f32 or not all in `data`.
    pub fn f32_values(&self) -> Option<Vec<f32>> {
        if self.element != "f32" {
            return None;
        }
        let mut extent = [0; 4];
        for (extent, ne) in extent.iter_mut().zip(self.ne) {
            *extent = usize::try_from(ne).ok()?;
        }
        let mut values = Vec::new();
        for i3 in 0..extent[3] {
            for i2 in 0..extent[2] {
                for i1 in 0..extent[1] {
                    for i0 in 0..extent[0] {
                        let at = [i0, i1, i2, i3]
                            .into_iter()
                            .zip(self.nb)
                            .try_fold(0usize, |at, (i, nb)| at.checked_add(i.checked_mul(nb)?))?;
                        let bytes = self.data.get(at..at.checked_add(size_of::<f32>())?)?;
                        values.push(f32::from_le_bytes(bytes.try_into().ok()?));
                    }
                }
            }
        }
        Some(values)
    }
}

/// The `user` argument of the callback.
pub(crate) struct Trace<'a> {
    sink: &'a mut dyn FnMut(Node<'_>),
    panic: Option<Box<dyn Any + Send>>,
}

impl<'a> Trace<'a> {
    pub(crate) fn new(sink: &'a mut dyn FnMut(Node<'_>)) -> Self {
        Self { sink, panic: None }
    }

    /// The panic of the sink, if any.
    pub(crate) fn into_panic(self) -> Option<Box<dyn Any + Send>> {
        self.panic
    }
}

/// Passes a node to the sink. A panic must not unwind into the oracle, so it is stored and the decode is stopped.
///
/// # Safety
///
/// `user` must point to a `Trace` that is not otherwise accessed, and `node` to a valid node as defined in `oracle.h`.
pub(crate) unsafe extern "C" fn pass_on(user: *mut c_void, node: *const oracle_node) -> i32 {
    // SAFETY: `user` points to a `Trace`, by this function's contract.
    let trace = unsafe { &mut *user.cast::<Trace<'_>>() };
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `node` is a valid node, by this function's contract.
        let raw = unsafe { &*node };
        // SAFETY: the strings of a valid node are NUL-terminated.
        let (name, op, element) = unsafe { (text(raw.name), text(raw.op), text(raw.element)) };
        let inputs: Vec<Cow<'_, str>> = if raw.inputs.is_null() {
            Vec::new()
        } else {
            // SAFETY: a valid node has `n_inputs` names at `inputs` during the callback.
            let names = unsafe { std::slice::from_raw_parts(raw.inputs, raw.n_inputs) };
            // SAFETY: the strings of a valid node are NUL-terminated.
            names.iter().map(|&name| unsafe { text(name) }).collect()
        };
        let inputs: Vec<&str> = inputs.iter().map(Cow::as_ref).collect();
        let data = if raw.data.is_null() {
            &[]
        } else {
            // SAFETY: a valid node has `data_bytes` bytes at `data` during the callback.
            unsafe { std::slice::from_raw_parts(raw.data, raw.data_bytes) }
        };
        (trace.sink)(Node {
            name: &name,
            op: &op,
            element: &element,
            inputs: &inputs,
            ne: raw.ne,
            nb: raw.nb,
            data,
        });
    }));
    match outcome {
        Ok(()) => 1,
        Err(panic) => {
            trace.panic = Some(panic);
            0
        }
    }
}

/// # Safety
///
/// `pointer` must point to a NUL-terminated string that outlives the result.
unsafe fn text<'a>(pointer: *const c_char) -> Cow<'a, str> {
    // SAFETY: the string is NUL-terminated, by this function's contract.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(ne: [i64; 4], nb: [usize; 4], data: &[u8]) -> Node<'_> {
        Node {
            name: "x",
            op: "VIEW",
            element: "f32",
            inputs: &[],
            ne,
            nb,
            data,
        }
    }

    #[test]
    fn values_follow_the_strides() {
        let data: Vec<u8> = (0..6).flat_map(|i| (i as f32).to_le_bytes()).collect();
        let plain = node([3, 2, 1, 1], [4, 12, 24, 24], &data);
        assert_eq!(plain.f32_values().unwrap(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let transposed = node([2, 3, 1, 1], [12, 4, 24, 24], &data);
        assert_eq!(
            transposed.f32_values().unwrap(),
            [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]
        );
    }

    #[test]
    fn values_outside_the_data_are_none() {
        let data = [0u8; 16];
        assert!(
            node([4, 1, 1, 1], [4, 16, 16, 16], &data)
                .f32_values()
                .is_some()
        );
        assert!(
            node([5, 1, 1, 1], [4, 20, 20, 20], &data)
                .f32_values()
                .is_none()
        );
        assert!(
            node([2, 2, 1, 1], [4, usize::MAX, 0, 0], &data)
                .f32_values()
                .is_none()
        );
        assert!(
            node([-1, 1, 1, 1], [4, 4, 4, 4], &data)
                .f32_values()
                .is_none()
        );
        assert!(
            Node {
                element: "f16",
                ..node([1; 4], [4; 4], &data)
            }
            .f32_values()
            .is_none()
        );
    }
}
