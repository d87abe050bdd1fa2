#include "gemm.hpp"

#include <algorithm>
#include <utility>

namespace canonface {
namespace {

// Rows of a panel that stay in the first-level cache while all rows pass over them.
constexpr Index depth_block = 256;

template <int Rows, int Vectors>
void pass(const float* rows, Index stride, const float* panel, Index depth, float* products, bool accumulate) {
    Vec sums[Rows][Vectors];
    CANONFACE_UNROLL
    for (int r = 0; r < Rows; ++r) {
        CANONFACE_UNROLL
        for (int v = 0; v < Vectors; ++v) sums[r][v] = Vec{};
    }
    for (Index k = 0; k < depth; ++k, panel += panel_columns) {
        Vec weights[Vectors];
        CANONFACE_UNROLL
        for (int v = 0; v < Vectors; ++v) weights[v] = load(panel + v * lanes);
        CANONFACE_UNROLL
        for (int r = 0; r < Rows; ++r) {
            const Vec factor = broadcast(rows[r * stride + k]);
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

using Pass = void (*)(const float*, Index, const float*, Index, float*, bool);

template <int Vectors, int... Row>
Pass pass_of(Index rows, std::integer_sequence<int, Row...>) {
    static constexpr Pass passes[] = {pass<Row + 1, Vectors>...};
    return passes[rows - 1];
}

template <int Vectors>
Pass pass_of(Index rows) {
    return pass_of<Vectors>(rows, std::make_integer_sequence<int, pass_rows>());
}

}  // namespace

void multiply(const float* rows, Index stride, Index row_count, const float* panel, Index depth, Index columns,
              float* products) {
    if (row_count == 0) return;
    // passes of nearly equal numbers of rows: a last one of a row or two would waste the loads of the panel
    const Index passes = (row_count + pass_rows - 1) / pass_rows;
    const Index fewer = row_count / passes, longer_ones = row_count % passes;
    const Pass shorter = columns > lanes ? pass_of<2>(fewer) : pass_of<1>(fewer);
    const Pass longer = longer_ones == 0 ? shorter : columns > lanes ? pass_of<2>(fewer + 1) : pass_of<1>(fewer + 1);
    for (Index k = 0; k < depth; k += depth_block) {
        const Index block = std::min(depth_block, depth - k);
        Index row = 0;
        for (Index i = 0; i < passes; ++i) {
            const Pass chosen = i < longer_ones ? longer : shorter;
            chosen(rows + row * stride + k, stride, panel + k * panel_columns, block, products + row * panel_columns,
                   k > 0);
            row += i < longer_ones ? fewer + 1 : fewer;
        }
    }
}

}  // namespace canonface
