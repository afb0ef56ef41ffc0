// Threads: calls that glibc shows under _GNU_SOURCE only.
#pragma once
#include <stdbool.h>

/// Names the calling thread, as `ps -T` and perf show it; 15 bytes of `name` count.
void apus_name_thread(const char *name);

/// Starts a thread, from its first instruction on that core and no other; a negative one leaves that to the scheduler.
/// `thread` is its pthread_t. 0, or an error number: EINVAL for a core that is not there or not in the process's cpuset. It does not run then.
int apus_start_thread(unsigned long *thread, int cpu, void *(*body)(void *), void *context);

/// Whether the kernel lets this process run on a core: it is there, and in the process's cpuset. It is tried out on
/// the calling thread, which goes back to the cores it had.
bool apus_may_run_on(int cpu);
