// SPDX-License-Identifier: MIT
//
// A debugger in a few lines: runs work in a child process, fills in the child's
// stop filter while it stands still, and stops it at mapscope_debug_stop with a
// breakpoint there. All that it knows of the filter it takes from mapscope_abi,
// as debuggers do. x86-64 Linux.
#ifndef MAPSCOPE_TESTS_TRACER_HPP
#define MAPSCOPE_TESTS_TRACER_HPP

#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <mapscope/debug.h>

#include "abi_table.hpp"

namespace tracer {

using abi_table::offset;

// What a debugger asks for; the fields are those of stop_slot.
struct stop {
  uint32_t events = 0;
  uint32_t conditions = 0;
  uint64_t map = 0;
  uint64_t bucket = 0;
  uint64_t progress = 0;
  uint64_t key_hash = 0;
  uint64_t ignore = 0;
  uint32_t thread = 0;
};

inline void require(bool condition, const char *what) {
  if (!condition) {
    throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
  }
}

// In the child: stops, for the tracer's `at_checkpoint`.
inline void checkpoint() { raise(SIGUSR1); }

class process {
public:
  // Starts `work` in a child, stopped before its first instruction. All that
  // `work` shares with the tests lies in memory mapped as shared; it ends with
  // `work`, without destructors of static objects.
  explicit process(const std::function<void()> &work) {
    child_ = fork();
    require(child_ >= 0, "fork");
    if (child_ == 0) {
      ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
      raise(SIGSTOP);
      try {
        work();
      } catch (...) {
        _exit(2);
      }
      _exit(0);
    }
    int status = 0;
    require(waitpid(child_, &status, 0) == child_ && WIFSTOPPED(status), "the child's start");
    require(ptrace(PTRACE_SETOPTIONS, child_, nullptr, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL) ==
                0,
            "PTRACE_SETOPTIONS");
    hook_code_ = read<uint8_t>(hook());
    write(hook(), uint8_t{0xcc}); // int3
  }
  process(const process &) = delete;
  process &operator=(const process &) = delete;
  ~process() {
    if (child_ > 0) {
      kill(child_, SIGKILL);
      while (waitpid(-1, nullptr, __WALL) > 0) {
      }
    }
  }

  std::function<void(const mapscope::event &)> at_stop = [](const mapscope::event &) {};
  std::function<void()> at_checkpoint = [] {};

  // Runs the child to its end. Returns waitpid's status of it.
  int run() {
    resume(child_, 0);
    for (;;) {
      int status = 0;
      const pid_t thread = waitpid(-1, &status, __WALL);
      require(thread > 0, "waitpid");
      if (WIFEXITED(status) || WIFSIGNALED(status)) {
        if (thread == child_) {
          child_ = 0;
          return status;
        }
        continue;
      }
      stopped_ = thread;
      const int signal = WSTOPSIG(status);
      if (status >> 16 != 0 || signal == SIGSTOP) { // a new thread, in both threads
        resume(thread, 0);
      } else if (signal == SIGUSR1) {
        at_checkpoint();
        resume(thread, 0);
      } else if (signal == SIGTRAP) {
        resume(thread, breakpoint(thread) ? 0 : SIGTRAP);
      } else {
        resume(thread, signal);
      }
      if (detached_) {
        require(waitpid(child_, &status, 0) == child_, "waitpid");
        child_ = 0;
        return status;
      }
    }
  }

  // From within at_stop or at_checkpoint: lets go, as a debugger does that is
  // gone: nothing is disarmed. The child must have one thread.
  void let_go() {
    write(hook(), hook_code_);
    detached_ = true;
  }

  // Arms a slot; `slot` is its number.
  void arm(unsigned slot, const stop &wanted) {
    const uint64_t at = slot_address(slot);
    write(at + offset<"stop_slot.conditions">(), wanted.conditions);
    write(at + offset<"stop_slot.map">(), wanted.map);
    write(at + offset<"stop_slot.bucket">(), wanted.bucket);
    write(at + offset<"stop_slot.progress">(), wanted.progress);
    write(at + offset<"stop_slot.key_hash">(), wanted.key_hash);
    write(at + offset<"stop_slot.ignore">(), wanted.ignore);
    write(at + offset<"stop_slot.hits">(), uint64_t{0});
    write(at + offset<"stop_slot.thread">(), wanted.thread);
    write(at + offset<"stop_slot.reported">(), uint32_t{0});
    write(at + offset<"stop_slot.events">(), wanted.events);
    update();
  }
  void disarm(unsigned slot) {
    write(slot_address(slot) + offset<"stop_slot.events">(), uint32_t{0});
    update();
  }

  uint32_t armed() const { return read<uint32_t>(filter() + offset<"stop_filter.armed">()); }
  uint32_t armed_slots() const {
    return read<uint32_t>(filter() + offset<"stop_filter.armed_slots">());
  }
  uint32_t events(unsigned slot) const {
    return read<uint32_t>(slot_address(slot) + offset<"stop_slot.events">());
  }
  uint32_t conditions(unsigned slot) const {
    return read<uint32_t>(slot_address(slot) + offset<"stop_slot.conditions">());
  }
  uint64_t hits(unsigned slot) const {
    return read<uint64_t>(slot_address(slot) + offset<"stop_slot.hits">());
  }
  uint64_t ignore(unsigned slot) const {
    return read<uint64_t>(slot_address(slot) + offset<"stop_slot.ignore">());
  }
  pid_t pid() const { return child_; }
  // The thread that stands still.
  pid_t thread() const { return stopped_; }

  void read(uint64_t address, void *to, size_t n) const {
    iovec local{to, n};
    iovec remote{reinterpret_cast<void *>(address), n};
    require(process_vm_readv(child_, &local, 1, &remote, 1, 0) == static_cast<ssize_t>(n),
            "reading the child's memory");
  }
  template <class T> T read(uint64_t address) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    read(address, &value, sizeof value);
    return value;
  }

private:
  static uint64_t hook() { return abi_table::address("stop_hook"); }
  static uint64_t filter() { return abi_table::address("stop_filter"); }
  static uint64_t slot_address(unsigned slot) {
    return filter() + offset<"stop_filter.slots">() + slot * abi_table::field("stop_slot").width;
  }

  // Also into memory that the child may not write to.
  template <class T> void write(uint64_t address, T value) {
    const uint64_t aligned = address / 8 * 8;
    auto word = read<uint64_t>(aligned);
    std::memcpy(reinterpret_cast<char *>(&word) + (address - aligned), &value, sizeof value);
    require(address - aligned + sizeof value <= 8 &&
                ptrace(PTRACE_POKEDATA, stopped_ != 0 ? stopped_ : child_, aligned, word) == 0,
            "PTRACE_POKEDATA");
  }

  void update() {
    uint32_t all = 0;
    uint32_t slots = 0;
    uint64_t only_map = 0;
    bool several = false;
    for (unsigned i = 0; i < abi_table::field("stop_filter.slots").count; i++) {
      all |= events(i);
      slots |= (events(i) != 0 ? uint32_t{1} : 0) << i;
      if ((events(i) & (MAPSCOPE_EVENT_ASSIGN | MAPSCOPE_EVENT_DELETE)) != 0) {
        const uint64_t map = (conditions(i) & MAPSCOPE_IF_MAP) != 0
                                 ? read<uint64_t>(slot_address(i) + offset<"stop_slot.map">())
                                 : 0;
        several = several || map == 0 || (only_map != 0 && only_map != map);
        only_map = map;
      }
    }
    write(filter() + offset<"stop_filter.only_map">(), several ? 0 : only_map);
    write(filter() + offset<"stop_filter.armed_slots">(), slots);
    write(filter() + offset<"stop_filter.armed">(), all);
  }

  // Whether the thread is at the breakpoint. If so, it returns from the hook.
  bool breakpoint(pid_t thread) {
    user_regs_struct registers{};
    require(ptrace(PTRACE_GETREGS, thread, nullptr, &registers) == 0, "PTRACE_GETREGS");
    if (registers.rip != hook() + 1) {
      return false;
    }
    at_stop(read<mapscope::event>(registers.rdi));
    registers.rip = read<uint64_t>(registers.rsp);
    registers.rsp += 8;
    require(ptrace(PTRACE_SETREGS, thread, nullptr, &registers) == 0, "PTRACE_SETREGS");
    return true;
  }

  void resume(pid_t thread, int signal) {
    const auto request = detached_ ? PTRACE_DETACH : PTRACE_CONT;
    require(ptrace(request, thread, nullptr, signal) == 0, "PTRACE_CONT");
  }

  pid_t child_ = 0;
  pid_t stopped_ = 0;
  uint8_t hook_code_ = 0;
  bool detached_ = false;
};

// Memory that the child and the tests both see.
template <class T> class shared {
public:
  shared()
      : memory_(
            mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    require(memory_ != MAP_FAILED, "mmap");
    new (memory_) T{};
  }
  shared(const shared &) = delete;
  shared &operator=(const shared &) = delete;
  ~shared() { munmap(memory_, sizeof(T)); }
  T *operator->() const noexcept { return static_cast<T *>(memory_); }
  T &operator*() const noexcept { return *static_cast<T *>(memory_); }

private:
  static_assert(std::is_trivially_destructible_v<T>);
  void *memory_;
};

} // namespace tracer

#endif
