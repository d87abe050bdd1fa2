// Depthwise convolution, activation and 1x1 convolution in one pass: the values in between stay in the cache.
//
// Where a ReLU is off with and without the patch its delta is zero: about half of the values in between, and for
// neighbouring probes at one cell of the map mostly the same channels. The rows of several probes at one cell are
// therefore multiplied together, without the channels that are zero in all of them.
#include "convolution.hpp"
#include "depthwise.hpp"
#include "gemm.hpp"
#include "interface.hpp"
#include "scratch.hpp"
#include "workers.hpp"

namespace canonface {
namespace {

// Probes whose rows are multiplied together: more share fewer zeros, and their rows leave the cache.
constexpr Index probes_at_once = sparse_rows;

struct Separable {
    const Depthwise& depthwise;
    const float* panels;
    const Finisher& last;
    const Deltas &in, &out;

    const Window& window(Index p) const { return out.windows[p]; }
    bool reaches(Index p, std::int32_t y) const {
        return window(p).width > 0 && y >= window(p).y && y < window(p).y + window(p).height;
    }
};

// Rows that are multiplied at once, by so many weights: those that are not zero in all of them.
struct Tile {
    Index first, rows, depth;
};

// The channels that are not zero in all rows; returns how many there are. A vector more than that is written.
Index nonzero_channels(const float* rows, Index stride, Index count, Index channels, std::int32_t* found) {
    std::int32_t* next = found;
#if defined(__AVX512F__)
    __m512i numbers = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    for (Index c = 0; c < channels; c += lanes) {
        const __mmask16 some = channels - c < lanes ? static_cast<__mmask16>((1 << (channels - c)) - 1) : 0xffff;
        __m512i any = _mm512_setzero_si512();
        for (Index r = 0; r < count; ++r) {
            any = _mm512_or_si512(any, _mm512_maskz_loadu_epi32(some, rows + r * stride + c));
        }
        const __mmask16 kept = _mm512_test_epi32_mask(any, _mm512_set1_epi32(0x7fffffff));
        _mm512_storeu_si512(next, _mm512_maskz_compress_epi32(kept, numbers));
        numbers = _mm512_add_epi32(numbers, _mm512_set1_epi32(lanes));
        next += __builtin_popcount(kept);
    }
#else
    for (Index c = 0; c < channels; ++c) {
        bool any = false;
        for (Index r = 0; r < count; ++r) any |= rows[r * stride + c] != 0.0f;
        *next = static_cast<std::int32_t>(c);
        next += any;
    }
#endif
    return next - found;
}

// One row of the map, for a few probes.
class Row {
  public:
    void compute(const Separable& s, Index first, Index until, std::int32_t y, Index next) {
        stride_ = padded_stride(s.in.channels);
        place_cells(s, first, until, y);
        for (Index p = first; p < until; ++p) {
            if (!s.reaches(p, y)) continue;
            const Index after = p - first + next;
            depthwise_row(s.depthwise, s.in.windows[p], s.window(p), y, between_targets_.data() + (p - first) * width_,
                          after < s.in.window_count ? s.in.windows + after : nullptr);
        }
        find_channels(s.in.channels);
        multiply(s);
    }

  private:
    // The rows of one cell lie one after another, those of a few probes in a tile.
    void place_cells(const Separable& s, Index first, Index until, std::int32_t y) {
        std::int32_t left = INT32_MAX, right = 0;
        width_ = 0;
        for (Index p = first; p < until; ++p) {
            if (!s.reaches(p, y)) continue;
            const Window& window = s.window(p);
            left = std::min(left, window.x);
            right = std::max(right, window.x + window.width);
            width_ = std::max<Index>(width_, window.width);
        }
        float* row = between_.floats(probes_at_once * width_ * stride_);
        between_targets_.resize(probes_at_once * width_);
        targets_.clear();
        tiles_.clear();
        for (std::int32_t x = left; x < right; ++x) {
            const Index start = static_cast<Index>(targets_.size());
            for (Index p = first; p < until; ++p) {
                const Window& window = s.window(p);
                if (!window.contains(y, x)) continue;
                const auto number = static_cast<std::int32_t>(p);
                Target& between = between_targets_[(p - first) * width_ + x - window.x];
                between = s.depthwise.finisher.target({number, y, x, 0});
                between.out = row;
                row += stride_;
                targets_.push_back(s.last.target({number, y, x, static_cast<std::int32_t>(window.row(y, x))}));
            }
            const Index here = static_cast<Index>(targets_.size()) - start;
            if (!tiles_.empty() && tiles_.back().rows + here <= sparse_rows) {
                tiles_.back().rows += here;
            } else if (here) {
                tiles_.push_back({start, here, 0});
            }
        }
    }

    void find_channels(Index channels) {
        channels_.resize(tiles_.size() * (channels + lanes));
        std::int32_t* found = channels_.data();
        for (Tile& tile : tiles_) {
            const float* rows = between_.floats(0) + tile.first * stride_;
            tile.depth = nonzero_channels(rows, stride_, tile.rows, channels, found);
            found += channels + lanes;
        }
    }

    void multiply(const Separable& s) {
        const Index outputs = s.out.channels, channels = s.in.channels;
        float* sums = products_.floats(sparse_rows * sparse_columns);
        for (Index column = 0; column < outputs; column += sparse_columns) {
            const Index columns = std::min<Index>(sparse_columns, outputs - column);
            const std::int32_t* found = channels_.data();
            for (const Tile& tile : tiles_) {
                const Target* targets = targets_.data() + tile.first;
                s.last.prefetch(targets, tile.rows, column, columns);
                sparse_pass_for(tile.rows, panel_count(columns))(
                    {between_.floats(0) + tile.first * stride_, stride_, s.panels + column * channels,
                     channels * panel_columns, found, tile.depth, sums});
                s.last.finish(targets, tile.rows, sums, sparse_columns, column, columns);
                found += channels + lanes;
            }
        }
    }

    Index stride_ = 0, width_ = 0;
    Scratch between_, products_;
    std::vector<std::int32_t> channels_;
    std::vector<Target> between_targets_, targets_;
    std::vector<Tile> tiles_;
};

thread_local Row row;

}  // namespace
}  // namespace canonface

using namespace canonface;

CANONFACE_EXPORT const char* canonface_separable(const float* taps, const Filter* filter, const Epilogue* between,
                                                 const float* panels, const Deltas* in, const Deltas* out,
                                                 const Deltas* residual, const Epilogue* epilogue, int threads) {
    return run_kernel([&] {
        check_pair(*in, *out);
        // the values in between have the output's windows and the input's channels
        const Deltas inner = {nullptr, out->row_count, in->channels, out->windows, out->window_count};
        const Finisher first(*between, inner, nullptr), last(*epilogue, *out, residual);
        const Depthwise depthwise = {taps, *filter, *in, first};
        const Separable separable = {depthwise, panels, last, *in, *out};
        const Index groups = (out->window_count + probes_at_once - 1) / probes_at_once;
        parallel_for(threads, groups, [&](Index group) {
            const Index from = group * probes_at_once, until = std::min(from + probes_at_once, out->window_count);
            std::int32_t top = INT32_MAX, bottom = 0;
            for (Index p = from; p < until; ++p) {
                const Window& window = out->windows[p];
                if (!window.cells()) continue;
                top = std::min(top, window.y);
                bottom = std::max(bottom, window.y + window.height);
            }
            for (std::int32_t y = top; y < bottom; ++y) row.compute(separable, from, until, y, from + threads * probes_at_once);
        });
    });
}
