// What Linux has and the Glibc module map does not show.
#pragma once
#include <stdint.h>
#include <time.h>

#include "apus_constants.h"
#include "apus_ethtool.h"
#include "apus_event.h"
#include "apus_gnu.h"
#include "apus_packet.h"
#include "apus_socket.h"
#include "apus_stop.h"
#include "apus_thread.h"
#include "apus_tsc.h"

/// The address that identifies the calling thread: one move from a segment register, no call.
/// Two threads that run at the same time never have the same one.
static inline uintptr_t apus_thread_pointer(void) {
    return (uintptr_t)__builtin_thread_pointer();
}

/// Nanoseconds on that clock.
static inline uint64_t apus_clock(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/// Tells the core that this is a spin loop (PAUSE on x86, YIELD on ARM).
static inline void apus_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield" ::: "memory");
#endif
}
