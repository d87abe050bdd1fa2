// Depthwise convolution. The taps that meet a window are a rectangle of the kernel, smaller at the borders, so nothing
// is padded with zeros.
#include "depthwise.hpp"

#include "interface.hpp"
#include "scratch.hpp"
#include "workers.hpp"

namespace canonface {
namespace {

// Cells, or vectors of channels, that are summed at once: independent sums hide the latency of additions.
constexpr int sums_at_once = 4;

// Numbers of the taps, along one axis, that meet the window.
struct Range {
    Index from, until;

    // Tap i reads `start + i * step`; the window is [first, first + length).
    static Range meeting(Index start, Index taps, Index step, Index first, Index length) {
        const Index from = first > start ? (first - start + step - 1) / step : 0;
        const Index until = floor_divide(first + length - 1 - start, step) + 1;
        return {std::min(from, taps), std::clamp<Index>(until, std::min(from, taps), taps)};
    }
    Index count() const { return until - from; }
    bool operator==(const Range& other) const { return from == other.from && until == other.until; }
};

// Neighbouring cells under which the same taps meet the window: addresses of the first cell's inputs and weights, and
// the distances to the next.
struct Run {
    const float *cells, *weights;
    Index rows, columns;
    Index cell_row, cell_column, weight_row, weight_column, step;
    const Target* targets;
    Index count;
};

thread_local std::vector<Run> runs;
thread_local std::vector<Target> targets_of_window;

// Rows of the input, one after another in memory.
struct Stretch {
    const float* from;
    Index count;

    // Fetches a share of them into the second-level cache.
    void prefetch(Index share, Index shares) const {
        constexpr Index line = 16;
        for (Index i = count * share / shares / line * line; i < count * (share + 1) / shares; i += line) {
            __builtin_prefetch(from + i, 0, 2);
        }
    }
};

template <class Function>
struct Sum {
    const Function& g;
    const Finisher& finisher;
    const Stretch& ahead;

    // Some cells, one vector of channels: the weights stay in registers.
    template <int Rows, int Columns>
    CANONFACE_INLINE Index cells(const Run& run, Index channel) const {
        Vec weights[Rows][Columns];
        CANONFACE_UNROLL
        for (int a = 0; a < Rows; ++a) {
            CANONFACE_UNROLL
            for (int b = 0; b < Columns; ++b) {
                weights[a][b] = load(run.weights + a * run.weight_row + b * run.weight_column + channel);
            }
        }
        const float* cells = run.cells + channel;
        Index first = 0;
        for (; first + sums_at_once <= run.count; first += sums_at_once, cells += sums_at_once * run.step) {
            Vec sums[sums_at_once];
            CANONFACE_UNROLL
            for (int i = 0; i < sums_at_once; ++i) sums[i] = Vec{};
            CANONFACE_UNROLL
            for (int a = 0; a < Rows; ++a) {
                CANONFACE_UNROLL
                for (int b = 0; b < Columns; ++b) {
                    const float* cell = cells + a * run.cell_row + b * run.cell_column;
                    CANONFACE_UNROLL
                    for (int i = 0; i < sums_at_once; ++i) sums[i] += weights[a][b] * load(cell + i * run.step);
                }
            }
            CANONFACE_UNROLL
            for (int i = 0; i < sums_at_once; ++i) {
                finisher.finish_vector(g, run.targets[first + i], sums[i], channel, AllLanes{});
            }
        }
        return first;
    }

    // One cell, some vectors of channels.
    template <int Vectors, class Count>
    CANONFACE_INLINE void vectors(const Run& run, Index number, Index channel, Count count) const {
        Vec sums[Vectors];
        CANONFACE_UNROLL
        for (int v = 0; v < Vectors; ++v) sums[v] = Vec{};
        for (Index a = 0; a < run.rows; ++a) {
            const float* cell = run.cells + number * run.step + a * run.cell_row + channel;
            const float* weight = run.weights + a * run.weight_row + channel;
            for (Index b = 0; b < run.columns; ++b, cell += run.cell_column, weight += run.weight_column) {
                CANONFACE_UNROLL
                for (int v = 0; v < Vectors; ++v) {
                    sums[v] += load_some(weight + v * lanes, count) * load_some(cell + v * lanes, count);
                }
            }
        }
        CANONFACE_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            finisher.finish_vector(g, run.targets[number], sums[v], channel + v * lanes, count);
        }
    }

    // Whole blocks of channels.
    template <int Rows, int Columns>
    CANONFACE_INLINE void block(const Run& run, Index channel) const {
        Index done = 0;
        if constexpr (Rows > 0) {
            for (int v = 0; v < sums_at_once; ++v) done = cells<Rows, Columns>(run, channel + v * lanes);
        }
        for (; done < run.count; ++done) vectors<sums_at_once>(run, done, channel, AllLanes{});
    }

    void block(const Run& run, Index channel) const {
        if (run.count >= sums_at_once && run.columns == 3) {
            switch (run.rows) {
                case 1: return block<1, 3>(run, channel);
                case 2: return block<2, 3>(run, channel);
                case 3: return block<3, 3>(run, channel);
                default: break;
            }
        }
        block<0, 0>(run, channel);
    }

    void row(Index channels) const {
        constexpr Index at_once = sums_at_once * lanes;
        const Index in_blocks = channels / at_once * at_once;
        for (Index c = 0; c < in_blocks; c += at_once) {
            ahead.prefetch(c / at_once, in_blocks / at_once);
            for (const Run& run : runs) block(run, c);
        }
        for (const Run& run : runs) {
            for (Index i = 0; i < run.count; ++i) {
                for_each_vector(channels - in_blocks,
                                [&](Index c, auto count) { vectors<1>(run, i, in_blocks + c, count); });
            }
        }
    }
};

void find_runs(const Depthwise& l, const Window& in, const Window& out, Index out_y, const Target* targets) {
    const Filter& f = l.filter;
    const Index channels = l.in.channels, top = out_y * f.stride_y - f.top;
    const Range rows = Range::meeting(top, f.kernel_y, f.dilation_y, in.y, in.height);
    const auto columns_at = [&](Index i) {
        return Range::meeting((out.x + i) * f.stride_x - f.left, f.kernel_x, f.dilation_x, in.x, in.width);
    };
    runs.clear();
    for (Index first = 0; first < out.width;) {
        const Range columns = columns_at(first);
        Index until = first + 1;
        while (until < out.width && columns_at(until) == columns) ++until;
        Run run = {nullptr, nullptr, 0, 0, f.dilation_y * in.width * channels, f.dilation_x * channels,
                   f.kernel_x * channels, channels, f.stride_x * channels, targets + first, until - first};
        if (rows.count() > 0 && columns.count() > 0) {
            const Index x = (out.x + first) * f.stride_x - f.left + columns.from * f.dilation_x;
            run.cells = l.in.cell(in, top + rows.from * f.dilation_y, x);
            run.weights = l.taps + (rows.from * f.kernel_x + columns.from) * channels;
            run.rows = rows.count();
            run.columns = columns.count();
        }
        runs.push_back(run);
        first = until;
    }
}

// Rows that only the next output row reads; after the last one, the first rows of the next window.
Stretch ahead_of(const Depthwise& l, const Window& in, const Window& out, Index out_y, const Window* next) {
    const Filter& f = l.filter;
    const bool is_last = out_y + 1 == out.y + out.height;
    if (is_last && !next) return {nullptr, 0};
    const Window& window = is_last ? *next : in;
    const Index end = is_last ? window.y + f.kernel_y
                              : (out_y + 1) * f.stride_y - f.top + (f.kernel_y - 1) * f.dilation_y + 1;
    const Index from = std::clamp<Index>(is_last ? window.y : end - f.stride_y, window.y, window.y + window.height);
    const Index until = std::clamp<Index>(end, from, window.y + window.height);
    if (from == until) return {nullptr, 0};
    return {l.in.cell(window, from, window.x), (until - from) * window.width * l.in.channels};
}

}  // namespace

void depthwise_row(const Depthwise& l, const Window& in, const Window& out, Index out_y, const Target* targets,
                   const Window* next) {
    find_runs(l, in, out, out_y, targets);
    const Stretch ahead = ahead_of(l, in, out, out_y, next);
    l.finisher.with_function([&](const auto& g) {
        Sum<std::decay_t<decltype(g)>>{g, l.finisher, ahead}.row(l.in.channels);
    });
}

}  // namespace canonface

using namespace canonface;

CANONFACE_EXPORT const char* canonface_depthwise(const float* taps, const Filter* filter, const Deltas* in,
                                                 const Deltas* out, const Deltas* residual, const Epilogue* epilogue,
                                                 int threads) {
    return run_kernel([&] {
        check_pair(*in, *out);
        const Finisher finisher(*epilogue, *out, residual);
        const Depthwise layer = {taps, *filter, *in, finisher};
        const std::vector<Cell> cells = cells_of(*out);
        std::vector<Index> starts(out->window_count);
        for (Index p = 1; p < out->window_count; ++p) starts[p] = starts[p - 1] + out->windows[p - 1].cells();
        parallel_for(threads, out->window_count, [&](Index p) {
            const Window& window = out->windows[p];
            targets_of_window.resize(window.cells());
            Target* targets = targets_of_window.data();
            for (Index i = 0; i < window.cells(); ++i) targets[i] = finisher.target(cells[starts[p] + i]);
            for (Index i = 0; i < window.height; ++i) {
                depthwise_row(layer, in->windows[p], window, window.y + i, targets + i * window.width, nullptr);
            }
        });
    });
}
