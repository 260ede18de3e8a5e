// What this oracle is, and the entry point. Compiled with the baseline instruction set and calling nothing of the
// implementation, so that an oracle for another CPU can still say what it is.
//
// The ORACLE_* strings are given by the build.
#include "formats.hpp"
#include "operations.hpp"

#include <array>
#include <cstdio>
#include <cstring>
#include <pthread.h>
#include <sys/types.h>

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

// An oracle that ends its process says which one it is. The linker gives these functions the calls that upstream and the
// C++ runtime make (`--wrap` in vendor/oracles.toml); the process itself keeps its own.
extern "C" {

[[noreturn]] void __real_abort();
int __real_pthread_create(pthread_t *, const pthread_attr_t *, void * (*)(void *), void *);

[[noreturn]] void __wrap_abort() {
    std::fprintf(stderr, "%s aborts\n", ORACLE_ID);
    __real_abort();
}

// Upstream forks to start a debugger after an assertion has failed, and for nothing else.
pid_t __wrap_fork() {
    __wrap_abort();
}

// Upstream asserts that its threads start.
int __wrap_pthread_create(pthread_t * thread, const pthread_attr_t * attributes, void * (*run)(void *), void * argument) {
    const int error = __real_pthread_create(thread, attributes, run, argument);
    if (error != 0) {
        std::fprintf(stderr, "%s cannot start a thread: %s (limit of processes or memory: ulimit -u, ulimit -v)\n",
                     ORACLE_ID, std::strerror(error));
    }
    return error;
}

} // extern "C"
