#include "interface.hpp"

// The number that library.py expects; it changes with any signature or structure.
CANONFACE_EXPORT int canonface_interface() { return 1; }

CANONFACE_EXPORT const char* canonface_instruction_set() {
#if defined(__AVX512F__)
    return "avx512";
#elif defined(__AVX2__)
    return "avx2";
#else
    return "portable";
#endif
}
