// A vector of floats as wide as the processor's registers; one source for AVX-512, AVX2, NEON and anything else.
#pragma once

#include <cstdint>
#include <cstring>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace canonface {

using Index = std::int64_t;

#if defined(__AVX512F__)
constexpr int lanes = 16;
constexpr int registers = 32;
#elif defined(__AVX2__)
constexpr int lanes = 8;
constexpr int registers = 16;
#else
constexpr int lanes = 4;
#if defined(__aarch64__)
constexpr int registers = 32;
#else
constexpr int registers = 16;
#endif
#endif

typedef float Vec __attribute__((vector_size(lanes * sizeof(float))));
typedef float UnalignedVec __attribute__((vector_size(lanes * sizeof(float)), aligned(alignof(float)), may_alias));

#if defined(__clang__)
#define CANONFACE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CANONFACE_UNROLL _Pragma("GCC unroll 32")
#endif
#define CANONFACE_INLINE inline __attribute__((always_inline))

CANONFACE_INLINE Vec load(const float* from) { return *reinterpret_cast<const UnalignedVec*>(from); }

CANONFACE_INLINE void store(float* to, Vec values) { *reinterpret_cast<UnalignedVec*>(to) = values; }

// Past the caches, to an address that is a multiple of a vector; whoever reads it elsewhere needs `streamed` in between.
CANONFACE_INLINE void stream(float* to, Vec values) {
#if defined(__AVX512F__)
    _mm512_stream_ps(to, (__m512)values);
#else
    store(to, values);
#endif
}

// After it, what was written by `stream` is there for all threads that wait for this one.
CANONFACE_INLINE void streamed() {
#if defined(__AVX512F__)
    _mm_sfence();
#endif
}

// Subtracting zero changes nothing, not even the sign of a zero, so no instruction is left of it; adding would.
CANONFACE_INLINE Vec broadcast(float value) { return value - Vec{}; }

CANONFACE_INLINE Vec smaller(Vec a, Vec b) { return a < b ? a : b; }

CANONFACE_INLINE Vec greater(Vec a, Vec b) { return a > b ? a : b; }

// The first `count` lanes from memory, zero in the others; never reads beyond them.
CANONFACE_INLINE Vec load_partial(const float* from, int count) {
#if defined(__AVX512F__)
    return (Vec)_mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
#else
    Vec values = {};
    std::memcpy(&values, from, count * sizeof(float));
    return values;
#endif
}

CANONFACE_INLINE void store_partial(float* to, Vec values, int count) {
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), (__m512)values);
#else
    std::memcpy(to, &values, count * sizeof(float));
#endif
}

// The number of lanes of a whole vector, as a type: what is made for it has no trace of partial vectors left.
struct AllLanes {
    constexpr operator int() const { return lanes; }
};

// Calls `block(first, count)` for the whole vectors of a row, and once for what is left over.
template <class Block>
CANONFACE_INLINE void for_each_vector(Index length, const Block& block) {
    Index first = 0;
    for (; first + lanes <= length; first += lanes) block(first, AllLanes{});
    if (first < length) block(first, static_cast<int>(length - first));
}

CANONFACE_INLINE Vec load_some(const float* from, int count) {
    return count == lanes ? load(from) : load_partial(from, count);
}

CANONFACE_INLINE void store_some(float* to, Vec values, int count) {
    if (count == lanes) {
        store(to, values);
    } else {
        store_partial(to, values, count);
    }
}

constexpr Index round_up(Index value, Index multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace canonface
