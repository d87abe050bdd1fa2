// Deltas of activations on windows: the arguments of every kernel, and the row of each cell.
#pragma once

#include <algorithm>
#include <vector>

#include "simd.hpp"

namespace canonface {

// Error in a kernel's arguments; the text is handed to Python.
struct ArgumentError {
    const char* text;
};

inline void require(bool fulfilled, const char* otherwise) {
    if (!fulfilled) throw ArgumentError{otherwise};
}

// One line of a windows table. Cell (i, j) of the window is row `first + i * width + j`.
struct Window {
    std::int32_t y, x, height, width, first, photo;

    Index cells() const { return Index{height} * width; }
    bool contains(Index map_y, Index map_x) const {
        return map_y >= y && map_y < y + height && map_x >= x && map_x < x + width;
    }
    Index row(Index map_y, Index map_x) const { return first + (map_y - y) * width + (map_x - x); }
};

// The structures below are shared with arguments.py.
struct Deltas {
    float* rows;
    Index row_count;
    Index channels;
    const Window* windows;
    Index window_count;

    const float* cell(const Window& window, Index map_y, Index map_x) const {
        return rows + window.row(map_y, map_x) * channels;
    }

    void check() const {
        for (Index p = 0; p < window_count; ++p) {
            const Window& w = windows[p];
            require(w.y >= 0 && w.x >= 0 && w.height >= 0 && w.width >= 0 && w.first >= 0 && w.photo >= 0,
                    "a windows table has a negative number");
            require(w.first + w.cells() <= row_count, "a window has cells beyond the last row");
        }
    }
};

struct BaseMap {
    const float* values;
    Index row_count;
    Index height, width;

    const float* cell(Index channels, Index photo, Index y, Index x) const {
        return values + ((photo * height + y) * width + x) * channels;
    }

    // Windows on this map read nothing outside it.
    void check(const Deltas& on_map) const {
        for (Index p = 0; p < on_map.window_count; ++p) {
            const Window& w = on_map.windows[p];
            if (w.cells() == 0) continue;
            require(w.y + w.height <= height && w.x + w.width <= width, "a window reaches beyond its map");
            require((w.photo + 1) * height * width <= row_count, "a window refers to a photo without a base map");
        }
    }
};

struct Filter {
    Index kernel_y, kernel_x;
    Index stride_y, stride_x;
    Index top, left;
    Index dilation_y, dilation_x;

    Index taps() const { return kernel_y * kernel_x; }
};

inline void check_pair(const Deltas& in, const Deltas& out) {
    in.check();
    out.check();
    require(in.window_count == out.window_count, "windows tables have different lengths");
}

// A cell of a window, by number: where it lies and which row it is.
struct Cell {
    std::int32_t window, y, x, row;
};

inline std::vector<Cell> cells_of(const Deltas& deltas) {
    Index count = 0;
    for (Index p = 0; p < deltas.window_count; ++p) count += deltas.windows[p].cells();
    std::vector<Cell> cells(count);
    Cell* next = cells.data();
    for (Index p = 0; p < deltas.window_count; ++p) {
        const Window& w = deltas.windows[p];
        std::int32_t row = w.first;
        for (std::int32_t y = w.y; y < w.y + w.height; ++y) {
            for (std::int32_t x = w.x; x < w.x + w.width; ++x) *next++ = {static_cast<std::int32_t>(p), y, x, row++};
        }
    }
    return cells;
}

// Rounds towards minus infinity, unlike `/`.
constexpr Index floor_divide(Index a, Index b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

}  // namespace canonface
