// What this oracle is, and the entry point. Compiled with the baseline instruction set and calling nothing of the
// implementation, so that an oracle for another CPU can still say what it is.
//
// The ORACLE_* strings are given by the build.
#include "formats.hpp"
#include "operations.hpp"

#include <array>

namespace oracle {

namespace {

constexpr size_t n_formats = sizeof formats / sizeof formats[0];

constexpr std::array<oracle_format_info, n_formats> format_infos() {
    std::array<oracle_format_info, n_formats> infos{};
    for (size_t i = 0; i < n_formats; ++i) {
        infos[i] = formats[i].info;
    }
    return infos;
}

constexpr std::array<oracle_format_info, n_formats> infos = format_infos();

constexpr oracle_description description = {
    ORACLE_ID,    ORACLE_UPSTREAM,        ORACLE_VERSION, ORACLE_CHECKSUM, ORACLE_COMPILER,
    ORACLE_FLAGS, ORACLE_INSTRUCTION_SET, infos.data(),   infos.size(),
};

constexpr oracle_api api = {
    ORACLE_ABI_VERSION,
    sizeof(oracle_api),
    describe,
    tensor_bytes,
    quantize,
    quantize_activations,
    code_dot,
    matmul,
    session_open,
    session_close,
    session_info,
    session_decode,
    session_logits,
    session_tokenize,
};

} // namespace

oracle_status describe(const oracle_description ** out, oracle_message * message) {
    return guarded(message, [&] {
        require_pointer(out, "description");
        *out = &description;
    });
}

} // namespace oracle

__attribute__((visibility("default"))) const oracle_api * oracle_entry(uint32_t abi_version) {
    return abi_version == ORACLE_ABI_VERSION ? &oracle::api : nullptr;
}
