// Convolution as a matrix product (im2col) by Strassen's algorithm: rows, depth and outputs are cut in half once or
// twice; see strassen.hpp.
#include "im2col.hpp"
#include "gemm.hpp"
#include "scratch.hpp"
#include "strassen.hpp"
#include "workers.hpp"

namespace canonface {
namespace {

// Floats of the left factors that stay in the second-level cache while all panels pass over them.
constexpr Index block_floats = 1 << 17;
constexpr Index most_rows = 8 * pass_rows;

thread_local Scratch factors, products, gathered_rows, spare;
thread_local std::vector<Target> targets;

// One of the products: `rows` of a part with `depth`, and `columns` of the outputs.
template <int Levels>
struct Part {
    using H = Strassen<Levels>;
    Index depth, columns, stride, rows;

    Part(Index whole_depth, Index outputs)
        : depth(whole_depth / H::parts), columns(outputs / H::parts), stride(padded_stride(depth)) {
        const Index most = std::min(block_floats / (H::products * stride), most_rows);
        rows = std::max<Index>(most / pass_rows, 1) * pass_rows;
    }

    Index block() const { return rows * H::parts; }
};

template <int Levels>
class Block {
    using H = Strassen<Levels>;

  public:
    Block(const Convolution& c, const Part<Levels>& part, const Cell* cells, Index count, bool in_place)
        : convolution_(c),
          part_(part),
          cells_(cells),
          count_(count),
          rows_((count + H::parts - 1) / H::parts),
          in_place_(in_place),
          factors_(factors.floats(H::products * part.rows * part.stride)),
          products_(products.floats(H::products * part.rows * panel_columns)) {}

    void compute() {
        split();
        targets.resize(count_);
        for (Index i = 0; i < count_; ++i) targets[i] = convolution_.finisher->target(cells_[i]);
        const float* panel = convolution_.panels;
        for (Index column = 0; column < part_.columns; column += panel_columns) {
            const Index columns = std::min<Index>(panel_columns, part_.columns - column);
            for (int m = 0; m < H::products; ++m, panel += part_.depth * panel_columns) {
                prefetch_share(m, column, columns);
                const float* rows = factor(m);
                const Ahead ahead = {next_rows(column, m), panel + part_.depth * panel_columns};
                multiply(rows, part_.stride, rows_, panel, part_.depth, columns, product(m), ahead);
            }
            combine<Levels>(products_, rows_ * panel_columns);
            finish(column, columns);
        }
    }

  private:
    float* factor(int m) const { return factors_ + m * part_.rows * part_.stride; }
    float* product(int place) const { return products_ + place * rows_ * panel_columns; }
    Index depth() const { return part_.depth * H::parts; }

    const float* in_row(Index cell) const { return convolution_.in.rows + Index{cells_[cell].row} * depth(); }

    void split() {
        float* memory = spare.floats(4 * Levels * depth());
        float* gathered = gathered_rows.floats((H::parts + 1) * depth());
        float* zeros = gathered + H::parts * depth();
        std::memset(zeros, 0, depth() * sizeof(float));
        for (Index r = 0; r < rows_; ++r) {
            const float* rows[H::parts];
            for (int i = 0; i < H::parts; ++i) {
                const Index cell = i * rows_ + r;
                rows[i] = cell < count_ ? row(cell, gathered + i * depth()) : zeros;
            }
            float* to[H::products];
            for (int m = 0; m < H::products; ++m) to[m] = factor(m) + r * part_.stride;
            split_rows<Levels>(rows, depth(), to, memory);
        }
    }

    const float* row(Index cell, float* memory) const {
        if (in_place_) return in_row(cell);
        gather(memory, convolution_, cells_[cell]);
        return memory;
    }

    // While the first panels are multiplied the rows of the next block are fetched.
    const float* next_rows(Index column, int m) const {
        if (column > 0 || !in_place_) return factor(m);
        return in_row(0) + (H::parts * rows_ + m * (rows_ + pass_rows - 1) / pass_rows * 16) * depth();
    }

    // And a share of what the end of the panel will need.
    void prefetch_share(int m, Index column, Index columns) const {
        const Index from = count_ * m / H::products, until = count_ * (m + 1) / H::products;
        for (int part = 0; part < H::parts; ++part) {
            convolution_.finisher->prefetch(targets.data() + from, until - from, part * part_.columns + column,
                                            columns);
        }
    }

    void finish(Index column, Index columns) const {
        for (int i = 0; i < H::parts; ++i) {
            const Index first = i * rows_, rows = std::clamp<Index>(count_ - first, 0, rows_);
            for (int j = 0; j < H::parts; ++j) {
                convolution_.finisher->finish(targets.data() + first, rows, product(H::place(i, j)), panel_columns,
                                              j * part_.columns + column, columns);
            }
        }
    }

    const Convolution& convolution_;
    const Part<Levels>& part_;
    const Cell* cells_;
    const Index count_, rows_;
    const bool in_place_;
    float *factors_, *products_;
};

template <int Levels>
void compute(const Convolution& c) {
    const std::vector<Cell> cells = cells_of(c.out);
    const Index count = static_cast<Index>(cells.size());
    const Part<Levels> part(depth_of(c.filter, c.in.channels), c.out.channels);
    const bool in_place = rows_stay_in_place(c);
    parallel_for(c.threads, (count + part.block() - 1) / part.block(), [&](Index task) {
        const Index first = task * part.block();
        Block<Levels>(c, part, cells.data() + first, std::min(part.block(), count - first), in_place).compute();
    });
}

// Order: panel, product, depth, column of the panel.
template <int Levels>
void pack(const Weights& w, float* panels) {
    const Index depth = depth_of(w.filter, w.inputs);
    const Part<Levels> part(depth, w.outputs);
    const auto value = [&](Index k, Index n) {
        const Index tap = k / w.inputs;
        return w.at(n, k % w.inputs, tap / w.filter.kernel_x, tap % w.filter.kernel_x);
    };
    for (Index first = 0; first < part.columns; first += panel_columns) {
        for (int m = 0; m < Strassen<Levels>::products; ++m) {
            for (Index k = 0; k < part.depth; ++k) {
                for (Index n = first; n < first + panel_columns; ++n) {
                    const bool inside = n < part.columns;
                    *panels++ = inside ? static_cast<float>(right_value<Levels>(m, depth, w.outputs, k, n, value)) : 0.0f;
                }
            }
        }
    }
}

}  // namespace

bool strassen_possible(int levels, Index inputs, Index outputs, const Filter& filter) {
    // halves of whole registers, of the widest there are, so that all variants agree
    const Index whole = Index{16} << levels;
    return depth_of(filter, inputs) % whole == 0 && outputs % whole == 0;
}

Index strassen_size(int levels, Index inputs, Index outputs, const Filter& filter) {
    const Index depth = depth_of(filter, inputs) >> levels;
    const int all = levels == 1 ? Strassen<1>::products : Strassen<2>::products;
    return panel_count(outputs >> levels) * all * depth * panel_columns;
}

void strassen_pack(int levels, const Weights& weights, float* panels) {
    levels == 1 ? pack<1>(weights, panels) : pack<2>(weights, panels);
}

void strassen(int levels, const Convolution& convolution) {
    levels == 1 ? compute<1>(convolution) : compute<2>(convolution);
}

}  // namespace canonface
