// The tokenizer of a model of upstream.
#pragma once

#include "llama_handles.hpp"

namespace oracle {

// See Engine::tokenize. The model may have no tensors.
size_t tokenize(const llama_model * model, const char * text, int32_t bytes, bool add_special, int32_t * tokens,
                int32_t capacity);

} // namespace oracle
