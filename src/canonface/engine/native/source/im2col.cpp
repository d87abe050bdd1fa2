// Convolution as a matrix product: the cells under the kernel, side by side, are one row (im2col). Cells outside a
// window are zero, so windows and maps need no borders.
#include "im2col.hpp"

#include "gemm.hpp"
#include "scratch.hpp"
#include "workers.hpp"

namespace canonface {
namespace {

// Floats of gathered rows that stay in the second-level cache while all panels pass over them.
constexpr Index block_floats = 1 << 16;
constexpr Index most_rows = 16 * pass_rows;

// Blocks that a task computes one after another, if there are enough for all threads.
constexpr Index blocks_a_task = 4;

Index rows_a_block(Index depth) {
    const Index most = std::min(most_rows, block_floats / depth);
    return std::max<Index>(most / pass_rows, 2) * pass_rows;
}

// Whole blocks, a few tasks for each thread.
Index rows_a_task(Index rows, Index block, int threads) {
    const Index share = rows / (4 * std::max(threads, 1));
    return std::clamp<Index>(share / block, 1, blocks_a_task) * block;
}

thread_local Scratch gathered_rows, products;
thread_local std::vector<Target> targets;

float* copy_or_zero(float* to, const float* from, Index count) {
    if (from) {
        std::memcpy(to, from, count * sizeof(float));
    } else {
        std::memset(to, 0, count * sizeof(float));
    }
    return to + count;
}

// One row of the kernel without dilation: neighbours in the window are neighbours in memory.
float* gather_neighbours(float* to, const Convolution& c, const Window& window, Index y, Index x) {
    const Index from = std::clamp<Index>(window.x - x, 0, c.filter.kernel_x);
    const Index until = std::clamp<Index>(window.x + window.width - x, from, c.filter.kernel_x);
    to = copy_or_zero(to, nullptr, from * c.in.channels);
    if (until > from) to = copy_or_zero(to, c.in.cell(window, y, x + from), (until - from) * c.in.channels);
    return copy_or_zero(to, nullptr, (c.filter.kernel_x - until) * c.in.channels);
}

}  // namespace

bool rows_stay_in_place(const Convolution& c) {
    const Filter& f = c.filter;
    if (f.taps() != 1 || f.stride_y != 1 || f.stride_x != 1 || f.top != 0 || f.left != 0) return false;
    Index next = -1;
    for (Index p = 0; p < c.in.window_count; ++p) {
        const Window &a = c.in.windows[p], &b = c.out.windows[p];
        if (a.cells() == 0 && b.cells() == 0) continue;
        const bool same = a.y == b.y && a.x == b.x && a.height == b.height && a.width == b.width;
        if (!same || a.first != b.first || (next >= 0 && a.first != next)) return false;
        next = a.first + a.cells();
    }
    return true;
}

void gather(float* to, const Convolution& c, const Cell& cell) {
    const Filter& f = c.filter;
    const Window& window = c.in.windows[cell.window];
    const Index top = cell.y * f.stride_y - f.top, left = cell.x * f.stride_x - f.left;
    for (Index a = 0; a < f.kernel_y; ++a) {
        const Index y = top + a * f.dilation_y;
        if (y < window.y || y >= window.y + window.height) {
            to = copy_or_zero(to, nullptr, f.kernel_x * c.in.channels);
        } else if (f.dilation_x == 1) {
            to = gather_neighbours(to, c, window, y, left);
        } else {
            for (Index b = 0; b < f.kernel_x; ++b) {
                const Index x = left + b * f.dilation_x;
                to = copy_or_zero(to, window.contains(y, x) ? c.in.cell(window, y, x) : nullptr, c.in.channels);
            }
        }
    }
}

Index im2col_size(Index inputs, Index outputs, const Filter& filter) {
    return panel_count(outputs) * depth_of(filter, inputs) * panel_columns;
}

void im2col_pack(const Weights& weights, float* panels) {
    const Filter& f = weights.filter;
    for (Index first = 0; first < weights.outputs; first += panel_columns) {
        for (Index a = 0; a < f.kernel_y; ++a) {
            for (Index b = 0; b < f.kernel_x; ++b) {
                for (Index i = 0; i < weights.inputs; ++i) {
                    for (Index o = first; o < first + panel_columns; ++o) {
                        *panels++ = o < weights.outputs ? static_cast<float>(weights.at(o, i, a, b)) : 0.0f;
                    }
                }
            }
        }
    }
}

void im2col(const Convolution& c) {
    const std::vector<Cell> cells = cells_of(c.out);
    const Index count = static_cast<Index>(cells.size()), outputs = c.out.channels;
    const Index depth = depth_of(c.filter, c.in.channels);
    const bool in_place = rows_stay_in_place(c);
    const bool copy = !in_place || (rows_compete(depth) && outputs > panel_columns);
    const Index stride = copy ? padded_stride(depth) : depth;
    const Index block = rows_a_block(depth), task_rows = rows_a_task(count, block, c.threads);

    const auto compute_block = [&](Index first, Index rows) {
        const float* in_rows = c.in.rows + Index{cells[first].row} * depth;
        const float* factors = in_rows;
        if (copy) {
            float* gathered = gathered_rows.floats(block * stride);
            for (Index r = 0; r < rows; ++r) gather(gathered + r * stride, c, cells[first + r]);
            factors = gathered;
        }
        targets.resize(rows);
        for (Index r = 0; r < rows; ++r) targets[r] = c.finisher->target(cells[first + r]);
        float* sums = products.floats(block * panel_columns);
        const float* next_rows = in_place ? in_rows + rows * depth : factors;
        for (Index column = 0; column < outputs; column += panel_columns) {
            const Index columns = std::min<Index>(panel_columns, outputs - column);
            const float* panel = c.panels + column * depth;
            const Ahead ahead = {column == 0 ? next_rows : factors, panel + panel_columns * depth};
            multiply(factors, stride, rows, panel, depth, columns, sums, ahead, [&](Index row, Index row_count) {
                c.finisher->finish(targets.data() + row, row_count, sums + row * panel_columns, panel_columns, column,
                                   columns);
                if (column + columns < outputs) {
                    c.finisher->prefetch(targets.data() + row, row_count, column + columns, panel_columns);
                }
            });
        }
    };
    parallel_for(c.threads, (count + task_rows - 1) / task_rows, [&](Index task) {
        const Index until = std::min((task + 1) * task_rows, count);
        for (Index first = task * task_rows; first < until; first += block) {
            compute_block(first, std::min(block, until - first));
        }
    });
}

}  // namespace canonface
