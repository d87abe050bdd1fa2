// Toom-Cook multiplication of polynomials, as constants and straight-line code made from a list of points.
//
// A row of cells is a polynomial, so is a reversed row of taps, and the cells that a convolution reaches are the
// coefficients of their product. S cells and R taps give S + R - 1 coefficients; as many values of the product
// determine them, and each costs one multiplication instead of the S * R of the convolution. One value is that at
// infinity, the leading coefficient. (A. L. Toom 1963, S. A. Cook 1966; S. Winograd 1980 transposes it.)
#pragma once

#include <utility>

#include "simd.hpp"

namespace canonface {

// Longer tiles save more multiplications, but have more points, for each of which there are weights to read. With two
// taps to begin with there is less to save.
template <int Taps>
constexpr int tile_length = Taps == 3 ? 6 : 4;

constexpr int longest_tile = 6;
// In this order: fewer cells use the first few points, whose powers are the smallest. Neighbours +x, -x share work.
constexpr double points[] = {0, 1, -1, 2, -2, 0.5, -0.5};

template <int Taps>
constexpr int point_count = tile_length<Taps> + Taps - 1;

constexpr double power(double x, int exponent) { return exponent == 0 ? 1 : x * power(x, exponent - 1); }

template <int Rows, int Columns>
struct Matrix {
    double at[Rows][Columns];
};

// Whether points i and i + 1 of the first `finite` are x and -x.
constexpr bool is_pair(int i, int finite) { return i >= 0 && i + 1 < finite && i % 2 == 1; }

// Values of a polynomial of `Cells` coefficients. Of a pair of points the matrix gives the even and the odd part
// instead, whose sum and difference are the values.
template <int Cells, int Taps>
constexpr auto evaluation() {
    constexpr int finite = Cells + Taps - 2;
    Matrix<finite + 1, Cells> result = {};
    for (int i = 0; i < finite; ++i) {
        for (int j = 0; j < Cells; ++j) {
            const bool even_part = is_pair(i, finite), odd_part = is_pair(i - 1, finite);
            const double x = points[odd_part ? i - 1 : i];
            const bool taken = even_part ? j % 2 == 0 : !odd_part || j % 2 == 1;
            result.at[i][j] = taken ? power(x, j) : 0;
        }
    }
    result.at[finite][Cells - 1] = 1;
    return result;
}

// Coefficients of a polynomial from its values, by Lagrange's formula. Of a pair of points the matrix takes the sum
// and the difference of the values.
template <int Cells, int Taps>
constexpr auto interpolation() {
    constexpr int finite = Cells + Taps - 2, size = finite + 1;
    Matrix<size, size> result = {};
    for (int i = 0; i <= finite; ++i) {
        // the polynomial that is 1 at point i and 0 at the others; for infinity the one with leading coefficient 1
        double basis[size] = {1}, scale = 1;
        int degree = 0;
        for (int j = 0; j < finite; ++j) {
            if (j == i) continue;
            ++degree;
            for (int k = degree; k >= 0; --k) basis[k] = (k > 0 ? basis[k - 1] : 0) - points[j] * basis[k];
            if (i < finite) scale *= points[i] - points[j];
        }
        for (int k = 0; k <= degree; ++k) result.at[k][i] = basis[k] / scale;
    }
    // the polynomials of finite points lack the leading coefficient; its own polynomial vanishes at them
    for (int k = 0; k < size; ++k) {
        for (int i = 0; i < finite; ++i) {
            if (!is_pair(i, finite)) continue;
            const double plus = result.at[k][i], minus = result.at[k][i + 1];
            result.at[k][i] = (plus + minus) / 2;
            result.at[k][i + 1] = (plus - minus) / 2;
        }
    }
    return result;
}

constexpr bool is_zero(double x) { return x < 1e-12 && x > -1e-12; }

// Sum of Constants.at[Row][i] * values[i]. Zeros cost nothing, nor do ones.
template <class Constants, int Row, int Column>
CANONFACE_INLINE void add_product(const Vec* values, Vec& sum) {
    constexpr double factor = Constants::matrix.at[Row][Column];
    constexpr bool is_first = [] {
        for (int i = 0; i < Column; ++i) {
            if (!is_zero(Constants::matrix.at[Row][i])) return false;
        }
        return true;
    }();
    if constexpr (is_zero(factor)) {
        (void)values;
    } else if constexpr (is_first) {
        sum = factor == 1 ? values[Column] : values[Column] * static_cast<float>(factor);
    } else {
        sum += factor == 1 ? values[Column] : values[Column] * static_cast<float>(factor);
    }
}

template <class Constants, int Row, int... Column>
CANONFACE_INLINE Vec product(const Vec* values, std::integer_sequence<int, Column...>) {
    Vec sum = {};
    (add_product<Constants, Row, Column>(values, sum), ...);
    return sum;
}

template <class Constants, int Columns, int... Row>
CANONFACE_INLINE void products(const Vec* values, Vec* results, std::integer_sequence<int, Row...>) {
    ((results[Row] = product<Constants, Row>(values, std::make_integer_sequence<int, Columns>())), ...);
}

template <int Finite>
CANONFACE_INLINE void sums_and_differences(Vec* values) {
    CANONFACE_UNROLL
    for (int i = 1; i < Finite - 1; i += 2) {
        const Vec a = values[i], b = values[i + 1];
        values[i] = a + b;
        values[i + 1] = a - b;
    }
}

template <int Cells, int Taps>
struct Line {
    static constexpr int size = Cells + Taps - 1;

    struct Evaluation {
        static constexpr auto matrix = evaluation<Cells, Taps>();
    };
    struct Interpolation {
        static constexpr auto matrix = interpolation<Cells, Taps>();
    };

    static CANONFACE_INLINE void evaluate(const Vec* cells, Vec* values) {
        products<Evaluation, Cells>(cells, values, std::make_integer_sequence<int, size>());
        sums_and_differences<size - 1>(values);
    }

    // Overwrites the values.
    static CANONFACE_INLINE void interpolate(Vec* values, Vec* coefficients) {
        sums_and_differences<size - 1>(values);
        products<Interpolation, size>(values, coefficients, std::make_integer_sequence<int, size>());
    }
};

}  // namespace canonface
