#include "convolution.hpp"

#include "interface.hpp"

using namespace canonface;

namespace {

// The same numbers as in arguments.py.
enum Algorithm { by_im2col = 0, by_toom_cook = 1, by_strassen = 2, by_strassen_twice = 3 };

constexpr int levels_of(int algorithm) { return algorithm - by_strassen + 1; }

void check_algorithm(int algorithm, Index inputs, Index outputs, const Filter& filter) {
    bool possible = false;
    switch (algorithm) {
        case by_im2col: possible = true; break;
        case by_toom_cook: possible = toom_cook_possible(filter); break;
        case by_strassen:
        case by_strassen_twice: possible = strassen_possible(levels_of(algorithm), inputs, outputs, filter); break;
        default: break;
    }
    require(possible, "this algorithm does not fit the kernel");
}

}  // namespace

CANONFACE_EXPORT Index canonface_packed_conv_size(Index inputs, Index outputs, const Filter* filter, int algorithm) {
    switch (algorithm) {
        case by_im2col: return im2col_size(inputs, outputs, *filter);
        case by_toom_cook: return toom_cook_size(inputs, outputs, *filter);
        default: return strassen_size(levels_of(algorithm), inputs, outputs, *filter);
    }
}

CANONFACE_EXPORT const char* canonface_pack_conv(const double* weight, Index inputs, Index outputs,
                                                 const Filter* filter, int algorithm, float* panels) {
    return run_kernel([&] {
        check_algorithm(algorithm, inputs, outputs, *filter);
        const Weights weights = {weight, inputs, outputs, *filter};
        switch (algorithm) {
            case by_im2col: return im2col_pack(weights, panels);
            case by_toom_cook: return toom_cook_pack(weights, panels);
            default: return strassen_pack(levels_of(algorithm), weights, panels);
        }
    });
}

CANONFACE_EXPORT const char* canonface_conv(const float* panels, const Filter* filter, int algorithm,
                                            const Deltas* in, const Deltas* out, const Deltas* residual,
                                            const Epilogue* epilogue, int threads) {
    return run_kernel([&] {
        check_algorithm(algorithm, in->channels, out->channels, *filter);
        check_pair(*in, *out);
        const Finisher finisher(*epilogue, *out, residual);
        const Convolution convolution = {panels, *filter, *in, *out, &finisher, threads};
        switch (algorithm) {
            case by_im2col: return im2col(convolution);
            case by_toom_cook: return toom_cook(convolution);
            default: return strassen(levels_of(algorithm), convolution);
        }
    });
}
