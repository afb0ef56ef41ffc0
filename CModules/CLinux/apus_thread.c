#define _GNU_SOURCE 1
#include "apus_thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

void apus_name_thread(const char *name) {
    prctl(PR_SET_NAME, name);
}

int apus_pin_thread(int cpu) {
    if (cpu < 0 || cpu >= CPU_SETSIZE) return EINVAL;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

bool apus_may_run_on(int cpu) {
    cpu_set_t before;
    if (pthread_getaffinity_np(pthread_self(), sizeof before, &before) != 0) return true;
    const bool may = apus_pin_thread(cpu) == 0;
    pthread_setaffinity_np(pthread_self(), sizeof before, &before);
    return may;
}
