#include "mapping.hpp"

#include "status.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace oracle {

namespace {

struct Descriptor {
    explicit Descriptor(const char * path) : number(open(path, O_RDONLY | O_CLOEXEC)) {}
    ~Descriptor() {
        if (number >= 0) {
            close(number);
        }
    }
    Descriptor(const Descriptor &) = delete;
    Descriptor & operator=(const Descriptor &) = delete;
    const int number;
};

} // namespace

void Mapping::Unmapper::operator()(uint8_t * start) const {
    munmap(start, bytes);
}

Mapping::Mapping(const char * path) : memory(nullptr, Unmapper{0}) {
    // Must be called directly after the failed call, while `errno` is valid.
    const auto fail = [&]() { refuse(ORACLE_FILE, "%s: %s", path, std::strerror(errno)); };
    const Descriptor file(path);
    struct stat status {};
    if (file.number < 0 || fstat(file.number, &status) != 0) {
        fail();
    }
    const size_t bytes = static_cast<size_t>(status.st_size);
    void * start = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, file.number, 0);
    if (start == MAP_FAILED) {
        fail();
    }
    memory = {static_cast<uint8_t *>(start), Unmapper{bytes}};
    buffer.reset(ggml_backend_cpu_buffer_from_ptr(memory.get(), bytes));
    ggml_backend_buffer_set_usage(buffer.get(), GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
}

bool Mapping::place(ggml_tensor * tensor, size_t offset) {
    const size_t bytes = ggml_backend_buffer_get_size(buffer.get());
    if (offset > bytes || ggml_backend_buffer_get_alloc_size(buffer.get(), tensor) > bytes - offset) {
        return false;
    }
    ggml_backend_tensor_alloc(buffer.get(), tensor, memory.get() + offset);
    return true;
}

} // namespace oracle
