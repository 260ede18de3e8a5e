// Owning pointers to objects of upstream's inference library.
#pragma once

#include "handles.hpp"
#include "vintage_llama.hpp"

namespace oracle {

using Model = Handle<llama_model, vintage::free_model>;
using Context = Handle<llama_context, llama_free>;

} // namespace oracle
