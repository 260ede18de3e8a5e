// Takes the place of the engines in an oracle without upstream's inference library.
#include "engine.hpp"
#include "status.hpp"

namespace oracle {

std::unique_ptr<Engine> open_engine(const char * path, const oracle_session_params &, Observer) {
    refuse(ORACLE_UNSUPPORTED, "%s: this library has tensor operations only, and opens no models", path);
}

} // namespace oracle
