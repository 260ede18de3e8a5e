// Made by bindgen 0.72.1 from include/oracle.h, which documents it.
// Do not edit: run check-bindings.sh --write.

pub const ORACLE_ABI_VERSION: u32 = 5;
impl oracle_status {
    pub const ORACLE_OK: oracle_status = oracle_status(0);
    pub const ORACLE_BAD_ARGUMENT: oracle_status = oracle_status(1);
    pub const ORACLE_UNSUPPORTED: oracle_status = oracle_status(2);
    pub const ORACLE_NO_ANSWER: oracle_status = oracle_status(3);
    pub const ORACLE_OUT_OF_MEMORY: oracle_status = oracle_status(4);
    pub const ORACLE_FILE: oracle_status = oracle_status(5);
    pub const ORACLE_FAILED: oracle_status = oracle_status(6);
    pub const ORACLE_STOPPED: oracle_status = oracle_status(7);
}
#[repr(transparent)]
#[derive(Debug, Copy, Clone, Hash, PartialEq, Eq)]
pub struct oracle_status(pub ::core::ffi::c_uint);
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct oracle_message {
    pub(crate) text: *mut ::core::ffi::c_char,
    pub(crate) capacity: usize,
    pub(crate) length: usize,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct oracle_format_info {
    pub(crate) name: *const ::core::ffi::c_char,
    pub(crate) format: u32,
    pub(crate) block: u32,
    pub(crate) block_bytes: u32,
    pub(crate) cols_multiple: u32,
    pub(crate) activations: *const ::core::ffi::c_char,
    pub(crate) has_to_float: u8,
    pub(crate) has_quantizer: u8,
    pub(crate) needs_importance: u8,
    pub(crate) has_dot: u8,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct oracle_description {
    pub(crate) id: *const ::core::ffi::c_char,
    pub(crate) upstream: *const ::core::ffi::c_char,
    pub(crate) version: *const ::core::ffi::c_char,
    pub(crate) checksum: *const ::core::ffi::c_char,
    pub(crate) compiler: *const ::core::ffi::c_char,
    pub(crate) flags: *const ::core::ffi::c_char,
    pub(crate) instruction_set: *const ::core::ffi::c_char,
    pub(crate) formats: *const oracle_format_info,
    pub(crate) n_formats: usize,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct oracle_session {
    _unused: [u8; 0],
}
impl oracle_graph {
    pub const ORACLE_GRAPH_AUTO: oracle_graph = oracle_graph(1);
    pub const ORACLE_GRAPH_OPS: oracle_graph = oracle_graph(2);
}
#[repr(transparent)]
#[derive(Debug, Copy, Clone, Hash, PartialEq, Eq)]
pub struct oracle_graph(pub ::core::ffi::c_uint);
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct oracle_session_params {
    pub(crate) n_ctx: u32,
    pub(crate) n_batch: u32,
    pub(crate) n_ubatch: u32,
    pub(crate) n_threads: u32,
    pub(crate) kv_format: u32,
    pub(crate) graph: oracle_graph,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct oracle_session_info {
    pub(crate) n_vocab: u32,
    pub(crate) n_ctx: u32,
    pub(crate) n_batch: u32,
    pub(crate) n_layer: u32,
    pub(crate) n_embd: u32,
    pub(crate) graph: *const ::core::ffi::c_char,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct oracle_node {
    pub(crate) name: *const ::core::ffi::c_char,
    pub(crate) op: *const ::core::ffi::c_char,
    pub(crate) element: *const ::core::ffi::c_char,
    pub(crate) inputs: *const *const ::core::ffi::c_char,
    pub(crate) n_inputs: usize,
    pub(crate) ne: [i64; 4usize],
    pub(crate) nb: [usize; 4usize],
    pub(crate) data: *const u8,
    pub(crate) data_bytes: usize,
}
pub type oracle_node_callback = ::core::option::Option<
    unsafe extern "C" fn(user: *mut ::core::ffi::c_void, node: *const oracle_node) -> i32,
>;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct oracle_api {
    pub(crate) abi_version: u32,
    pub(crate) struct_bytes: u32,
    pub(crate) describe: ::core::option::Option<
        unsafe extern "C" fn(
            description: *mut *const oracle_description,
            message: *mut oracle_message,
        ) -> oracle_status,
    >,
    pub(crate) tensor_bytes: ::core::option::Option<
        unsafe extern "C" fn(
            format: u32,
            rows: u64,
            cols: u64,
            bytes: *mut usize,
            message: *mut oracle_message,
        ) -> oracle_status,
    >,
    pub(crate) quantize: ::core::option::Option<
        unsafe extern "C" fn(
            format: u32,
            rows: u64,
            cols: u64,
            values: *const f32,
            n: usize,
            importance: *const f32,
            n_importance: usize,
            out: *mut u8,
            capacity: usize,
            written: *mut usize,
            message: *mut oracle_message,
        ) -> oracle_status,
    >,
    pub(crate) dequantize: ::core::option::Option<
        unsafe extern "C" fn(
            format: u32,
            cols: u64,
            rows: u64,
            weights: *const u8,
            weights_bytes: usize,
            row_stride: usize,
            out: *mut f32,
            n_out: usize,
            message: *mut oracle_message,
        ) -> oracle_status,
    >,
    pub(crate) quantize_activations: ::core::option::Option<
        unsafe extern "C" fn(
            format: u32,
            rows: u64,
            cols: u64,
            values: *const f32,
            n: usize,
            codes: *mut i8,
            n_codes: usize,
            scales: *mut f32,
            n_scales: usize,
            sums: *mut i32,
            n_sums: usize,
            message: *mut oracle_message,
        ) -> oracle_status,
    >,
    pub(crate) code_dot: ::core::option::Option<
        unsafe extern "C" fn(
            format: u32,
            cols: u64,
            rows: u64,
            weights: *const u8,
            weights_bytes: usize,
            row_stride: usize,
            activations: *const i8,
            n_activations: usize,
            batch: u64,
            out: *mut i64,
            n_out: usize,
            message: *mut oracle_message,
        ) -> oracle_status,
    >,
    pub(crate) block_dot: ::core::option::Option<
        unsafe extern "C" fn(
            format: u32,
            cols: u64,
            rows: u64,
            weights: *const u8,
            weights_bytes: usize,
            row_stride: usize,
            codes: *const i8,
            n_codes: usize,
            scales: *const f32,
            n_scales: usize,
            batch: u64,
            out: *mut f32,
            n_out: usize,
            message: *mut oracle_message,
        ) -> oracle_status,
    >,
    pub(crate) matmul: ::core::option::Option<
        unsafe extern "C" fn(
            format: u32,
            rows: u64,
            cols: u64,
            weights: *const u8,
            weights_bytes: usize,
            activations: *const f32,
            n_activations: usize,
            batch: u64,
            threads: u32,
            out: *mut f32,
            n_out: usize,
            message: *mut oracle_message,
        ) -> oracle_status,
    >,
    pub(crate) session_open: ::core::option::Option<
        unsafe extern "C" fn(
            path: *const ::core::ffi::c_char,
            params: *const oracle_session_params,
            session: *mut *mut oracle_session,
            message: *mut oracle_message,
        ) -> oracle_status,
    >,
    pub(crate) session_close:
        ::core::option::Option<unsafe extern "C" fn(session: *mut oracle_session)>,
    pub(crate) session_info: ::core::option::Option<
        unsafe extern "C" fn(
            session: *const oracle_session,
            info: *mut oracle_session_info,
            message: *mut oracle_message,
        ) -> oracle_status,
    >,
    pub(crate) session_decode: ::core::option::Option<
        unsafe extern "C" fn(
            session: *mut oracle_session,
            tokens: *const i32,
            n: usize,
            first: u64,
            callback: oracle_node_callback,
            user: *mut ::core::ffi::c_void,
            message: *mut oracle_message,
        ) -> oracle_status,
    >,
    pub(crate) session_logits: ::core::option::Option<
        unsafe extern "C" fn(
            session: *const oracle_session,
            position: u64,
            logits: *mut *const f32,
            n: *mut usize,
            message: *mut oracle_message,
        ) -> oracle_status,
    >,
    pub(crate) session_tokenize: ::core::option::Option<
        unsafe extern "C" fn(
            session: *const oracle_session,
            text: *const ::core::ffi::c_char,
            text_bytes: usize,
            add_special: i32,
            tokens: *mut i32,
            capacity: usize,
            n: *mut usize,
            message: *mut oracle_message,
        ) -> oracle_status,
    >,
}
unsafe extern "C" {
    pub fn oracle_entry(abi_version: u32) -> *const oracle_api;
}
