// Operators on single rows: sums of two inputs, concatenation, factors, activations on their own.
#include "epilogue.hpp"
#include "interface.hpp"
#include "scratch.hpp"
#include "workers.hpp"

using namespace canonface;

namespace {

constexpr Index rows_a_task = 128;

thread_local Scratch zero_memory;

// Calls `body(first, until)` for runs of so many numbers.
template <class Body>
void in_runs(Index count, int threads, const Body& body) {
    parallel_for(threads, (count + rows_a_task - 1) / rows_a_task, [&](Index task) {
        body(task * rows_a_task, std::min((task + 1) * rows_a_task, count));
    });
}

const float* row_or_null(const Deltas& deltas, const Cell& cell) {
    const Window& window = deltas.windows[cell.window];
    return window.contains(cell.y, cell.x) ? deltas.cell(window, cell.y, cell.x) : nullptr;
}

// Cells from `first` on whose rows of `deltas` follow one another; null where none of them has a row.
struct Run {
    const float* rows;
    Index cells;
};

Run run_of(const Deltas& deltas, const std::vector<Cell>& cells, Index first, Index until) {
    const float* rows = row_or_null(deltas, cells[first]);
    Index count = 1;
    while (first + count < until) {
        const float* next = row_or_null(deltas, cells[first + count]);
        if (next != (rows ? rows + count * deltas.channels : nullptr)) break;
        ++count;
    }
    return {rows, count};
}

void copy_row(const float* from, float* to, Index channels) {
    if (from) {
        std::memcpy(to, from, channels * sizeof(float));
    } else {
        std::memset(to, 0, channels * sizeof(float));
    }
}

}  // namespace

// The second input is the residual that every kernel can add; the first takes the place of a kernel's sums.
CANONFACE_EXPORT const char* canonface_add(const Deltas* a, const Deltas* out, const Deltas* b, float sign,
                                           const Epilogue* epilogue, int threads) {
    return run_kernel([&] {
        check_pair(*a, *out);
        const Finisher finisher(*epilogue, *out, b, sign);
        const Index channels = out->channels;
        const std::vector<Cell> cells = cells_of(*out);
        in_runs(static_cast<Index>(cells.size()), threads, [&](Index first, Index until) {
            const float* zeros = zero_memory.zeros(channels);
            Target targets[rows_a_task];
            for (Index i = first; i < until; ++i) targets[i - first] = finisher.target(cells[i]);
            for (Index i = first; i < until;) {
                const Run run = run_of(*a, cells, i, until);
                finisher.finish(targets + (i - first), run.cells, run.rows ? run.rows : zeros,
                                run.rows ? channels : 0, 0, channels);
                i += run.cells;
            }
        });
    });
}

CANONFACE_EXPORT const char* canonface_place(const Deltas* in, const Deltas* out, Index first_channel, int threads) {
    return run_kernel([&] {
        check_pair(*in, *out);
        require(first_channel >= 0 && first_channel + in->channels <= out->channels,
                "the channels do not fit into the rows");
        const std::vector<Cell> cells = cells_of(*out);
        in_runs(static_cast<Index>(cells.size()), threads, [&](Index first, Index until) {
            for (Index i = first; i < until; ++i) {
                float* to = out->rows + cells[i].row * out->channels + first_channel;
                copy_row(row_or_null(*in, cells[i]), to, in->channels);
            }
        });
    });
}

CANONFACE_EXPORT const char* canonface_scale(const float* rows, const float* factor, float* out, Index row_count,
                                             Index channels, int threads) {
    return run_kernel([&] {
        in_runs(row_count, threads, [&](Index first, Index until) {
            for (Index r = first; r < until; ++r) {
                for_each_vector(channels, [&](Index c, auto count) {
                    const Vec value = load_some(rows + r * channels + c, count) * load_some(factor + c, count);
                    store_some(out + r * channels + c, value, count);
                });
            }
        });
    });
}

CANONFACE_EXPORT const char* canonface_activate(const Deltas* in, const Deltas* out, const Epilogue* epilogue,
                                                int threads) {
    return run_kernel([&] {
        check_pair(*in, *out);
        const Finisher finisher(*epilogue, *out, nullptr);
        const std::vector<Cell> cells = cells_of(*out);
        in_runs(static_cast<Index>(cells.size()), threads, [&](Index first, Index until) {
            for (Index i = first; i < until; ++i) {
                const Target target = finisher.target(cells[i]);
                const float* change = in->rows + cells[i].row * in->channels;
                finisher.finish(&target, 1, change, in->channels, 0, in->channels);
            }
        });
    });
}
