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

template <int Rows, int Panels>
void sparse_pass(const SparseProduct& p) {
    Vec sums[Rows][Panels][2];
    CANONFACE_UNROLL
    for (int r = 0; r < Rows; ++r) {
        CANONFACE_UNROLL
        for (int i = 0; i < Panels; ++i) sums[r][i][0] = sums[r][i][1] = Vec{};
    }
    const float* rows = p.rows;
    const Index stride = p.stride, next_panel = p.next_panel, count = p.count;
    const float* panel = p.panel;
    const std::int32_t* channels = p.channels;
    for (Index k = 0; k < count; ++k) {
        const Index channel = channels[k];
        const float* from = panel + channel * panel_columns;
        Vec weights[Panels][2];
        CANONFACE_UNROLL
        for (int i = 0; i < Panels; ++i) {
            weights[i][0] = load(from + i * next_panel);
            weights[i][1] = load(from + i * next_panel + lanes);
        }
        CANONFACE_UNROLL
        for (int r = 0; r < Rows; ++r) {
            const Vec factor = broadcast(rows[r * stride + channel]);
            CANONFACE_UNROLL
            for (int i = 0; i < Panels; ++i) {
                sums[r][i][0] += factor * weights[i][0];
                sums[r][i][1] += factor * weights[i][1];
            }
        }
    }
    CANONFACE_UNROLL
    for (int r = 0; r < Rows; ++r) {
        CANONFACE_UNROLL
        for (int i = 0; i < Panels; ++i) {
            float* to = p.products + r * sparse_columns + i * panel_columns;
            store(to, sums[r][i][0]);
            store(to + lanes, sums[r][i][1]);
        }
    }
}

template <int Panels, int... Row>
SparsePass sparse_pass_of(Index rows, std::integer_sequence<int, Row...>) {
    static constexpr SparsePass passes[] = {sparse_pass<Row + 1, Panels>...};
    return passes[rows - 1];
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

SparsePass sparse_pass_for(Index rows, Index panels) {
    static_assert(sparse_panels == 1 || sparse_panels == 3);
    constexpr auto all = std::make_integer_sequence<int, sparse_rows>();
    if constexpr (sparse_panels >= 3) {
        if (panels == 3) return sparse_pass_of<3>(rows, all);
        if (panels == 2) return sparse_pass_of<2>(rows, all);
    }
    return sparse_pass_of<1>(rows, all);
}

}  // namespace canonface
