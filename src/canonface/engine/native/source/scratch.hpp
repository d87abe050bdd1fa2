// Memory that a thread keeps from one kernel to the next: new pages would cost more than many kernels.
#pragma once

#include <cstdlib>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "simd.hpp"

namespace canonface {

// Rows that are a multiple of half a page apart compete for the same few places of the first-level cache.
constexpr bool rows_compete(Index stride) { return stride % 512 == 0; }

// A row stride for `columns` floats that avoids this.
constexpr Index padded_stride(Index columns) {
    const Index whole = round_up(columns, lanes);
    return whole % 128 == 0 ? whole + lanes : whole;
}

class Scratch {
  public:
    Scratch() = default;
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() { std::free(memory_); }

    // Room for `count` floats, aligned, with arbitrary values.
    float* floats(Index count) {
        if (count > capacity_) grow(count);
        return memory_;
    }

    float* zeros(Index count) {
        float* memory = floats(count);
        std::memset(memory, 0, count * sizeof(float));
        return memory;
    }

  private:
    static constexpr Index huge_page = Index{1} << 21;

    void grow(Index count) {
        std::free(memory_);
        memory_ = nullptr;
        capacity_ = 0;
        Index bytes = round_up((count + count / 4) * static_cast<Index>(sizeof(float)), 4096);
        const Index alignment = bytes < huge_page ? 4096 : huge_page;
        bytes = round_up(bytes, alignment);
        memory_ = static_cast<float*>(std::aligned_alloc(alignment, bytes));
        if (!memory_) throw std::bad_alloc();
#if defined(__linux__)
        // advice only: it is no error if it cannot be followed
        madvise(memory_, bytes, MADV_HUGEPAGE);
#endif
        capacity_ = bytes / static_cast<Index>(sizeof(float));
    }

    float* memory_ = nullptr;
    Index capacity_ = 0;
};

}  // namespace canonface
