// What every entry point has in common.
#pragma once

#include <new>

#include "windows.hpp"

#define CANONFACE_EXPORT extern "C" __attribute__((visibility("default")))

namespace canonface {

// Runs a kernel; null, or what is wrong with its arguments.
template <class Body>
const char* answer(const Body& body) {
    try {
        body();
        return nullptr;
    } catch (const Complaint& complaint) {
        return complaint.text;
    } catch (const std::bad_alloc&) {
        return "there is not enough memory";
    }
}

}  // namespace canonface
