#include "workers.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

namespace canonface {
namespace {

void pause() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#endif
}

class Job {
  public:
    Job(Index tasks, const std::function<void(Index)>& body) : tasks_(tasks), body_(body) {}

    void work() {
        try {
            for (Index task; (task = next_.fetch_add(1, std::memory_order_relaxed)) < tasks_;) body_(task);
            streamed();
        } catch (...) {
            const std::lock_guard<std::mutex> lock(failing_);
            failure_ = std::current_exception();
            next_ = tasks_;
        }
    }

    void rethrow() const {
        if (failure_) std::rethrow_exception(failure_);
    }

  private:
    const Index tasks_;
    const std::function<void(Index)>& body_;
    std::atomic<Index> next_{0};
    std::mutex failing_;
    std::exception_ptr failure_;
};

// Polls a condition for a while before the thread waits for it: a sleeping thread needs longer to wake than many
// kernels take.
template <class Condition>
void look(const Condition& condition) {
    using Clock = std::chrono::steady_clock;
    for (const auto until = Clock::now() + std::chrono::microseconds(100); !condition() && Clock::now() < until;) {
        for (int i = 0; i < 32; ++i) pause();
    }
}

class Pool {
  public:
    // False if the pool is busy with another caller's job.
    bool run(Job& job, int helpers) {
        const std::unique_lock<std::mutex> only_one(running_, std::try_to_lock);
        if (!only_one) return false;
        open(job, helpers);
        job.work();
        close();
        return true;
    }

  private:
    void open(Job& job, int helpers) {
        {
            const std::lock_guard<std::mutex> lock(state_);
            job_ = &job;
            places_ = helpers;
        }
        while (threads_ < helpers && start_thread()) ++threads_;
        wake_.notify_all();
    }

    // No helper may join any more; those that did are waited for.
    void close() {
        {
            const std::lock_guard<std::mutex> lock(state_);
            places_ = 0;
        }
        look([this] { return active_ == 0; });
        std::unique_lock<std::mutex> lock(state_);
        idle_.wait(lock, [this] { return active_ == 0; });
    }

    bool start_thread() {
        try {
            std::thread([this] { help(); }).detach();
            return true;
        } catch (const std::system_error&) {
            return false;  // the job is done by fewer threads
        }
    }

    [[noreturn]] void help() {
        for (;;) {
            look([this] { return places_ > 0; });
            std::unique_lock<std::mutex> lock(state_);
            wake_.wait(lock, [this] { return places_ > 0; });
            --places_;
            ++active_;
            Job* job = job_;
            lock.unlock();
            job->work();
            lock.lock();
            if (--active_ == 0) idle_.notify_one();
        }
    }

    std::mutex running_;
    std::mutex state_;
    std::condition_variable wake_, idle_;
    Job* job_ = nullptr;
    std::atomic<int> places_{0};
    std::atomic<int> active_{0};
    int threads_ = 0;
};

Pool* current_pool = nullptr;

// Pools are never destroyed: their threads may outlive the end of `main`, and a forked child has none of them.
void make_pool() { current_pool = new Pool; }

Pool& pool() {
    static const bool made = [] {
        make_pool();
        pthread_atfork(nullptr, nullptr, make_pool);
        return true;
    }();
    (void)made;
    return *current_pool;
}

}  // namespace

void parallel_for(int threads, Index tasks, const std::function<void(Index)>& body) {
    Job job(tasks, body);
    const int helpers = static_cast<int>(std::min<Index>(threads, tasks)) - 1;
    if (helpers < 1 || !pool().run(job, helpers)) job.work();
    job.rethrow();
}

}  // namespace canonface
