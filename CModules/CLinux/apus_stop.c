#define _GNU_SOURCE 1
#include "apus_stop.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

static atomic_uint_fast64_t began;
static atomic_bool may_be_cut_short;

static uint64_t milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// Calls nothing but what signal-safety(7) lists.
static void stop_again(int number) {
    const int kept = errno;
    const uint64_t since = milliseconds() - atomic_load(&began);
    if (since >= APUS_STOP_LIMIT_MS || (since >= APUS_STOP_REPEAT_MS && atomic_load(&may_be_cut_short))) {
        // Blocked in its own handler, it is delivered when that returns, and ends the process as itself.
        signal(number, SIG_DFL);
        raise(number);
    }
    errno = kept;
}

void apus_defer_stop_signals(void) {
    atomic_store(&may_be_cut_short, false);
    atomic_store(&began, milliseconds());
    struct sigaction action = {.sa_handler = stop_again, .sa_flags = SA_RESTART};
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    action.sa_mask = set;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void apus_stop_may_be_cut_short(void) {
    atomic_store(&may_be_cut_short, true);
}
