// A file, mapped into memory for reading, as a buffer that tensors can lie in.
#pragma once

#include "handles.hpp"

#include <cstdint>

namespace oracle {

class Mapping {
  public:
    // Refuses a file that cannot be mapped.
    explicit Mapping(const char * path);

    // Gives a tensor its data at an offset of the file. False if it would end beyond the file. Nothing may write to it.
    bool place(ggml_tensor * tensor, size_t offset);

  private:
    struct Unmapper {
        size_t bytes;
        void operator()(uint8_t * start) const;
    };
    // The buffer refers to the memory: members are destroyed from the last to the first.
    std::unique_ptr<uint8_t, Unmapper> memory;
    Buffer buffer;
};

} // namespace oracle
