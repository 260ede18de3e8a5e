//! No number in a file causes a single allocation larger than the file.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use qk256::gguf::Gguf;

use crate::raw::{Raw, array, entry, info, sample, string};
use testing::test;

/// The system allocator. It records the largest allocation of each thread.
struct Noting;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(bytes: usize) {
    // `try_with` fails in a thread that is ending, which has nothing to record.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(bytes)));
}

#[global_allocator]
static ALLOCATOR: Noting = Noting;

// SAFETY: every call is forwarded to the system allocator with the arguments of the caller. Storing a number in a
// thread-local without a destructor neither allocates nor unwinds.
unsafe impl GlobalAlloc for Noting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the requirements on `layout` are those of `System`, and the caller fulfils them.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System`, through this allocator, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: `pointer` came from `System`, through this allocator, with this layout.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// The largest single allocation in bytes while `bytes` are parsed, and whether they are valid.
fn largest_allocation(bytes: &[u8]) -> (usize, bool) {
    LARGEST.set(0);
    let valid = Gguf::parse(bytes).is_ok();
    (LARGEST.get(), valid)
}

/// Allowance in bytes for error messages, which can be larger than a tiny file.
const MESSAGE: usize = 4096;

#[track_caller]
fn modest(bytes: &[u8]) -> bool {
    let (largest, valid) = largest_allocation(bytes);
    let length = bytes.len();
    assert!(
        largest <= length + MESSAGE,
        "{largest} bytes at once for a file of {length}"
    );
    valid
}

#[test]
fn the_allocator_notes_what_is_allocated() {
    LARGEST.set(0);
    drop(std::hint::black_box(vec![1u8; 123_457]));
    assert_eq!(LARGEST.get(), 123_457);
}

#[test]
fn damaged_files() {
    let bytes = sample().build();
    for length in 0..bytes.len() {
        assert!(!modest(&bytes[..length]));
    }
    let mut flipped = bytes.clone();
    for at in 0..bytes.len() {
        for changed in [0, 0x7f, 0xff, !bytes[at]] {
            flipped[at] = changed;
            modest(&flipped);
        }
        flipped[at] = bytes[at];
    }
}

#[test]
fn huge_counts_in_small_files() {
    for count in [100, 1 << 24, 1 << 40, u64::MAX] {
        for tensors in [true, false] {
            let mut raw = sample();
            let field = if tensors {
                &mut raw.tensor_count
            } else {
                &mut raw.metadata_count
            };
            *field = Some(count);
            assert!(!modest(&raw.build()));
        }
        for item_type in 0..13 {
            let value = array(item_type, count, &[0; 64]);
            assert!(!modest(
                &Raw::new(vec![entry("k", 9, &value)], vec![], vec![]).build()
            ));
        }
    }
}

#[test]
fn as_many_of_the_smallest_entries_as_fit() {
    let key = |number: usize| format!("{number:x}");
    let entries = (0..20_000).map(|n| entry(&key(n), 0, &[0])).collect();
    assert!(modest(&Raw::new(entries, vec![], vec![]).build()));

    let offset = |n: usize| 32 * n as u64;
    let infos: Vec<_> = (0..20_000)
        .map(|n| info(&key(n), &[1], 24, offset(n)))
        .collect();
    assert!(modest(
        &Raw::new(vec![], infos.clone(), vec![0; 32 * 20_000]).build()
    ));
    // Without tensor data, too, the lists must not be larger than the file.
    assert!(!modest(&Raw::new(vec![], infos, vec![]).build()));
    let together: Vec<_> = (0..20_000).map(|n| info(&key(n), &[1], 24, 0)).collect();
    assert!(!modest(&Raw::new(vec![], together, vec![0]).build()));
    let same_name = vec![info("", &[1], 24, 0); 20_000];
    assert!(!modest(&Raw::new(vec![], same_name, vec![0]).build()));
}

#[test]
fn long_arrays_and_strings_stay_in_the_file() {
    let numbers = array(0, 1 << 20, &vec![0; 1 << 20]);
    let strings = array(8, 1 << 16, &string(b"").repeat(1 << 16));
    let arrays = array(9, 1 << 16, &array(0, 0, &[]).repeat(1 << 16));
    for value in [numbers, strings, arrays] {
        let bytes = Raw::new(vec![entry("k", 9, &value)], vec![], vec![]).build();
        let (largest, valid) = largest_allocation(&bytes);
        assert!(valid && largest <= MESSAGE, "{largest}");
    }
    let name = "n".repeat(1 << 20);
    let raw = Raw::new(vec![], vec![info(&name, &[0], 0, 0)], vec![0; 4]);
    let (largest, valid) = largest_allocation(&raw.build());
    assert!(!valid && largest <= MESSAGE, "{largest}");
}
