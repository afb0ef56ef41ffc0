#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include "CTraffic.h"

// Only what may be called between fork and exec of a process with threads (signal-safety(7)).
static int join(const char *path, int kind) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return errno;
    int error = setns(file, kind) == 0 ? 0 : errno;
    close(file);
    return error;
}

static int pin(int thread, int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    return sched_setaffinity(thread, sizeof set, &set) == 0 ? 0 : errno;
}

int traffic_enter(int pid) {
    char net[64], mount[64];
    snprintf(net, sizeof net, "/proc/%d/ns/net", pid);
    snprintf(mount, sizeof mount, "/proc/%d/ns/mnt", pid);
    // Who shares its working directory with other threads may not go to another mount namespace.
    if (unshare(CLONE_FS) != 0) return errno;
    int error = join(net, CLONE_NEWNET);
    return error != 0 ? error : join(mount, CLONE_NEWNS);
}

static int lead(int thread, int core) {
    struct sched_param least = {.sched_priority = 1};
    int error = pin(thread, core);
    if (error != 0) return error;
    return sched_setscheduler(thread, SCHED_FIFO, &least) == 0 ? 0 : errno;
}

int traffic_lead(int core) { return lead(0, core); }

int traffic_have_lead(int thread, int core) { return lead(thread, core); }

// In the child. Does not return.
static void become(char *const words[], const char *net, const char *mount, int core, int input, int output) {
    sigset_t none;
    int error = 0;
    setsid();
    // A kernel without autogroups has no such file, and then nice alone says who goes first.
    int group = open("/proc/self/autogroup", O_WRONLY | O_CLOEXEC);
    if (group >= 0) {
        ssize_t written = write(group, "-20", 3);
        (void)written;
        close(group);
    }
    setpriority(PRIO_PROCESS, 0, -20);
    if (net[0] != 0) error = join(net, CLONE_NEWNET);
    if (error == 0 && mount[0] != 0) error = join(mount, CLONE_NEWNS);
    // All cores, or that one: the thread that asks may be pinned itself.
    cpu_set_t all;
    memset(&all, 0xff, sizeof all);
    if (error == 0 && core < 0) sched_setaffinity(0, sizeof all, &all);
    if (error == 0 && core >= 0) error = pin(0, core);
    for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (error == 0 && (dup2(input, 0) < 0 || dup2(output, 1) < 0 || dup2(output, 2) < 0)) error = errno;
    if (error == 0) {
        close_range(3, ~0u, 0);
        execvp(words[0], words);
        error = errno;
    }
    const char *text = strerrordesc_np(error);
    ssize_t written = write(2, text, strlen(text));
    (void)written;
    _exit(127);
}

int traffic_start(char *const words[], int space, int core, int input, int output) {
    char net[64] = "", mount[64] = "";
    if (space != 0) {
        snprintf(net, sizeof net, "/proc/%d/ns/net", space);
        snprintf(mount, sizeof mount, "/proc/%d/ns/mnt", space);
    }
    pid_t child = fork();
    if (child == 0) become(words, net, mount, core, input, output);
    return child < 0 ? -errno : child;
}

int traffic_memory(void) {
    int file = memfd_create("bench", MFD_CLOEXEC);
    return file < 0 ? -errno : file;
}

int traffic_pipe(int *read_end, int *write_end) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -errno;
    *read_end = ends[0];
    *write_end = ends[1];
    return 0;
}
