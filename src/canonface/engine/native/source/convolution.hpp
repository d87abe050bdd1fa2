// The ways to compute a convolution of changes. Each writes every cell of the output's windows.
#pragma once

#include "epilogue.hpp"

namespace canonface {

struct Convolution {
    const float* panels;
    Filter filter;
    Deltas in, out;
    const Finisher* finisher;
    int threads;
};

// Weights come as (out, in, kernel_y, kernel_x).
struct Weights {
    const double* values;
    Index inputs, outputs;
    Filter filter;

    double at(Index output, Index input, Index a, Index b) const {
        return values[((output * inputs + input) * filter.kernel_y + a) * filter.kernel_x + b];
    }
};

// Multiplies the cells under the kernel, gathered side by side. Any kernel.
Index gathered_size(Index inputs, Index outputs, const Filter& filter);
void gathered_pack(const Weights& weights, float* panels);
void gathered(const Convolution& convolution);

// The same with an eighth of the multiplications saved, or a quarter: at one or two levels.
bool halved_possible(int levels, Index inputs, Index outputs, const Filter& filter);
Index halved_size(int levels, Index inputs, Index outputs, const Filter& filter);
void halved_pack(int levels, const Weights& weights, float* panels);
void halved(int levels, const Convolution& convolution);

// Multiplies values of polynomials. Kernels 3x3 of stride 1 or 2.
bool toom_cook_possible(const Filter& filter);
Index toom_cook_size(Index inputs, Index outputs, const Filter& filter);
void toom_cook_pack(const Weights& weights, float* panels);
void toom_cook(const Convolution& convolution);

}  // namespace canonface
