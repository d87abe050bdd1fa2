// Rows of a convolution's matrix product: the cells under the kernel, side by side.
#pragma once

#include "convolution.hpp"

namespace canonface {

inline Index depth_of(const Filter& filter, Index inputs) { return filter.taps() * inputs; }

// A kernel 1x1 on unmoved windows reads each row once and in order: nothing to gather.
bool rows_stay_in_place(const Convolution& convolution);

// The row of a cell of the output. Cells outside a window are zero, so windows and maps need no borders.
void gather(float* to, const Convolution& convolution, const Cell& cell);

}  // namespace canonface
