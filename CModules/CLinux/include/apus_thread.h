// Threads: calls that glibc shows under _GNU_SOURCE only.
#pragma once

/// Names the calling thread, as `ps -T` and perf show it; 15 bytes of `name` count.
void apus_name_thread(const char *name);

/// Keeps the calling thread on one core. 0, or an error number: EINVAL for a core that is not there.
int apus_pin_thread(int cpu);
