#pragma once
#include <stddef.h>
#include <stdint.h>

/// The time-stamp counter; 0 where there is none that user code reads.
static inline uint64_t meter_tsc(void) {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return 0;
#endif
}

/// Tells the core that the thread spins.
static inline void meter_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb");
#endif
}

/// Pins the calling thread to a core; 0, or the error number.
int meter_pin(int core);

/// The cores this process may run on, at most `capacity`; returns how many.
int meter_cores(int *cores, int capacity);

/// A counter of the calling thread's user-mode instructions; -1 where the machine has none.
int meter_instructions(void);

/// What such a counter stands at.
uint64_t meter_read(int counter);

/// Calls `work` while some hundred KiB of the heap are taken, in blocks of many sizes, of each as many as the seed says
/// (not 0), and so many pages and octets of the stack: so what it allocates comes to lie elsewhere than without. Where
/// there is no memory for that it is called all the same.
void meter_displaced(uint64_t seed, size_t pages, size_t stack, void (*work)(void *), void *context);
