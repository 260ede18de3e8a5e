#include "gguf.hpp"

#include "backend.hpp"

namespace oracle {

Gguf::Gguf(const char * path) : name(path) {
    ggml_context * context = nullptr;
    clear_log();
    metadata.reset(gguf_init_from_file(path, {/* no_alloc */ true, &context}));
    // On failure, upstream frees the context but does not reset the pointer.
    if (metadata == nullptr) {
        refuse(ORACLE_FILE, "%s: upstream cannot read its GGUF header: %s", path,
               last_errors("no reason given").c_str());
    }
    tensors.reset(context);
}

int64_t Gguf::find(const std::string & key) const {
    return gguf_find_key(metadata.get(), key.c_str());
}

void Gguf::require(const std::string & key) const {
    if (!has(key)) {
        refuse(ORACLE_FILE, "%s: the metadata has no %s", path(), key.c_str());
    }
}

void Gguf::require_type(int64_t id, gguf_type wanted) const {
    const gguf_type found = gguf_get_kv_type(metadata.get(), id);
    if (found != wanted) {
        refuse(ORACLE_FILE, "%s: %s is of type %s, must be %s", path(), gguf_get_key(metadata.get(), id),
               gguf_type_name(found), gguf_type_name(wanted));
    }
}

uint32_t Gguf::u32(const std::string & key, uint32_t otherwise) const {
    const int64_t id = find(key);
    if (id < 0) {
        return otherwise;
    }
    require_type(id, GGUF_TYPE_UINT32);
    return gguf_get_val_u32(metadata.get(), id);
}

float Gguf::f32(const std::string & key, float otherwise) const {
    const int64_t id = find(key);
    if (id < 0) {
        return otherwise;
    }
    require_type(id, GGUF_TYPE_FLOAT32);
    return gguf_get_val_f32(metadata.get(), id);
}

std::string Gguf::string(const std::string & key, const char * otherwise) const {
    const int64_t id = find(key);
    if (id < 0) {
        return otherwise;
    }
    require_type(id, GGUF_TYPE_STRING);
    return gguf_get_val_str(metadata.get(), id);
}

uint32_t Gguf::required_u32(const std::string & key) const {
    require(key);
    return u32(key, 0);
}

float Gguf::required_f32(const std::string & key) const {
    require(key);
    return f32(key, 0.0f);
}

size_t Gguf::tensor_count() const {
    return static_cast<size_t>(gguf_get_n_tensors(metadata.get()));
}

ggml_tensor * Gguf::tensor(const std::string & tensor_name) const {
    return ggml_get_tensor(tensors.get(), tensor_name.c_str());
}

size_t Gguf::offset_of(const ggml_tensor * tensor) const {
    const auto id = gguf_find_tensor(metadata.get(), tensor->name);
    size_t offset = 0;
    if (__builtin_add_overflow(gguf_get_data_offset(metadata.get()), gguf_get_tensor_offset(metadata.get(), id),
                               &offset)) {
        refuse(ORACLE_FILE, "%s: tensor %s lies beyond any file", path(), tensor->name);
    }
    return offset;
}

} // namespace oracle
