#define _GNU_SOURCE 1
#include "apus_thread.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

void apus_name_thread(const char *name) {
    prctl(PR_SET_NAME, name);
}

_Static_assert(sizeof(pthread_t) == sizeof(unsigned long), "as glibc has it");

int apus_start_thread(unsigned long *thread, int cpu, void *(*body)(void *), void *context) {
    if (cpu < 0) return pthread_create(thread, NULL, body, context);
    if (cpu >= CPU_SETSIZE) return EINVAL;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    pthread_attr_t attributes;
    int code = pthread_attr_init(&attributes);
    if (code != 0) return code;
    code = pthread_attr_setaffinity_np(&attributes, sizeof set, &set);
    if (code == 0) code = pthread_create(thread, &attributes, body, context);
    pthread_attr_destroy(&attributes);
    return code;
}

bool apus_may_run_on(int cpu) {
    cpu_set_t before;
    if (pthread_getaffinity_np(pthread_self(), sizeof before, &before) != 0) return true;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (cpu >= 0 && cpu < CPU_SETSIZE) CPU_SET(cpu, &set);
    const bool may = pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0;
    pthread_setaffinity_np(pthread_self(), sizeof before, &before);
    return may;
}
