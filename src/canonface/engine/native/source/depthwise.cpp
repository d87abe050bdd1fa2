// Convolution that keeps channels apart. The taps that meet a window are a rectangle of the kernel, so nothing needs
// to be filled up with zeros: at the borders the rectangle is smaller.
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
};

struct ThreadMemory {
    Scratch sums;
    std::vector<Target> targets;
};

thread_local ThreadMemory memory;

// Taps that meet the window: where their cells and weights lie, and how far apart.
struct Taps {
    const float *cells, *weights;
    Index rows, columns;
    Index cell_row, cell_column, weight_row;
};

// Sums of so many vectors of channels of neighbouring cells, `step` floats apart in the input. The numbers of cells,
// of vectors and (unless zero) of the kernel's columns are known to the compiler: sums stay in registers, and the
// innermost loop is straight-line code.
template <int Cells, int Vectors, int Columns, class Count>
CANONFACE_INLINE void sum_vectors(const Taps& taps, Index step, Index channels, Index channel, Count count,
                                  float* sums) {
    const Index columns = Columns ? Columns : taps.columns;
    Vec total[Cells][Vectors];
    CANONFACE_UNROLL
    for (int i = 0; i < Cells; ++i) {
        CANONFACE_UNROLL
        for (int v = 0; v < Vectors; ++v) total[i][v] = Vec{};
    }
    for (Index a = 0; a < taps.rows; ++a) {
        const float* weight = taps.weights + a * taps.weight_row + channel;
        const float* cell = taps.cells + a * taps.cell_row + channel;
        for (Index b = 0; b < columns; ++b, weight += channels, cell += taps.cell_column) {
            CANONFACE_UNROLL
            for (int v = 0; v < Vectors; ++v) {
                const Vec factor = load_some(weight + v * lanes, count);
                CANONFACE_UNROLL
                for (int i = 0; i < Cells; ++i) {
                    total[i][v] += factor * load_some(cell + i * step + v * lanes, count);
                }
            }
        }
    }
    CANONFACE_UNROLL
    for (int i = 0; i < Cells; ++i) {
        CANONFACE_UNROLL
        for (int v = 0; v < Vectors; ++v) {
            store_some(sums + i * channels + channel + v * lanes, total[i][v], count);
        }
    }
}

// Sums of all channels.
template <int Cells, int Columns>
void sum_cells(const Taps& taps, Index step, Index channels, float* sums) {
    constexpr int vectors = cells_at_once / Cells;
    Index c = 0;
    for (; c + vectors * lanes <= channels; c += vectors * lanes) {
        sum_vectors<Cells, vectors, Columns>(taps, step, channels, c, AllLanes{}, sums);
    }
    for (; c + lanes <= channels; c += lanes) {
        sum_vectors<Cells, 1, Columns>(taps, step, channels, c, AllLanes{}, sums);
    }
    if (c < channels) {
        sum_vectors<Cells, 1, Columns>(taps, step, channels, c, static_cast<int>(channels - c), sums);
    }
}

template <int Cells>
void sum_neighbours(const Taps& taps, Index step, Index channels, float* sums) {
    switch (taps.columns) {
        case 1: return sum_cells<Cells, 1>(taps, step, channels, sums);
        case 2: return sum_cells<Cells, 2>(taps, step, channels, sums);
        case 3: return sum_cells<Cells, 3>(taps, step, channels, sums);
        default: return sum_cells<Cells, 0>(taps, step, channels, sums);
    }
}

void convolve_row(const Layer& l, const Window& in, const Window& out, Index out_y, const Target* targets) {
    const Filter& f = l.filter;
    const Index channels = l.in.channels;
    const Index top = out_y * f.stride_y - f.top;
    const Range rows = Range::meeting(top, f.kernel_y, f.dilation_y, in.y, in.height);
    float* sums = memory.sums.floats(cells_at_once * channels);
    const auto columns_at = [&](Index i) {
        return Range::meeting((out.x + i) * f.stride_x - f.left, f.kernel_x, f.dilation_x, in.x, in.width);
    };
    for (Index i = 0; i < out.width;) {
        const Range columns = columns_at(i);
        const bool inner = columns.count() == f.kernel_x && i + cells_at_once <= out.width &&
                           columns_at(i + cells_at_once - 1).count() == f.kernel_x;
        const Index cells = inner ? cells_at_once : 1;
        if (rows.count() == 0 || columns.count() == 0) {
            std::memset(sums, 0, cells * channels * sizeof(float));
        } else {
            const Index y = top + rows.from * f.dilation_y;
            const Index x = (out.x + i) * f.stride_x - f.left + columns.from * f.dilation_x;
            const Taps taps = {l.in.cell(in, y, x),
                               l.taps + (rows.from * f.kernel_x + columns.from) * channels,
                               rows.count(),
                               columns.count(),
                               f.dilation_y * in.width * channels,
                               f.dilation_x * channels,
                               f.kernel_x * channels};
            const auto sum = inner ? sum_neighbours<cells_at_once> : sum_neighbours<1>;
            sum(taps, f.stride_x * channels, channels, sums);
        }
        l.finisher.finish(targets + i, cells, sums, channels, 0, channels);
        i += cells;
    }
}

void convolve_window(const Layer& l, Index p, const Cell* cells) {
    const Window &in = l.in.windows[p], &out = l.out.windows[p];
    memory.targets.resize(out.cells());
    for (Index i = 0; i < out.cells(); ++i) memory.targets[i] = l.finisher.target(cells[i]);
    for (Index i = 0; i < out.height; ++i) {
        convolve_row(l, in, out, out.y + i, memory.targets.data() + i * out.width);
    }
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
