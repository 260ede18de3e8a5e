// A file that is mapped for reading, as a buffer for tensors.
#pragma once

#include "handles.hpp"

#include <cstdint>

namespace oracle {

class Mapping {
  public:
    // Rejects a file that cannot be mapped.
    explicit Mapping(const char * path);

    // Places a tensor's data at an offset in the file. Returns false if it would end past the file. The data must not
    // be written.
    bool place(ggml_tensor * tensor, size_t offset);

  private:
    struct Unmapper {
        size_t bytes;
        void operator()(uint8_t * start) const;
    };
    // The buffer refers to the memory. Members are destroyed in reverse order.
    std::unique_ptr<uint8_t, Unmapper> memory;
    Buffer buffer;
};

} // namespace oracle
