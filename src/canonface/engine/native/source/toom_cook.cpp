// Convolution 3x3 by Toom-Cook multiplication, tile by tile of the *input*; the tiles' outputs overlap and are added.
// Tiles of the output, as in Winograd convolution, would each read a border; deltas have none.
//
// Stride 2 is the same with two taps: cells of even and of odd rows (and columns) are separate phases, each convolved
// with its own taps at stride 1; the phases' products add up.
//
// A task owns a group of windows: values of the cells (`factors`) for all points, then panel by panel the products
// with the weights' values, and from them the coefficients, all within one thread's cache.
#include "convolution.hpp"
#include "gemm.hpp"
#include "scratch.hpp"
#include "toom_cook.hpp"
#include "workers.hpp"

namespace canonface {
namespace {

constexpr Index kernel_length = 3;

// Rows of products that a group should have: enough for one reading of the weights to be worth it, few enough for
// the products of a panel to stay in the second-level cache.
constexpr Index fewest_rows = 1024, most_rows = 1536;

constexpr int line_length = longest_tile + kernel_length - 1;

template <int Taps>
struct Scheme {
    static constexpr int stride = Taps == 3 ? 1 : 2;
    static constexpr int points = point_count<Taps>;
    static constexpr int pairs = points * points;

    // The second phase of stride 2 has one tap, which vanishes at point 0: it need not be multiplied there.
    static constexpr int phases(int point) { return stride == 1 || point == 0 ? 1 : 2; }
    static constexpr int terms(int pair) { return phases(pair / points) * phases(pair % points); }
    static constexpr int all_terms() {
        int sum = 0;
        for (int pair = 0; pair < pairs; ++pair) sum += terms(pair);
        return sum;
    }
    static constexpr int point(int i, int values) { return i + 1 < values ? i : points - 1; }
};

// Tiles of a window along one axis, in steps of the stride.
struct Axis {
    Index first = 0, cells = 0, tiles = 0;

    static Axis of(Index start, Index length, Index padding, Index stride) {
        const Index longest = stride == 1 ? tile_length<3> : tile_length<2>;
        if (length == 0) return {};
        const Index first = floor_divide(start + padding, stride);
        const Index cells = floor_divide(start + length - 1 + padding, stride) - first + 1;
        return {first, cells, (cells + longest - 1) / longest};
    }

    // Tiles of nearly equal lengths: the shorter, the more exact.
    int length(Index tile) const { return static_cast<int>(cells / tiles + (tile < cells % tiles)); }
    Index begin(Index tile) const { return tile * (cells / tiles) + std::min(tile, cells % tiles); }
    Index values(int taps) const { return cells + tiles * (taps - 1); }
};

struct Tiling {
    Axis y, x;

    Tiling(const Window& window, const Filter& f)
        : y(window.cells() ? Axis::of(window.y, window.height, f.top, f.stride_y) : Axis{}),
          x(window.cells() ? Axis::of(window.x, window.width, f.left, f.stride_x) : Axis{}) {}
};

// A tile, with the places of its values among the rows of each pair of points.
template <int Taps>
struct Tile {
    int height, width;
    Index y, x;
    Index row[Scheme<Taps>::pairs];

    int values_y() const { return height + Taps - 1; }
    int values_x() const { return width + Taps - 1; }
    int pair(int j, int i) const {
        using S = Scheme<Taps>;
        return S::point(j, values_y()) * S::points + S::point(i, values_x());
    }
};

// Goes through the tiles of a group's windows, one window after another, and gives their values their places.
template <int Taps>
class TileWalk {
  public:
    template <class Body>
    void walk(const Tiling& tiling, const Body& body) {
        Tile<Taps> tile;
        for (Index ty = 0; ty < tiling.y.tiles; ++ty) {
            for (Index tx = 0; tx < tiling.x.tiles; ++tx) {
                tile.height = tiling.y.length(ty);
                tile.width = tiling.x.length(tx);
                tile.y = tiling.y.begin(ty);
                tile.x = tiling.x.begin(tx);
                for (int j = 0; j < tile.values_y(); ++j) {
                    for (int i = 0; i < tile.values_x(); ++i) {
                        const int pair = tile.pair(j, i);
                        tile.row[pair] = next_[pair]++;
                    }
                }
                body(tile);
            }
        }
    }

  private:
    Index next_[Scheme<Taps>::pairs] = {};
};

// A tile on its way through the two axes.
struct Grid {
    Vec at[line_length * line_length];
};

template <int Taps, int Cells>
struct Steps {
    using L = Line<Cells, Taps>;

    // Values along x of each row of cells.
    static void evaluate_rows(const float* const* cells, Index channel, int count, int rows, Grid& grid) {
        if (count == lanes) {
            evaluate_rows_of(cells, channel, AllLanes{}, rows, grid);
        } else {
            evaluate_rows_of(cells, channel, count, rows, grid);
        }
    }

    template <class Count>
    static CANONFACE_INLINE void evaluate_rows_of(const float* const* cells, Index channel, Count count, int rows,
                                                  Grid& grid) {
        for (int y = 0; y < rows; ++y) {
            Vec line[Cells], values[L::size];
            CANONFACE_UNROLL
            for (int x = 0; x < Cells; ++x) line[x] = load_some(cells[y * longest_tile + x] + channel, count);
            L::evaluate(line, values);
            CANONFACE_UNROLL
            for (int i = 0; i < L::size; ++i) grid.at[y * line_length + i] = values[i];
        }
    }

    // Values along y of each column of the grid.
    static void evaluate_columns(const Grid& grid, int columns, float* const* factors, Index channel) {
        for (int i = 0; i < columns; ++i) {
            Vec line[Cells], values[L::size];
            CANONFACE_UNROLL
            for (int y = 0; y < Cells; ++y) line[y] = grid.at[y * line_length + i];
            L::evaluate(line, values);
            CANONFACE_UNROLL
            for (int j = 0; j < L::size; ++j) store(factors[j * line_length + i] + channel, values[j]);
        }
    }

    // Coefficients along x of each row of products.
    static void interpolate_rows(const float* const* products, Index column, int rows, Grid& grid) {
        for (int j = 0; j < rows; ++j) {
            Vec values[L::size], line[L::size];
            CANONFACE_UNROLL
            for (int i = 0; i < L::size; ++i) values[i] = load(products[j * line_length + i] + column);
            L::interpolate(values, line);
            CANONFACE_UNROLL
            for (int x = 0; x < L::size; ++x) grid.at[j * line_length + x] = line[x];
        }
    }

    // Coefficients along y, added to the sums of the cells that they belong to.
    static void interpolate_columns(const Grid& grid, int columns, float* sums, Index row_stride) {
        for (int x = 0; x < columns; ++x) {
            Vec values[L::size], line[L::size];
            CANONFACE_UNROLL
            for (int j = 0; j < L::size; ++j) values[j] = grid.at[j * line_length + x];
            L::interpolate(values, line);
            CANONFACE_UNROLL
            for (int y = 0; y < L::size; ++y) {
                float* sum = sums + y * row_stride + x * panel_columns;
                store(sum, load(sum) + line[y]);
            }
        }
    }
};

// The steps for each length of a line of cells.
template <int Taps>
struct StepTable {
    void (*evaluate_rows[longest_tile])(const float* const*, Index, int, int, Grid&);
    void (*evaluate_columns[longest_tile])(const Grid&, int, float* const*, Index);
    void (*interpolate_rows[longest_tile])(const float* const*, Index, int, Grid&);
    void (*interpolate_columns[longest_tile])(const Grid&, int, float*, Index);
};

template <int Taps, int... I>
constexpr StepTable<Taps> make_steps(std::integer_sequence<int, I...>) {
    return {{Steps<Taps, I + 1>::evaluate_rows...},
            {Steps<Taps, I + 1>::evaluate_columns...},
            {Steps<Taps, I + 1>::interpolate_rows...},
            {Steps<Taps, I + 1>::interpolate_columns...}};
}

template <int Taps>
constexpr StepTable<Taps> steps = make_steps<Taps>(std::make_integer_sequence<int, longest_tile>());

// Where factors, products and weights of each pair of points lie, for a group of windows.
template <int Taps>
struct Layout {
    using S = Scheme<Taps>;
    Index rows[S::pairs] = {};
    Index factors[S::pairs], factor_stride[S::pairs];
    Index products[S::pairs];
    Index weights[S::pairs], depth[S::pairs];
    Index all_factors = 0, all_products = 0, all_weights = 0;

    Layout(const Convolution& c, Index first, Index until) {
        const Index channels = round_up(c.in.channels, lanes);
        for (Index p = first; p < until; ++p) count_rows(Tiling(c.in.windows[p], c.filter));
        for (int pair = 0; pair < S::pairs; ++pair) {
            depth[pair] = S::terms(pair) * channels;
            factor_stride[pair] = padded_stride(depth[pair]);
            factors[pair] = all_factors;
            products[pair] = all_products;
            weights[pair] = all_weights;
            all_factors += rows[pair] * factor_stride[pair];
            all_products += rows[pair] * panel_columns;
            all_weights += depth[pair] * panel_columns;
        }
    }

  private:
    // Of so many tiles along an axis each has a value at the first points and at infinity; few have one at the last.
    void count_rows(const Tiling& tiling) {
        Index along_y[S::points] = {}, along_x[S::points] = {};
        count_values(tiling.y, along_y);
        count_values(tiling.x, along_x);
        for (int pair = 0; pair < S::pairs; ++pair) rows[pair] += along_y[pair / S::points] * along_x[pair % S::points];
    }

    static void count_values(const Axis& axis, Index* counts) {
        for (Index tile = 0; tile < axis.tiles; ++tile) {
            const int values = axis.length(tile) + Taps - 1;
            for (int i = 0; i < values; ++i) ++counts[S::point(i, values)];
        }
    }
};

struct ThreadMemory {
    Scratch factors, products, sums, zeros, sink;
    std::vector<Target> targets;
};

thread_local ThreadMemory memory;

// The cells of one phase of a tile.
template <int Taps>
void find_cells(const Convolution& c, const Window& window, const Tiling& tiling, const Tile<Taps>& tile, int phase_y,
                int phase_x, const float* zeros, const float** cells) {
    for (int j = 0; j < tile.height; ++j) {
        const Index y = (tiling.y.first + tile.y + j) * Scheme<Taps>::stride + phase_y - c.filter.top;
        for (int i = 0; i < tile.width; ++i) {
            const Index x = (tiling.x.first + tile.x + i) * Scheme<Taps>::stride + phase_x - c.filter.left;
            cells[j * longest_tile + i] = window.contains(y, x) ? c.in.cell(window, y, x) : zeros;
        }
    }
}

// Where the values of one phase of a tile go; to `sink` where they are not multiplied.
template <int Taps>
void find_factors(const Layout<Taps>& layout, const Tile<Taps>& tile, int phase_y, int phase_x, Index channels,
                  float* factors, float* sink, float** to) {
    using S = Scheme<Taps>;
    for (int j = 0; j < tile.values_y(); ++j) {
        for (int i = 0; i < tile.values_x(); ++i) {
            const int pair = tile.pair(j, i);
            const int phases_y = S::phases(pair / S::points), phases_x = S::phases(pair % S::points);
            float* row = factors + layout.factors[pair] + tile.row[pair] * layout.factor_stride[pair];
            const bool multiplied = phase_y < phases_y && phase_x < phases_x;
            to[j * line_length + i] = multiplied ? row + (phase_y * phases_x + phase_x) * channels : sink;
        }
    }
}

// Values of all cells of a group, at all pairs of points.
template <int Taps>
void evaluate_group(const Convolution& c, Index first, Index until, const Layout<Taps>& layout, float* factors) {
    using S = Scheme<Taps>;
    const Index channels = round_up(c.in.channels, lanes);
    const float* zeros = memory.zeros.zeros(channels);
    float* sink = memory.sink.floats(channels);
    TileWalk<Taps> tiles;
    for (Index p = first; p < until; ++p) {
        const Window& window = c.in.windows[p];
        const Tiling tiling(window, c.filter);
        tiles.walk(tiling, [&](const Tile<Taps>& tile) {
            for (int phase = 0; phase < S::stride * S::stride; ++phase) {
                const int phase_y = phase / S::stride, phase_x = phase % S::stride;
                const float* cells[longest_tile * longest_tile];
                float* to[line_length * line_length];
                find_cells(c, window, tiling, tile, phase_y, phase_x, zeros, cells);
                find_factors(layout, tile, phase_y, phase_x, channels, factors, sink, to);
                Grid grid;
                for_each_vector(c.in.channels, [&](Index channel, auto count) {
                    steps<Taps>.evaluate_rows[tile.width - 1](cells, channel, count, tile.height, grid);
                    steps<Taps>.evaluate_columns[tile.height - 1](grid, tile.values_x(), to, channel);
                });
            }
        });
    }
}

// One row of an output window: the sums that the tiles reached, zero beside them.
void finish_row(const Convolution& c, const Target* targets, Index x, Index width, const float* sums, Index sums_x,
                Index sums_width, const float* zeros, Index column, Index columns) {
    const Index from = std::clamp<Index>(sums_x - x, 0, width);
    const Index until = sums ? std::clamp<Index>(sums_x + sums_width - x, from, width) : from;
    c.finisher->finish(targets, from, zeros, 0, column, columns);
    if (until > from) {
        c.finisher->finish(targets + from, until - from, sums + (x + from - sums_x) * panel_columns, panel_columns,
                           column, columns);
    }
    c.finisher->finish(targets + until, width - until, zeros, 0, column, columns);
}

// Coefficients of one panel's products of one window, and from them the output's cells.
template <int Taps>
class WindowSums {
  public:
    WindowSums(const Convolution& c, Index p)
        : convolution_(c),
          window_(c.out.windows[p]),
          tiling_(c.in.windows[p], c.filter),
          height_(tiling_.y.cells + Taps - 1),
          width_(tiling_.x.cells + Taps - 1),
          sums_(tiling_.y.tiles ? memory.sums.zeros(height_ * width_ * panel_columns) : nullptr) {}

    const Tiling& tiling() const { return tiling_; }

    void add(const Tile<Taps>& tile, const Layout<Taps>& layout, const float* products, Index columns) {
        const float* from[line_length * line_length];
        for (int j = 0; j < tile.values_y(); ++j) {
            for (int i = 0; i < tile.values_x(); ++i) {
                const int pair = tile.pair(j, i);
                from[j * line_length + i] = products + layout.products[pair] + tile.row[pair] * panel_columns;
            }
        }
        float* to = sums_ + (tile.y * width_ + tile.x) * panel_columns;
        Grid grid;
        for (Index column = 0; column < columns; column += lanes) {
            steps<Taps>.interpolate_rows[tile.width - 1](from, column, tile.values_y(), grid);
            steps<Taps>.interpolate_columns[tile.height - 1](grid, tile.values_x(), to + column,
                                                            width_ * panel_columns);
        }
    }

    void finish(const Target* targets, Index column, Index columns) const {
        const float* zeros = memory.zeros.zeros(panel_columns);
        const Index sums_y = tiling_.y.first - (Taps - 1), sums_x = tiling_.x.first - (Taps - 1);
        for (Index i = 0; i < window_.height; ++i) {
            const Index line = window_.y + i - sums_y;
            const bool reached = sums_ && line >= 0 && line < height_;
            finish_row(convolution_, targets + i * window_.width, window_.x, window_.width,
                       reached ? sums_ + line * width_ * panel_columns : nullptr, sums_x, width_, zeros, column,
                       columns);
        }
    }

  private:
    const Convolution& convolution_;
    const Window& window_;
    const Tiling tiling_;
    const Index height_, width_;
    float* sums_;
};

template <int Taps>
void interpolate_group(const Convolution& c, Index first, Index until, const Layout<Taps>& layout,
                       const float* products, const Target* targets, Index column, Index columns) {
    TileWalk<Taps> tiles;
    for (Index p = first; p < until; ++p) {
        WindowSums<Taps> sums(c, p);
        tiles.walk(sums.tiling(), [&](const Tile<Taps>& tile) { sums.add(tile, layout, products, columns); });
        sums.finish(targets, column, columns);
        targets += c.out.windows[p].cells();
    }
}

template <int Taps>
void compute_group(const Convolution& c, Index first_window, Index until_window, const Cell* cells, Index cell_count) {
    const Layout<Taps> layout(c, first_window, until_window);
    float* factors = memory.factors.floats(layout.all_factors);
    evaluate_group(c, first_window, until_window, layout, factors);
    memory.targets.resize(cell_count);
    for (Index i = 0; i < cell_count; ++i) memory.targets[i] = c.finisher->target(cells[i]);
    constexpr int pairs = Scheme<Taps>::pairs;
    float* products = memory.products.floats(layout.all_products);
    const float* panel = c.panels;
    for (Index column = 0; column < c.out.channels; column += panel_columns, panel += layout.all_weights) {
        const Index columns = std::min<Index>(panel_columns, c.out.channels - column);
        for (int pair = 0; pair < pairs; ++pair) {
            // meanwhile a share of what the end of the panel will need is fetched
            const Index from = cell_count * pair / pairs, until = cell_count * (pair + 1) / pairs;
            c.finisher->prefetch(memory.targets.data() + from, until - from, column, columns);
            const float* rows = factors + layout.factors[pair];
            const float* weights = panel + layout.weights[pair];
            const Ahead ahead = {rows + layout.rows[pair] * layout.factor_stride[pair],
                                 weights + layout.depth[pair] * panel_columns};
            multiply(rows, layout.factor_stride[pair], layout.rows[pair], weights, layout.depth[pair], columns,
                     products + layout.products[pair], ahead);
        }
        interpolate_group(c, first_window, until_window, layout, products, memory.targets.data(), column, columns);
    }
}

// A run of windows, with its cells of the output.
struct Group {
    Index first, until, first_cell, cells;
};

template <int Taps>
std::vector<Group> groups_of(const Convolution& c) {
    std::vector<Index> rows(c.in.window_count);
    Index all_rows = 0;
    for (Index p = 0; p < c.in.window_count; ++p) {
        const Tiling tiling(c.in.windows[p], c.filter);
        all_rows += rows[p] = tiling.y.values(Taps) * tiling.x.values(Taps);
    }
    // a few groups for each thread, so that none waits long for another
    const Index share = all_rows / (3 * std::max(c.threads, 1));
    const Index enough = std::clamp(share, fewest_rows, most_rows);
    std::vector<Group> groups;
    Index rows_so_far = 0;
    for (Index p = 0; p < c.in.window_count; ++p) {
        if (groups.empty() || rows_so_far + rows[p] > enough) {
            const Index first_cell = groups.empty() ? 0 : groups.back().first_cell + groups.back().cells;
            groups.push_back({p, p, first_cell, 0});
            rows_so_far = 0;
        }
        rows_so_far += rows[p];
        groups.back().until = p + 1;
        groups.back().cells += c.out.windows[p].cells();
    }
    return groups;
}

template <int Taps>
void compute(const Convolution& c) {
    const std::vector<Cell> cells = cells_of(c.out);
    const std::vector<Group> groups = groups_of<Taps>(c);
    parallel_for(c.threads, static_cast<Index>(groups.size()), [&](Index task) {
        const Group& group = groups[task];
        compute_group<Taps>(c, group.first, group.until, cells.data() + group.first_cell, group.cells);
    });
}

// Value at a point of the polynomial of `Taps` coefficients whose last belongs to the first tap.
template <int Taps>
double value_at(int point, const double* taps) {
    if (point == Scheme<Taps>::points - 1) return taps[0];
    double sum = 0;
    for (int j = 0; j < Taps; ++j) sum += taps[Taps - 1 - j] * power(points[point], j);
    return sum;
}

// Value of one phase's taps at a pair of points.
template <int Taps>
double value_of_taps(const Weights& w, Index output, Index input, int phase_y, int phase_x, int pair) {
    using S = Scheme<Taps>;
    double along_y[Taps];
    for (int a = 0; a < Taps; ++a) {
        double along_x[Taps];
        for (int b = 0; b < Taps; ++b) {
            const Index y = phase_y + a * S::stride, x = phase_x + b * S::stride;
            along_x[b] = y < kernel_length && x < kernel_length ? w.at(output, input, y, x) : 0;
        }
        along_y[a] = value_at<Taps>(pair % S::points, along_x);
    }
    return value_at<Taps>(pair / S::points, along_y);
}

// Order: panel, pair of points, phase, input, column of the panel; inputs are filled up with zeros.
template <int Taps>
void pack(const Weights& w, float* panels) {
    using S = Scheme<Taps>;
    for (Index first = 0; first < w.outputs; first += panel_columns) {
        for (int pair = 0; pair < S::pairs; ++pair) {
            const int phases_x = S::phases(pair % S::points);
            for (int term = 0; term < S::terms(pair); ++term) {
                for (Index input = 0; input < round_up(w.inputs, lanes); ++input) {
                    for (Index output = first; output < first + panel_columns; ++output) {
                        const bool inside = input < w.inputs && output < w.outputs;
                        *panels++ = inside ? static_cast<float>(value_of_taps<Taps>(
                                                 w, output, input, term / phases_x, term % phases_x, pair))
                                           : 0.0f;
                    }
                }
            }
        }
    }
}

}  // namespace

bool toom_cook_possible(const Filter& f) {
    const bool strided_alike = f.stride_y == f.stride_x && (f.stride_y == 1 || f.stride_y == 2);
    return f.kernel_y == kernel_length && f.kernel_x == kernel_length && strided_alike && f.dilation_y == 1 &&
           f.dilation_x == 1;
}

Index toom_cook_size(Index inputs, Index outputs, const Filter& filter) {
    const Index terms = filter.stride_y == 1 ? Scheme<3>::all_terms() : Scheme<2>::all_terms();
    return panel_count(outputs) * terms * round_up(inputs, lanes) * panel_columns;
}

void toom_cook_pack(const Weights& weights, float* panels) {
    weights.filter.stride_y == 1 ? pack<3>(weights, panels) : pack<2>(weights, panels);
}

void toom_cook(const Convolution& convolution) {
    convolution.filter.stride_y == 1 ? compute<3>(convolution) : compute<2>(convolution);
}

}  // namespace canonface
