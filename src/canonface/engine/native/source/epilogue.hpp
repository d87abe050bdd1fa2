// Activations in the domain of deltas: g(before + delta) - g(before), applied while the sums are still in cache.
#pragma once

#include <type_traits>

#include "windows.hpp"

namespace canonface {

// Shared with arguments.py, as are the numbers of the activations.
struct Epilogue {
    BaseMap before;
    const float* slope;
    float low, high;
    std::int32_t activation;

    enum { none, clamp, prelu, hard_swish, hard_sigmoid };

    void check(const Deltas& out) const {
        require(activation >= none && activation <= hard_sigmoid, "there is no such activation");
        if (activation != none) before.check(out);
    }
};

// The functions g. `channel` is the number of the first lane's channel, `count` how many lanes there are.
struct Clamp {
    Vec low, high;
    explicit Clamp(const Epilogue& e) : low(broadcast(e.low)), high(broadcast(e.high)) {}
    CANONFACE_INLINE Vec operator()(Vec v, Index, int) const { return smaller(greater(v, low), high); }
};

struct PRelu {
    const float* slope;
    explicit PRelu(const Epilogue& e) : slope(e.slope) {}
    template <class Count>
    CANONFACE_INLINE Vec operator()(Vec v, Index channel, Count count) const {
        return greater(v, Vec{}) + load_some(slope + channel, count) * smaller(v, Vec{});
    }
};

// Functions end with a comparison: a multiplication at their end would be fused with the subtraction that follows,
// rounded on one side only, and cells that do not change would not be zero.
CANONFACE_INLINE Vec hard_sigmoid_of(Vec v) {
    return smaller(greater(v * (1.0f / 6.0f) + broadcast(0.5f), Vec{}), broadcast(1.0f));
}

struct HardSwish {
    explicit HardSwish(const Epilogue&) {}
    CANONFACE_INLINE Vec operator()(Vec v, Index, int) const {
        return v < broadcast(3.0f) ? v * hard_sigmoid_of(v) : v;
    }
};

struct HardSigmoid {
    explicit HardSigmoid(const Epilogue&) {}
    CANONFACE_INLINE Vec operator()(Vec v, Index, int) const { return hard_sigmoid_of(v); }
};

// No activation: a change stays what it is.
struct Unchanged {};

// Where the sums of one cell go. `before` is null without an activation; `residual` is null where there is none.
struct Target {
    float* out;
    const float* before;
    const float* residual;
};

// Turns sums into deltas of the output: adds the residual, applies the activation, writes the rows.
class Finisher {
  public:
    // The residual is multiplied by `sign`.
    Finisher(const Epilogue& epilogue, const Deltas& out, const Deltas* residual, float sign = 1.0f)
        : epilogue_(epilogue), out_(out), residual_(residual), sign_(sign), streams_(is_large(out)) {
        epilogue.check(out);
        if (residual) check_pair(*residual, out);
    }

    Target target(const Cell& cell) const {
        Target target = {out_.rows + Index{cell.row} * out_.channels, nullptr, nullptr};
        if (epilogue_.activation != Epilogue::none) {
            target.before = epilogue_.before.cell(out_.channels, out_.windows[cell.window].photo, cell.y, cell.x);
        }
        if (residual_) {
            const Window& window = residual_->windows[cell.window];
            if (window.contains(cell.y, cell.x)) target.residual = residual_->cell(window, cell.y, cell.x);
        }
        return target;
    }

    // Cell i has its sums of the channels from `channel` at `sums + i * stride`; they may be in place.
    void finish(const Target* targets, Index cells, const float* sums, Index stride, Index channel,
                Index channels) const {
        with_function([&](const auto& g) {
            for (Index i = 0; i < cells; ++i) {
                for_each_vector(channels, [&](Index c, auto count) {
                    finish_vector(g, targets[i], load_some(sums + i * stride + c, count), channel + c, count);
                });
            }
        });
    }

    // Some channels of a cell, whose sums are at hand, with the function that `with_function` gives.
    template <class Function, class Count>
    CANONFACE_INLINE void finish_vector(const Function& g, const Target& target, Vec sums, Index channel,
                                        Count count) const {
        if (target.residual) sums += sign_ * load_some(target.residual + channel, count);
        if constexpr (!std::is_same_v<Function, Unchanged>) {
            const Vec before = load_some(target.before + channel, count);
            sums = g(before + sums, channel, count) - g(before, channel, count);
        }
        if (std::is_same_v<Count, AllLanes> && streams_) {
            stream(target.out + channel, sums);
        } else {
            store_some(target.out + channel, sums, count);
        }
    }

    // Calls `body` with the activation.
    template <class Body>
    void with_function(const Body& body) const {
        switch (epilogue_.activation) {
            case Epilogue::clamp: return body(Clamp(epilogue_));
            case Epilogue::prelu: return body(PRelu(epilogue_));
            case Epilogue::hard_swish: return body(HardSwish(epilogue_));
            case Epilogue::hard_sigmoid: return body(HardSigmoid(epilogue_));
            default: return body(Unchanged());
        }
    }

    // Fetches what `finish` will need: rows are far apart, so no hardware foresees it.
    static void prefetch(const Target* targets, Index cells, Index channel, Index channels) {
        constexpr Index line = 16;
        for (const Target* t = targets; t < targets + cells; ++t) {
            for (Index next = channel; next < channel + channels; next += line) {
                __builtin_prefetch(t->out + next, 1, 2);
                if (t->before) __builtin_prefetch(t->before + next, 0, 2);
                if (t->residual) __builtin_prefetch(t->residual + next, 0, 2);
            }
        }
    }

  private:
    // More floats than the caches keep until the next layer reads them.
    static constexpr Index large = Index{1} << 21;

    // Rows that lie somewhere else than in `out` are read at once.
    static bool is_large(const Deltas& out) {
        if (!out.rows) return false;
        const auto address = reinterpret_cast<std::uintptr_t>(out.rows);
        return out.row_count * out.channels > large && out.channels % lanes == 0 && address % sizeof(Vec) == 0;
    }

    const Epilogue& epilogue_;
    const Deltas& out_;
    const Deltas* residual_;
    const float sign_;
    const bool streams_;
};

}  // namespace canonface
