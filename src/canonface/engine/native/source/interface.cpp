#include "interface.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

// Version that library.py expects; it changes with any signature or structure.
CANONFACE_EXPORT int canonface_interface() { return 2; }

CANONFACE_EXPORT const char* canonface_instruction_set() {
#if defined(__AVX512F__)
    return "avx512";
#elif defined(__AVX2__)
    return "avx2";
#else
    return "portable";
#endif
}

// Weights are read from end to end, call after call: large pages save most address look-ups.
CANONFACE_EXPORT void canonface_use_large_pages(void* memory, canonface::Index bytes) {
#if defined(__linux__)
    // advice only: it is no error if it cannot be followed
    madvise(memory, bytes, MADV_HUGEPAGE);
#else
    (void)memory;
    (void)bytes;
#endif
}
