// Products of a few rows with a packed panel of weights: the inner loop of almost everything here.
#pragma once

#include "simd.hpp"

namespace canonface {

// Weights are packed in panels, as many columns as two registers hold: `depth` rows, one after another.
constexpr int panel_columns = 2 * lanes;

// Rows that one pass over a panel multiplies: all accumulators, a row of the panel and a factor fill the registers.
constexpr int pass_rows = (registers - 4) / 2;

constexpr Index panel_count(Index columns) { return (columns + panel_columns - 1) / panel_columns; }

// products[r][0 .. panel_columns) = sum over k of rows[r][k] * panel[k][.]; only the first `columns` are needed, the
// others may be garbage. Rows of `rows` are `stride` apart, those of `products` `panel_columns`.
void multiply(const float* rows, Index stride, Index row_count, const float* panel, Index depth, Index columns,
              float* products);

}  // namespace canonface
