#include "convolution.hpp"

#include "interface.hpp"

using namespace canonface;

namespace {

enum Algorithm { by_gathering = 0, by_toom_cook = 1 };

void check_algorithm(int algorithm, const Filter& filter) {
    require(algorithm == by_gathering || (algorithm == by_toom_cook && toom_cook_possible(filter)),
            "this algorithm does not fit the kernel");
}

}  // namespace

CANONFACE_EXPORT Index canonface_packed_conv_size(Index inputs, Index outputs, const Filter* filter, int algorithm) {
    return algorithm == by_toom_cook ? toom_cook_size(inputs, outputs, *filter)
                                     : gathered_size(inputs, outputs, *filter);
}

CANONFACE_EXPORT const char* canonface_pack_conv(const double* weight, Index inputs, Index outputs,
                                                 const Filter* filter, int algorithm, float* panels) {
    return answer([&] {
        check_algorithm(algorithm, *filter);
        const Weights weights = {weight, inputs, outputs, *filter};
        algorithm == by_toom_cook ? toom_cook_pack(weights, panels) : gathered_pack(weights, panels);
    });
}

CANONFACE_EXPORT const char* canonface_conv(const float* panels, const Filter* filter, int algorithm,
                                            const Deltas* in, const Deltas* out, const Deltas* residual,
                                            const Epilogue* epilogue, int threads) {
    return answer([&] {
        check_algorithm(algorithm, *filter);
        check_pair(*in, *out);
        const Finisher finisher(*epilogue, *out, residual);
        const Convolution convolution = {panels, *filter, *in, *out, &finisher, threads};
        algorithm == by_toom_cook ? toom_cook(convolution) : gathered(convolution);
    });
}
