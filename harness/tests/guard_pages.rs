//! No kernel reads or writes outside its slices. Their last byte, and in other runs their first byte, lies against an
//! inaccessible page, at every alignment.

#![cfg(unix)]

use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use harness::probe::Random;
use qk256::activation::{Activations, ActivationsRef};
use qk256::format::{Digit, Format, Storage, Weights, pack};
use qk256::kernel::{self, Kernel};

/// The end of a slice that lies against the inaccessible page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    First,
    Last,
}

/// Values of `T` between two inaccessible pages.
struct Fenced<T> {
    mapping: NonNull<libc::c_void>,
    mapped: usize,
    start: NonNull<T>,
    len: usize,
}

impl<T: Copy> Fenced<T> {
    /// Copies `values` so that they end (or begin) `shift` bytes from a guard page. The shift is rounded down to whole
    /// `T`s.
    fn new(values: &[T], edge: Edge, shift: usize) -> Fenced<T> {
        // SAFETY: sysconf only reads its argument.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap();
        let shift = shift / size_of::<T>() * size_of::<T>();
        let inside = (size_of_val(values) + shift)
            .next_multiple_of(page)
            .max(page);
        let mapped = inside + 2 * page;
        // SAFETY: this creates a private anonymous mapping at an address that the system chooses.
        let mapping = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                mapped,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(mapping, libc::MAP_FAILED, "no memory for fenced pages");
        // SAFETY: the mapping has at least three pages, so the end of the first page is inside it.
        let inner = unsafe { mapping.byte_add(page) };
        // SAFETY: `inside` bytes from the second page on are in the mapping, which nothing else uses.
        let opened = unsafe { libc::mprotect(inner, inside, libc::PROT_READ | libc::PROT_WRITE) };
        assert_eq!(opened, 0, "the inner pages cannot be opened");
        let offset = match edge {
            Edge::First => shift,
            Edge::Last => inside - shift - size_of_val(values),
        };
        // SAFETY: `offset` and the values after it are within the accessible pages.
        let start = unsafe { inner.byte_add(offset) }.cast::<T>();
        // SAFETY: as above. Pages are aligned, and shift and size are multiples of the size of `T`.
        unsafe { start.copy_from_nonoverlapping(values.as_ptr(), values.len()) };
        Fenced {
            mapping: NonNull::new(mapping).unwrap(),
            mapped,
            start: NonNull::new(start).unwrap(),
            len: values.len(),
        }
    }
}

impl<T> Deref for Fenced<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: `start` points to `len` initialized values in pages that live as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for Fenced<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`, and the borrow of `self` is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

impl<T> Drop for Fenced<T> {
    fn drop(&mut self) {
        // SAFETY: the mapping was created with this length, and no borrow of it exists any more.
        unsafe { libc::munmap(self.mapping.as_ptr(), self.mapped) };
    }
}

/// Shapes of every storage variant: whole blocks, half blocks, and the tails that padded rows and single rows can have.
fn storages(format: &Format) -> Vec<Storage> {
    const SHAPES: [(usize, usize); 9] = [
        (4, 256),
        (4, 384),
        (8, 1024),
        (1, 257),
        (4, 300),
        (4, 127),
        (1, 33),
        (4, 640),
        (17, 384),
    ];
    let shapes = |&variant| {
        SHAPES
            .iter()
            .filter_map(move |&(rows, cols)| Storage::new(*format, variant, rows, cols).ok())
    };
    format.variants.iter().flat_map(shapes).collect()
}

/// Runs every operation on guarded buffers and compares with the results on plain ones.
fn run(kernel: &Kernel, storage: Storage, batch: usize, edge: Edge, shift: usize) {
    let mut random = Random::new(shift as u64, kernel.id());
    let (rows, cols) = (storage.rows(), storage.cols());
    let holds_three = !matches!(storage.slot(0, 0).digit, Digit::Trit { .. });
    let kinds = if holds_three { 4 } else { 3 };
    let codes: Vec<u8> = (0..rows * cols)
        .map(|_| random.below(kinds) as u8)
        .collect();
    let plain = pack(&storage, &codes, &vec![0.5; storage.scale_count()]).unwrap();
    let fenced = Fenced::new(&plain, edge, shift);
    let case = format!(
        "{} {storage:?} batch {batch} {edge:?} shift {shift}",
        kernel.id()
    );
    let plain = Weights::new(storage, &plain).unwrap();
    let weights = Weights::new(storage, &fenced).unwrap();

    let a: Vec<i8> = (0..batch * cols).map(|_| random.code()).collect();
    let mut expected = vec![0; batch * rows];
    kernel.dots(&plain, 0..rows, &a, &mut expected).unwrap();
    let mut out = Fenced::new(&vec![-1; batch * rows], edge, shift);
    kernel
        .dots(&weights, 0..rows, &Fenced::new(&a, edge, shift), &mut out)
        .unwrap();
    assert_eq!(out[..], expected, "dots: {case}");

    let x: Vec<f32> = (0..batch * cols).map(|_| random.bell()).collect();
    let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let kind = storage.format().activation;
    let quantized = Activations::quantize(kind, cols, &x).unwrap();
    let mut expected = vec![0.0; batch * rows];
    kernel
        .products(&plain, 0..rows, &quantized, &mut expected)
        .unwrap();
    let mut out = Fenced::new(&vec![-1.0; batch * rows], edge, shift);
    let codes = Fenced::new(quantized.codes(), edge, shift);
    let scales = Fenced::new(quantized.scales(), edge, shift);
    let sums = Fenced::new(quantized.sums(), edge, shift);
    let quantized = ActivationsRef::new(kind, cols, &codes, &scales, &sums).unwrap();
    kernel
        .products(&weights, 0..rows, quantized, &mut out)
        .unwrap();
    assert_eq!(bits(&out), bits(&expected), "products: {case}");

    kernel
        .products_f32(&plain, 0..rows, &x, &mut expected)
        .unwrap();
    let mut out = Fenced::new(&vec![-1.0; batch * rows], edge, shift);
    kernel
        .products_f32(&weights, 0..rows, &Fenced::new(&x, edge, shift), &mut out)
        .unwrap();
    assert_eq!(bits(&out), bits(&expected), "products_f32: {case}");
}

#[test]
fn no_kernel_accesses_memory_beyond_its_slices() {
    let available = kernel::all().iter().filter(|k| k.availability().is_ok());
    for kernel in available {
        let storages = storages(kernel.format());
        assert!(!storages.is_empty(), "{}", kernel.id());
        for storage in storages {
            for edge in [Edge::First, Edge::Last] {
                // First directly at the guard page, with batches around the sizes of tiles, then with every alignment.
                for batch in [1, 2, 3, 4, 5, 8, 9] {
                    run(kernel, storage, batch, edge, 0);
                }
                for shift in 1..64 {
                    run(kernel, storage, 1 + shift % 3, edge, shift);
                }
            }
        }
    }
}

/// The guard page works: reading a byte of it ends the process. Tested in a child process.
#[test]
fn a_read_past_the_fence_ends_the_process() {
    for edge in [Edge::First, Edge::Last] {
        let fenced = Fenced::new(&[7u8; 100], edge, 0);
        assert_eq!(fenced[..], [7; 100]);
        let beyond = match edge {
            // SAFETY: the address is in the mapping's own pages. Whether it is readable is tested in a child process.
            Edge::First => unsafe { fenced.start.as_ptr().sub(1) },
            // SAFETY: as above.
            Edge::Last => unsafe { fenced.start.as_ptr().add(fenced.len) },
        };
        // SAFETY: the child calls only signal, a read and _exit, which are safe after fork.
        let child = unsafe { libc::fork() };
        assert!(child >= 0, "no second process");
        if child == 0 {
            // SAFETY: this runs in the child. The default action ends it without the test runner's handler. If the read
            // is allowed, the exit code is 0.
            unsafe {
                libc::signal(libc::SIGSEGV, libc::SIG_DFL);
                libc::signal(libc::SIGBUS, libc::SIG_DFL);
                let byte = beyond.read_volatile();
                libc::_exit(i32::from(byte == 255));
            }
        }
        let mut status = 0;
        // SAFETY: waits for the child created above and writes to a local variable.
        assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
        assert!(libc::WIFSIGNALED(status), "{edge:?}: the read was allowed");
    }
}
