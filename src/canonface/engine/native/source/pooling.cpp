// Pooling. A maximum needs the photo's own values as well as the deltas; sums do not.
#include <limits>

#include "epilogue.hpp"
#include "interface.hpp"
#include "workers.hpp"

using namespace canonface;

namespace {

// A row of taps of a kernel that lies inside the map: cells that are `step` apart.
struct Span {
    Index from, until, step;

    // Of the taps at start, start + step, ...: those inside [0, length).
    static Span inside(Index start, Index taps, Index step, Index length) {
        const Index skipped = start < 0 ? (-start + step - 1) / step : 0;
        const Index until = std::min(start + taps * step, length);
        return {start + skipped * step, until, step};
    }
    Index count() const { return until > from ? (until - from + step - 1) / step : 0; }
};

// The cells under the kernel at one cell of the output.
struct Patch {
    Span y, x;

    Patch(const Filter& f, const Cell& out, Index height, Index width)
        : y(Span::inside(out.y * f.stride_y - f.top, f.kernel_y, f.dilation_y, height)),
          x(Span::inside(out.x * f.stride_x - f.left, f.kernel_x, f.dilation_x, width)) {}

    template <class Body>
    void for_each(const Body& body) const {
        for (Index v = y.from; v < y.until; v += y.step) {
            for (Index u = x.from; u < x.until; u += x.step) body(v, u);
        }
    }
};

// Value of a cell under the kernel; `change` is null outside the window.
struct Tap {
    const float* base;
    const float* change;
};

void greatest(const std::vector<Tap>& taps, const float* base_out, float* out, Index channels) {
    for_each_vector(channels, [&](Index c, auto count) {
        Vec greatest = broadcast(-std::numeric_limits<float>::infinity());
        for (const Tap& tap : taps) {
            Vec value = load_some(tap.base + c, count);
            if (tap.change) value += load_some(tap.change + c, count);
            greatest = greater(value, greatest);
        }
        store_some(out + c, greatest - load_some(base_out + c, count), count);
    });
}

void sum(const std::vector<const float*>& changes, float factor, float* out, Index channels) {
    for_each_vector(channels, [&](Index c, auto count) {
        Vec sum = {};
        for (const float* change : changes) sum += load_some(change + c, count);
        store_some(out + c, sum * factor, count);
    });
}

// Vectors of channels whose sums are kept in registers.
constexpr int sums_at_once = 8;

template <int Vectors, class Count>
void sum_rows(const float* rows, Index row_count, Index stride, float factor, float* out, Count count) {
    Vec sums[Vectors];
    CANONFACE_UNROLL
    for (int v = 0; v < Vectors; ++v) sums[v] = Vec{};
    for (Index i = 0; i < row_count; ++i, rows += stride) {
        CANONFACE_UNROLL
        for (int v = 0; v < Vectors; ++v) sums[v] += load_some(rows + v * lanes, count);
    }
    CANONFACE_UNROLL
    for (int v = 0; v < Vectors; ++v) store_some(out + v * lanes, sums[v] * factor, count);
}

// Calls `body(cell)` for the cells of the output, a few at a time.
template <class Body>
void for_each_cell(const Deltas& out, int threads, const Body& body) {
    constexpr Index block = 64;
    const std::vector<Cell> cells = cells_of(out);
    const Index count = static_cast<Index>(cells.size());
    parallel_for(threads, (count + block - 1) / block, [&](Index task) {
        for (Index i = task * block; i < std::min((task + 1) * block, count); ++i) body(cells[i]);
    });
}

}  // namespace

CANONFACE_EXPORT const char* canonface_max_pool(const Filter* filter, const Deltas* in, const Deltas* out,
                                                const BaseMap* base_in, const BaseMap* base_out, int threads) {
    return run_kernel([&] {
        check_pair(*in, *out);
        base_out->check(*out);
        // every tap inside the input's map is read, of the photos that the output refers to
        require(base_in->height > 0 && base_in->width > 0 &&
                    base_in->row_count / (base_in->height * base_in->width) >=
                        base_out->row_count / (base_out->height * base_out->width),
                "the base maps are of different numbers of photos");
        const Index channels = out->channels;
        for_each_cell(*out, threads, [&](const Cell& cell) {
            const Window& window = in->windows[cell.window];
            const Index photo = out->windows[cell.window].photo;
            thread_local std::vector<Tap> taps;
            taps.clear();
            Patch(*filter, cell, base_in->height, base_in->width).for_each([&](Index y, Index x) {
                taps.push_back({base_in->cell(channels, photo, y, x),
                                window.contains(y, x) ? in->cell(window, y, x) : nullptr});
            });
            greatest(taps, base_out->cell(channels, photo, cell.y, cell.x), out->rows + cell.row * channels, channels);
        });
    });
}

CANONFACE_EXPORT const char* canonface_avg_pool(const Filter* filter, const Deltas* in, const Deltas* out,
                                                Index height, Index width, float divisor, int threads) {
    return run_kernel([&] {
        check_pair(*in, *out);
        const Index channels = out->channels;
        for_each_cell(*out, threads, [&](const Cell& cell) {
            const Window& window = in->windows[cell.window];
            const Patch patch(*filter, cell, height, width);
            thread_local std::vector<const float*> changes;
            changes.clear();
            patch.for_each([&](Index y, Index x) {
                if (window.contains(y, x)) changes.push_back(in->cell(window, y, x));
            });
            const Index inside = std::max<Index>(patch.y.count() * patch.x.count(), 1);
            sum(changes, 1.0f / (divisor != 0 ? divisor : static_cast<float>(inside)), out->rows + cell.row * channels,
                channels);
        });
    });
}

CANONFACE_EXPORT const char* canonface_pool_sum(const Deltas* in, float factor, float* out, int threads) {
    return run_kernel([&] {
        in->check();
        const Index channels = in->channels;
        parallel_for(threads, in->window_count, [&](Index p) {
            const Window& window = in->windows[p];
            const float* rows = in->rows + window.first * channels;
            float* to = out + p * channels;
            Index c = 0;
            for (; c + sums_at_once * lanes <= channels; c += sums_at_once * lanes) {
                sum_rows<sums_at_once>(rows + c, window.cells(), channels, factor, to + c, AllLanes{});
            }
            for (; c < channels; c += lanes) {
                const int count = static_cast<int>(std::min<Index>(lanes, channels - c));
                sum_rows<1>(rows + c, window.cells(), channels, factor, to + c, count);
            }
        });
    });
}
