// The description of this oracle, and the entry point. The file is compiled with the baseline instruction set.
//
// The build defines the ORACLE_* strings.
#include "backend.hpp"
#include "formats.hpp"
#include "operations.hpp"

#include <cstdio>
#include <cstring>
#include <vector>
#include <pthread.h>
#include <sys/types.h>

namespace oracle {

namespace {

// The description of this build. The list of formats asks upstream, so it is made on the first call.
const oracle_description & build_description() {
    static const std::vector<oracle_format_info> infos = [] {
        std::vector<oracle_format_info> list;
        for (const Format & format : formats()) {
            list.push_back(format.info);
        }
        return list;
    }();
    static const oracle_description description = {
        ORACLE_ID,    ORACLE_UPSTREAM,        ORACLE_VERSION, ORACLE_CHECKSUM, ORACLE_COMPILER,
        ORACLE_FLAGS, ORACLE_INSTRUCTION_SET, infos.data(),   infos.size(),
    };
    return description;
}

constexpr oracle_api api = {
    ORACLE_ABI_VERSION,
    sizeof(oracle_api),
    describe,
    tensor_bytes,
    quantize,
    dequantize,
    quantize_activations,
    code_dot,
    block_dot,
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
        require_own_headers();
        *out = &build_description();
    });
}

} // namespace oracle

__attribute__((visibility("default"))) const oracle_api * oracle_entry(uint32_t abi_version) {
    return abi_version == ORACLE_ABI_VERSION ? &oracle::api : nullptr;
}

// If an oracle aborts the process, it prints its id. The linker redirects calls from upstream and from the C++ runtime
// to these functions (`--wrap` in vendor/oracles.toml). Calls from the rest of the process are not affected.
extern "C" {

[[noreturn]] void __real_abort();
int __real_pthread_create(pthread_t *, const pthread_attr_t *, void * (*)(void *), void *);

[[noreturn]] void __wrap_abort() {
    std::fprintf(stderr, "%s aborts\n", ORACLE_ID);
    __real_abort();
}

// Upstream calls fork only to start a debugger after a failed assertion.
pid_t __wrap_fork() {
    __wrap_abort();
}

// Upstream asserts that threads are started.
int __wrap_pthread_create(pthread_t * thread, const pthread_attr_t * attributes, void * (*run)(void *), void * argument) {
    const int error = __real_pthread_create(thread, attributes, run, argument);
    if (error != 0) {
        std::fprintf(stderr, "%s cannot start a thread: %s (limit of processes or memory: ulimit -u, ulimit -v)\n",
                     ORACLE_ID, std::strerror(error));
    }
    return error;
}

} // extern "C"
