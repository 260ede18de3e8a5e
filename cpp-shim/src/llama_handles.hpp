// Owning pointers to objects of upstream's inference library.
#pragma once

#include "handles.hpp"
#include "vintage_llama.hpp"

namespace oracle {

inline void close_model(llama_model * model) {
    vintage::free_model(model, vintage::First{});
}

using Model = Handle<llama_model, close_model>;
using Context = Handle<llama_context, llama_free>;

} // namespace oracle
