#include "tokenizer.hpp"

#include "status.hpp"

namespace oracle {

size_t tokenize(const llama_model * model, const char * text, int32_t bytes, bool add_special, int32_t * tokens,
                int32_t capacity) {
    if (vintage::vocabulary_type(model) == LLAMA_VOCAB_TYPE_NONE) {
        refuse(ORACLE_UNSUPPORTED, "the model has no tokenizer: give token ids instead");
    }
    const int32_t count = vintage::tokenize(model, text, bytes, tokens, capacity, add_special);
    return static_cast<size_t>(count < 0 ? -static_cast<int64_t>(count) : count);
}

} // namespace oracle
