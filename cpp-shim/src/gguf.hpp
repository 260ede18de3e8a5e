// The metadata of a model file, and where its tensors lie.
#pragma once

#include "handles.hpp"
#include "status.hpp"

#include <string>

namespace oracle {

class Gguf {
  public:
    // Refuses what upstream cannot read; what it does not survive either, it does not survive here.
    explicit Gguf(const char * path);

    const char * path() const { return name.c_str(); }

    // The value of a key, or the other value if there is no such key. Refuses a value of another type.
    uint32_t u32(const std::string & key, uint32_t otherwise) const;
    float f32(const std::string & key, float otherwise) const;
    std::string string(const std::string & key, const char * otherwise) const;

    // Refuses to do without.
    uint32_t required_u32(const std::string & key) const;
    float required_f32(const std::string & key) const;

    bool has(const std::string & key) const { return find(key) >= 0; }

    // Tensors, without data, as long as this lives.
    size_t tensor_count() const;
    // NULL if there is none of that name.
    ggml_tensor * tensor(const std::string & tensor_name) const;
    // From the start of the file.
    size_t offset_of(const ggml_tensor * tensor) const;

  private:
    int find(const std::string & key) const;
    void require(const std::string & key) const;
    void require_type(int id, gguf_type wanted) const;

    std::string name;
    Metadata metadata;
    Tensors tensors;
};

} // namespace oracle
