#include "gemm.hpp"

#include <utility>

namespace canonface {
namespace {

constexpr Index line_floats = 16;

// Fetches into the second-level cache; an address beyond the end does no harm.
CANONFACE_INLINE void prefetch(const float* from) { __builtin_prefetch(from, 0, 2); }

template <int Rows, int Vectors>
void pass(const float* rows, Index stride, const float* panel, Index depth, float* products, bool accumulate,
          Ahead ahead) {
    Vec sums[Rows][Vectors];
    CANONFACE_UNROLL
    for (int r = 0; r < Rows; ++r) {
        CANONFACE_UNROLL
        for (int v = 0; v < Vectors; ++v) sums[r][v] = Vec{};
    }
    // Addresses are a pointer plus none, one or two strides: one pointer for each row would not fit the registers.
    constexpr int triples = (Rows + 2) / 3;
    const float* triple[triples];
    CANONFACE_UNROLL
    for (int t = 0; t < triples; ++t) triple[t] = rows + 3 * t * stride;
    for (Index k = 0; k < depth; ++k, panel += panel_columns) {
        prefetch(ahead.rows + k * line_floats);
        prefetch(ahead.panel + k * line_floats);
        Vec weights[Vectors];
        CANONFACE_UNROLL
        for (int v = 0; v < Vectors; ++v) weights[v] = load(panel + v * lanes);
        CANONFACE_UNROLL
        for (int r = 0; r < Rows; ++r) {
            const Vec factor = broadcast(triple[r / 3][r % 3 * stride + k]);
            CANONFACE_UNROLL
            for (int v = 0; v < Vectors; ++v) sums[r][v] += factor * weights[v];
        }
    }
    CANONFACE_UNROLL
    for (int r = 0; r < Rows; ++r) {
        CANONFACE_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            float* to = products + r * panel_columns + v * lanes;
            store(to, accumulate ? load(to) + sums[r][v] : sums[r][v]);
        }
    }
}

template <int Vectors, int... Row>
Pass pass_of(Index rows, std::integer_sequence<int, Row...>) {
    static constexpr Pass passes[] = {pass<Row + 1, Vectors>...};
    return passes[rows - 1];
}

}  // namespace

Pass pass_for(Index rows, Index columns) {
    constexpr auto all = std::make_integer_sequence<int, pass_rows>();
    return columns > lanes ? pass_of<2>(rows, all) : pass_of<1>(rows, all);
}

}  // namespace canonface
