// Algorithms for a convolution of deltas. Each writes every cell of the output's windows.
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

// Matrix product of the cells under the kernel, gathered side by side. Any kernel.
Index im2col_size(Index inputs, Index outputs, const Filter& filter);
void im2col_pack(const Weights& weights, float* panels);
void im2col(const Convolution& convolution);

// The same with 7/8 of the multiplications at one level, 49/64 at two.
bool strassen_possible(int levels, Index inputs, Index outputs, const Filter& filter);
Index strassen_size(int levels, Index inputs, Index outputs, const Filter& filter);
void strassen_pack(int levels, const Weights& weights, float* panels);
void strassen(int levels, const Convolution& convolution);

// Products of polynomial values. Kernels 3x3 of stride 1 or 2.
bool toom_cook_possible(const Filter& filter);
Index toom_cook_size(Index inputs, Index outputs, const Filter& filter);
void toom_cook_pack(const Weights& weights, float* panels);
void toom_cook(const Convolution& convolution);

}  // namespace canonface
