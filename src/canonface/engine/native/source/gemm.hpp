// Products of a few rows with a packed panel of weights: the inner loop of most kernels.
#pragma once

#include <algorithm>

#include "simd.hpp"

namespace canonface {

// Weights are packed in panels, as many columns as two registers hold: `depth` rows, one after another.
constexpr int panel_columns = 2 * lanes;

// Rows that one pass over a panel multiplies: all accumulators, a row of the panel and a factor fill the registers.
constexpr int pass_rows = (registers - 4) / 2;

// Rows of a panel that stay in the first-level cache while all rows pass over them.
constexpr Index depth_block = 128;

constexpr Index panel_count(Index columns) { return (columns + panel_columns - 1) / panel_columns; }

// Addresses of the next factors, which are prefetched during the current product.
struct Ahead {
    const float* rows;
    const float* panel;
};

// One pass: products[r][.] = (accumulate ? products[r][.] : 0) + sum over k of rows[r][k] * panel[k][.].
using Pass = void (*)(const float* rows, Index stride, const float* panel, Index depth, float* products,
                      bool accumulate, Ahead ahead);

// The pass for so many rows, at most `pass_rows`, and a panel of which only the first `columns` are wanted.
Pass pass_for(Index rows, Index columns);

// Few rows, and as many panels as the registers then allow.
constexpr int sparse_rows = 4;
constexpr int sparse_panels = std::max((registers - 1) / (sparse_rows + 1) / 2, 1);
constexpr int sparse_columns = sparse_panels * panel_columns;

// Products of a few rows with neighbouring panels, by some channels alone; those of `products` are `sparse_columns`
// apart.
struct SparseProduct {
    const float* rows;
    Index stride;
    const float* panel;
    Index next_panel;
    const std::int32_t* channels;
    Index count;
    float* products;
};

using SparsePass = void (*)(const SparseProduct& product);

SparsePass sparse_pass_for(Index rows, Index panels);

// Products of any number of rows, `stride` apart, with a panel; those of `products` are `panel_columns` apart. Calls
// `done(first, count)` as soon as a few rows have their products, which still lie in the first-level cache.
template <class Done>
void multiply(const float* rows, Index stride, Index row_count, const float* panel, Index depth, Index columns,
              float* products, Ahead ahead, const Done& done) {
    if (row_count == 0) return;
    // passes of nearly equal numbers of rows: a last one of a row or two would waste the loads of the panel
    const Index passes = (row_count + pass_rows - 1) / pass_rows;
    const Index fewer = row_count / passes, longer_ones = row_count % passes;
    const Pass shorter = pass_for(fewer, columns);
    const Pass longer = longer_ones ? pass_for(fewer + 1, columns) : shorter;
    for (Index k = 0; k < depth; k += depth_block) {
        const Index block = std::min(depth_block, depth - k);
        Index row = 0;
        for (Index i = 0; i < passes; ++i) {
            const bool is_longer = i < longer_ones;
            const Index count = is_longer ? fewer + 1 : fewer;
            (is_longer ? longer : shorter)(rows + row * stride + k, stride, panel + k * panel_columns, block,
                                           products + row * panel_columns, k > 0, ahead);
            if (k + block == depth) done(row, count);
            row += count;
            ahead.rows += block * 16;
            ahead.panel += block * 16;
        }
    }
}

inline void multiply(const float* rows, Index stride, Index row_count, const float* panel, Index depth, Index columns,
                     float* products, Ahead ahead) {
    multiply(rows, stride, row_count, panel, depth, columns, products, ahead, [](Index, Index) {});
}

}  // namespace canonface
