// Depthwise convolution, row by row: shared by the layer of its own and the fused one.
#pragma once

#include "epilogue.hpp"

namespace canonface {

struct Depthwise {
    const float* taps;
    const Filter& filter;
    const Deltas& in;
    const Finisher& finisher;
};

// One row of a probe's window of the output; `targets` has one for each of its cells. `next` is the window of the input
// that is likely to be read after this one, or null.
void depthwise_row(const Depthwise& layer, const Window& in, const Window& out, Index out_y, const Target* targets,
                   const Window* next);

}  // namespace canonface
