// Convolution that keeps channels apart. A few channels of a window are copied into a frame of zeros, small enough for
// the first-level cache, where every kernel reads without asking what lies inside the window.
#include "epilogue.hpp"
#include "interface.hpp"
#include "scratch.hpp"
#include "workers.hpp"

using namespace canonface;

namespace {

// Cells of an output row that are summed at once: each weight is loaded once for all of them.
constexpr int cells_at_once = 4;

struct Layer {
    const float* taps;
    const Filter& filter;
    const Deltas &in, &out;
    const Finisher& finisher;
};

// The part of the input's map that the kernel reads for one window of the output.
struct Frame {
    Index y, x, height, width;

    Frame(const Filter& f, const Window& out)
        : y(out.y * f.stride_y - f.top),
          x(out.x * f.stride_x - f.left),
          height((out.height - 1) * f.stride_y + (f.kernel_y - 1) * f.dilation_y + 1),
          width((out.width - 1) * f.stride_x + (f.kernel_x - 1) * f.dilation_x + 1) {}
};

struct ThreadMemory {
    Scratch frame, sums;
    std::vector<Target> targets;
};

thread_local ThreadMemory memory;

// One vector of channels of the input, as far as the frame goes; zero outside the window.
void fill_frame(const Layer& l, const Window& in, const Frame& frame, Index channel, int count, float* values) {
    const Index y_from = std::clamp<Index>(in.y - frame.y, 0, frame.height);
    const Index y_until = std::clamp<Index>(in.y + in.height - frame.y, y_from, frame.height);
    const Index x_from = std::clamp<Index>(in.x - frame.x, 0, frame.width);
    const Index x_until = std::clamp<Index>(in.x + in.width - frame.x, x_from, frame.width);
    const Index line = frame.width * lanes;
    std::memset(values, 0, y_from * line * sizeof(float));
    for (Index y = y_from; y < y_until; ++y) {
        float* to = values + y * line;
        for (Index x = 0; x < x_from; ++x) store(to + x * lanes, Vec{});
        if (x_until > x_from) {
            const float* from = l.in.cell(in, frame.y + y, frame.x + x_from) + channel;
            for (Index x = x_from; x < x_until; ++x, from += l.in.channels) {
                store(to + x * lanes, load_some(from, count));
            }
        }
        for (Index x = x_until; x < frame.width; ++x) store(to + x * lanes, Vec{});
    }
    std::memset(values + y_until * line, 0, (frame.height - y_until) * line * sizeof(float));
}

// Sums of `Cells` neighbours of an output row.
template <int Cells>
CANONFACE_INLINE void sum_neighbours(const Filter& f, const Vec* weights, const float* from, Index line, float* sums) {
    const Index step = f.stride_x * lanes;
    Vec total[Cells];
    CANONFACE_UNROLL
    for (int i = 0; i < Cells; ++i) total[i] = Vec{};
    for (Index a = 0; a < f.kernel_y; ++a) {
        for (Index b = 0; b < f.kernel_x; ++b) {
            const Vec weight = weights[a * f.kernel_x + b];
            const float* tap = from + a * f.dilation_y * line + b * f.dilation_x * lanes;
            CANONFACE_UNROLL
            for (int i = 0; i < Cells; ++i) total[i] += weight * load(tap + i * step);
        }
    }
    CANONFACE_UNROLL
    for (int i = 0; i < Cells; ++i) store(sums + i * lanes, total[i]);
}

void sum_window(const Filter& f, const Vec* weights, const Window& out, const float* frame, Index line, float* sums) {
    for (Index i = 0; i < out.height; ++i) {
        const float* from = frame + i * f.stride_y * line;
        Index j = 0;
        for (; j + cells_at_once <= out.width; j += cells_at_once, sums += cells_at_once * lanes) {
            sum_neighbours<cells_at_once>(f, weights, from + j * f.stride_x * lanes, line, sums);
        }
        for (; j < out.width; ++j, sums += lanes) {
            sum_neighbours<1>(f, weights, from + j * f.stride_x * lanes, line, sums);
        }
    }
}

void convolve_window(const Layer& l, Index p, const Cell* cells) {
    const Window &in = l.in.windows[p], &out = l.out.windows[p];
    const Frame frame(l.filter, out);
    const Index line = frame.width * lanes;
    float* values = memory.frame.floats(frame.height * line);
    float* sums = memory.sums.floats((out.cells() + l.filter.taps()) * lanes);
    Vec* weights = reinterpret_cast<Vec*>(sums + out.cells() * lanes);
    memory.targets.resize(out.cells());
    for (Index i = 0; i < out.cells(); ++i) memory.targets[i] = l.finisher.target(cells[i]);
    for_each_vector(l.in.channels, [&](Index channel, int count) {
        for (Index t = 0; t < l.filter.taps(); ++t) {
            weights[t] = load_some(l.taps + t * l.in.channels + channel, count);
        }
        fill_frame(l, in, frame, channel, count, values);
        sum_window(l.filter, weights, out, values, line, sums);
        l.finisher.finish(memory.targets.data(), out.cells(), sums, lanes, channel, count);
    });
}

}  // namespace

CANONFACE_EXPORT const char* canonface_depthwise(const float* taps, const Filter* filter, const Deltas* in,
                                                 const Deltas* out, const Deltas* residual, const Epilogue* epilogue,
                                                 int threads) {
    return answer([&] {
        check_pair(*in, *out);
        const Finisher finisher(*epilogue, *out, residual);
        const Layer layer = {taps, *filter, *in, *out, finisher};
        const std::vector<Cell> cells = cells_of(*out);
        std::vector<Index> starts(out->window_count);
        for (Index p = 1; p < out->window_count; ++p) starts[p] = starts[p - 1] + out->windows[p - 1].cells();
        parallel_for(threads, out->window_count, [&](Index p) {
            if (out->windows[p].cells() > 0) convolve_window(layer, p, cells.data() + starts[p]);
        });
    });
}
