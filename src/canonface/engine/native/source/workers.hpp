// Thread pool. Not OpenMP: its second pool would compete with PyTorch's for the processors, and its barriers wait for
// sleeping threads; here a late thread finds nothing left to do.
#pragma once

#include <functional>

#include "simd.hpp"

namespace canonface {

// Calls `body(task)` once for each task below `tasks`, on up to `threads` threads. Tasks are handed out one by one
// in order, so they may differ in size. An exception of a task is thrown here, when all threads have stopped.
void parallel_for(int threads, Index tasks, const std::function<void(Index)>& body);

}  // namespace canonface
