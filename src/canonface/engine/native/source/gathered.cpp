// Convolution by gathering: the cells under the kernel, side by side, are one row of a matrix product. Cells outside
// a window are zero, so windows and maps need no borders.
#include "convolution.hpp"
#include "gathering.hpp"
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

}  // namespace

Index gathered_size(Index inputs, Index outputs, const Filter& filter) {
    return panel_count(outputs) * depth_of(filter, inputs) * panel_columns;
}

void gathered_pack(const Weights& weights, float* panels) {
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

void gathered(const Convolution& c) {
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
