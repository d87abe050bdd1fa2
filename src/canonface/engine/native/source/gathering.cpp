#include "gathering.hpp"

namespace canonface {
namespace {

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

}  // namespace canonface
