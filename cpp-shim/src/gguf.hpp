// The metadata of a model file, and the positions of its tensors.
#pragma once

#include "handles.hpp"
#include "status.hpp"

#include <string>

namespace oracle {

class Gguf {
  public:
    // Rejects files that upstream cannot read. A file that makes upstream abort also aborts this process.
    explicit Gguf(const char * path);

    const char * path() const { return name.c_str(); }

    // The value of a key, or `otherwise` if there is no such key. Rejects values of another type.
    uint32_t u32(const std::string & key, uint32_t otherwise) const;
    float f32(const std::string & key, float otherwise) const;
    std::string string(const std::string & key, const char * otherwise) const;

    // The value of a key. Rejects files without it.
    uint32_t required_u32(const std::string & key) const;
    float required_f32(const std::string & key) const;

    bool has(const std::string & key) const { return find(key) >= 0; }

    // The tensors have no data. They are valid during the lifetime of this object.
    size_t tensor_count() const;
    // NULL if there is no tensor with this name.
    ggml_tensor * tensor(const std::string & tensor_name) const;
    // The offset of the tensor's data from the start of the file.
    size_t offset_of(const ggml_tensor * tensor) const;

  private:
    int64_t find(const std::string & key) const;
    void require(const std::string & key) const;
    void require_type(int64_t id, gguf_type wanted) const;

    std::string name;
    Metadata metadata;
    Tensors tensors;
};

} // namespace oracle
