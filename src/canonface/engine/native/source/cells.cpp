// The fully connected layer after a flattened map, by the cells that changed: each has its own block of weights.
#include "gemm.hpp"
#include "interface.hpp"
#include "scratch.hpp"
#include "windows.hpp"
#include "workers.hpp"

using namespace canonface;

namespace {

// A changed cell of a probe: its row of deltas, and the probe.
struct Change {
    Index row, probe;
};

// Deltas in the order of the map's cells: cell i has those from starts[i] to starts[i + 1].
struct ByCell {
    std::vector<Index> starts;
    std::vector<Change> changes;

    ByCell(const Deltas& in, Index height, Index width) : starts(height * width + 1) {
        const std::vector<Cell> cells = cells_of(in);
        for (const Cell& cell : cells) ++starts[cell.y * width + cell.x + 1];
        for (Index i = 0; i < height * width; ++i) starts[i + 1] += starts[i];
        std::vector<Index> next(starts.begin(), starts.end() - 1);
        changes.resize(cells.size());
        for (const Cell& cell : cells) changes[next[cell.y * width + cell.x]++] = {cell.row, cell.window};
    }
};

thread_local Scratch gathered, products;

constexpr Index panels_a_task = 16;

// Rows multiplied at once: their products stay in the first-level cache.
constexpr Index most_rows = 8 * pass_rows;

void add_products(const float* products, const Change* changes, Index rows, Index outputs, Index column, float* out) {
    const Index columns = std::min<Index>(panel_columns, outputs - column);
    for (Index r = 0; r < rows; ++r) {
        float* to = out + changes[r].probe * outputs + column;
        for_each_vector(columns, [&](Index c, auto count) {
            store_some(to + c, load_some(to + c, count) + load_some(products + r * panel_columns + c, count), count);
        });
    }
}

}  // namespace

CANONFACE_EXPORT Index canonface_packed_cells_size(Index outputs, Index channels, Index cells) {
    return panel_count(outputs) * cells * channels * panel_columns;
}

// Order: run of panels that one task multiplies, cell, panel, channel, column.
CANONFACE_EXPORT const char* canonface_pack_cells(const float* weight, Index outputs, Index channels, Index cells,
                                                  float* panels) {
    return run_kernel([&] {
        const Index all_panels = panel_count(outputs);
        for (Index first = 0; first < all_panels; first += panels_a_task) {
            const Index until = std::min(first + panels_a_task, all_panels);
            for (Index cell = 0; cell < cells; ++cell) {
                for (Index panel = first; panel < until; ++panel) {
                    for (Index channel = 0; channel < channels; ++channel) {
                        for (Index i = 0; i < panel_columns; ++i) {
                            const Index output = panel * panel_columns + i;
                            *panels++ =
                                output < outputs ? weight[(output * channels + channel) * cells + cell] : 0.0f;
                        }
                    }
                }
            }
        }
    });
}

CANONFACE_EXPORT const char* canonface_cells_linear(const float* panels, Index height, Index width, const Deltas* in,
                                                    float* out, Index outputs, int threads) {
    return run_kernel([&] {
        in->check();
        for (Index p = 0; p < in->window_count; ++p) {
            const Window& w = in->windows[p];
            require(w.cells() == 0 || (w.y + w.height <= height && w.x + w.width <= width),
                    "a window reaches beyond its map");
        }
        const ByCell by_cell(*in, height, width);
        const Index channels = in->channels, stride = padded_stride(channels), cells = height * width;
        const Index all_panels = panel_count(outputs);
        parallel_for(threads, (all_panels + panels_a_task - 1) / panels_a_task, [&](Index task) {
            const Index first_panel = task * panels_a_task;
            const Index panels_here = std::min(panels_a_task, all_panels - first_panel);
            float* rows = gathered.floats(most_rows * stride);
            float* sums = products.floats(most_rows * panel_columns);
            for (Index cell = 0; cell < cells; ++cell) {
                const float* weights = panels + (first_panel * cells + cell * panels_here) * channels * panel_columns;
                for (Index at = by_cell.starts[cell]; at < by_cell.starts[cell + 1]; at += most_rows) {
                    const Change* changes = by_cell.changes.data() + at;
                    const Index count = std::min(most_rows, by_cell.starts[cell + 1] - at);
                    for (Index r = 0; r < count; ++r) {
                        std::memcpy(rows + r * stride, in->rows + changes[r].row * channels, channels * sizeof(float));
                    }
                    for (Index i = 0; i < panels_here; ++i) {
                        const Index column = (first_panel + i) * panel_columns;
                        const float* panel = weights + i * channels * panel_columns;
                        const Ahead ahead = {rows, panel + channels * panel_columns};
                        multiply(rows, stride, count, panel, channels, outputs - column, sums, ahead);
                        add_products(sums, changes, count, outputs, column, out);
                    }
                }
            }
        });
    });
}
