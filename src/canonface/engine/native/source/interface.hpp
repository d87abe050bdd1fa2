// Common code of the entry points.
#pragma once

#include <new>

#include "windows.hpp"

#define CANONFACE_EXPORT extern "C" __attribute__((visibility("default")))

namespace canonface {

// Runs a kernel; returns null, or the error in its arguments.
template <class Body>
const char* run_kernel(const Body& body) {
    try {
        body();
        return nullptr;
    } catch (const ArgumentError& error) {
        return error.text;
    } catch (const std::bad_alloc&) {
        return "there is not enough memory";
    }
}

}  // namespace canonface
