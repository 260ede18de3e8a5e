// Owning pointers to objects of upstream.
#pragma once

#include "vintage.hpp"

#include <memory>

namespace oracle {

template <auto close> struct Closer {
    template <typename Object> void operator()(Object * object) const { close(object); }
};

template <typename Object, auto close> using Handle = std::unique_ptr<Object, Closer<close>>;

using Tensors = Handle<ggml_context, ggml_free>;
using Metadata = Handle<gguf_context, gguf_free>;
using Buffer = Handle<ggml_backend_buffer, ggml_backend_buffer_free>;
using Backend = Handle<ggml_backend, ggml_backend_free>;
using Scheduler = Handle<ggml_backend_sched, ggml_backend_sched_free>;

} // namespace oracle
