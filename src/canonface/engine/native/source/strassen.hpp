// Products of matrices with fewer multiplications (Strassen 1969, in the form of Winograd 1971): both factors are cut
// in half along both axes, and seven products of sums of the quarters give what eight products of the quarters would.
// The seven can be made in the same way. It rounds a little more; that is measured in the tests.
#pragma once

#include "gemm.hpp"

namespace canonface {

constexpr int sevenths = 7;

// A product cut in half so often along each axis.
template <int Levels>
struct Strassen {
    static constexpr int parts = 2 * Strassen<Levels - 1>::parts;
    static constexpr int products = sevenths * Strassen<Levels - 1>::products;

    // The block of the result that lies in this part of its rows and columns, as the number of its place among the
    // products once these are combined.
    static constexpr int place(int row, int column) {
        constexpr int half = parts / 2;
        return (row / half * 2 + column / half) * Strassen<Levels - 1>::products +
               Strassen<Levels - 1>::place(row % half, column % half);
    }
};

template <>
struct Strassen<0> {
    static constexpr int parts = 1, products = 1;
    static constexpr int place(int, int) { return 0; }
};

// The left factors of the seven products, from a row of the upper half and one of the lower.
inline void seven_rows(const float* upper, const float* lower, Index half, float* const* to) {
    for (Index k = 0; k < half; k += lanes) {
        const Vec a11 = load(upper + k), a12 = load(upper + half + k);
        const Vec a21 = load(lower + k), a22 = load(lower + half + k);
        const Vec s1 = a21 + a22, s2 = s1 - a11;
        store(to[0] + k, a11);
        store(to[1] + k, a12);
        store(to[2] + k, a12 - s2);
        store(to[3] + k, a22);
        store(to[4] + k, s1);
        store(to[5] + k, s2);
        store(to[6] + k, a11 - a21);
    }
}

// The left factors of all products, from one row of each part of `depth` floats; `spare` holds 4 * depth floats for
// each level.
template <int Levels>
void split_rows(const float* const* rows, Index depth, float* const* to, float* spare) {
    using H = Strassen<Levels>;
    const Index half = depth / 2;
    if constexpr (Levels == 1) {
        seven_rows(rows[0], rows[1], half, to);
    } else {
        constexpr int pairs = H::parts / 2;
        float* seven[pairs][sevenths];
        for (int i = 0; i < pairs; ++i) {
            for (int m = 0; m < sevenths; ++m) seven[i][m] = spare + (i * sevenths + m) * half;
            seven_rows(rows[i], rows[i + pairs], half, seven[i]);
        }
        for (int m = 0; m < sevenths; ++m) {
            const float* part[pairs];
            for (int i = 0; i < pairs; ++i) part[i] = seven[i][m];
            split_rows<Levels - 1>(part, half, to + m * Strassen<Levels - 1>::products, spare + pairs * sevenths * half);
        }
    }
}

// The four quarters of a result from the seven products: `products[m * apart]` and so on, in place of the first four.
inline void combine_seven(float* products, Index apart, Index floats) {
    for (Index i = 0; i < floats; i += lanes) {
        Vec p[sevenths];
        CANONFACE_UNROLL
        for (int m = 0; m < sevenths; ++m) p[m] = load(products + m * apart + i);
        const Vec u2 = p[0] + p[5], u3 = u2 + p[6];
        store(products + i, p[0] + p[1]);
        store(products + apart + i, u2 + p[4] + p[2]);
        store(products + 2 * apart + i, u3 - p[3]);
        store(products + 3 * apart + i, u3 + p[4]);
    }
}

// The blocks of the result from all products, each of so many floats; where each lies is what `Strassen::place` says.
template <int Levels>
void combine(float* products, Index floats) {
    if constexpr (Levels > 0) {
        constexpr int inner = Strassen<Levels - 1>::products;
        for (int m = 0; m < sevenths; ++m) combine<Levels - 1>(products + m * inner * floats, floats);
        constexpr int parts = Strassen<Levels - 1>::parts;
        for (int row = 0; row < parts; ++row) {
            for (int column = 0; column < parts; ++column) {
                const int place = Strassen<Levels - 1>::place(row, column);
                combine_seven(products + place * floats, inner * floats, floats);
            }
        }
    }
}

// Right factors: how much of each quarter (11, 12, 21, 22) is in each of the seven.
constexpr int right_shares[sevenths][4] = {{1, 0, 0, 0}, {0, 0, 1, 0},  {0, 0, 0, 1}, {1, -1, -1, 1},
                                           {-1, 1, 0, 0}, {1, -1, 0, 1}, {0, -1, 0, 1}};

// Value of the right factor of a product at (k, n) of the quarter, from `value(k, n)` of the whole matrix.
template <int Levels, class Value>
double right_value(int product, Index depth, Index columns, Index k, Index n, const Value& value) {
    if constexpr (Levels == 0) {
        return value(k, n);
    } else {
        constexpr int inner = Strassen<Levels - 1>::products;
        double sum = 0;
        for (int quarter = 0; quarter < 4; ++quarter) {
            const int share = right_shares[product / inner][quarter];
            if (share == 0) continue;
            const Index first_k = quarter / 2 * (depth / 2), first_n = quarter % 2 * (columns / 2);
            sum += share * right_value<Levels - 1>(product % inner, depth / 2, columns / 2, k, n,
                                                   [&](Index i, Index j) { return value(first_k + i, first_n + j); });
        }
        return sum;
    }
}

}  // namespace canonface
