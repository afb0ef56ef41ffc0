// The time-stamp counter of x86 (Intel SDM volume 3, section 19.17; AMD64 APM volume 2, section 13.2.4).
#pragma once
#include <stdbool.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/// The time-stamp counter; 0 where there is none. It may be read a few instructions earlier or later than it is
/// written here, since RDTSC does not wait for what is before it.
static inline uint64_t apus_tsc(void) {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return 0;
#endif
}

/// The same between two fences: not before what is in front of it has been done, nor after what follows it.
static inline uint64_t apus_tsc_ordered(void) {
#if defined(__x86_64__)
    __asm__ volatile("lfence" ::: "memory");
    uint64_t counter = __builtin_ia32_rdtsc();
    __asm__ volatile("lfence" ::: "memory");
    return counter;
#else
    return 0;
#endif
}

/// Whether it runs at one rate in every state of power of the core: CPUID 8000_0007h, bit 8 of EDX, which Linux shows as
/// constant_tsc and nonstop_tsc.
static inline bool apus_tsc_is_invariant(void) {
#if defined(__x86_64__)
    unsigned int a, b, c, d;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) && (d >> 8 & 1);
#else
    return false;
#endif
}
