#define _GNU_SOURCE
#include "CMeter.h"
#include <alloca.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int meter_pin(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : errno;
}

int meter_cores(int *cores, int capacity) {
    cpu_set_t set;
    int count = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
    for (int core = 0; core < CPU_SETSIZE && count < capacity; core++)
        if (CPU_ISSET(core, &set)) cores[count++] = core;
    return count;
}

int meter_instructions(void) {
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_HARDWARE,
        .size = sizeof attributes,
        .config = PERF_COUNT_HW_INSTRUCTIONS,
        .exclude_kernel = 1,
        .exclude_hv = 1,
    };
    return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

uint64_t meter_read(int counter) {
    uint64_t count = 0;
    return read(counter, &count, sizeof count) == sizeof count ? count : 0;
}

void meter_displaced(uint64_t seed, size_t pages, size_t stack, void (*work)(void *), void *context) {
    enum { step = 64, sizes = 64, most = 8 };
    char *below = alloca(stack + 1);
    size_t mapped = pages * (size_t)sysconf(_SC_PAGESIZE);
    void *memory = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    // Of each size some, since one block would leave all holes for others as they were. Each begins with where the last is.
    void **last = NULL;
    for (size_t size = step; size <= step * sizes; size += step) {
        // Marsaglia's xorshift64.
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        for (uint64_t left = seed % most; left > 0; left--) {
            void **block = malloc(size);
            if (block == NULL) break;
            memset(block, 0, size);
            *block = (void *)last;
            last = block;
        }
    }
    __asm__ volatile("" : : "r"(below) : "memory");
    work(context);
    __asm__ volatile("" : : "r"(below) : "memory");
    while (last != NULL) {
        void **before = *last;
        free(last);
        last = before;
    }
    if (memory != MAP_FAILED) munmap(memory, mapped);
}
