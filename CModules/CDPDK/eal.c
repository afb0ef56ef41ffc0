#define _GNU_SOURCE
#include "headers.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/magic.h>
#include <sys/vfs.h>

static apus_eal_log log_line;

// What DPDK writes to its log: a line or a part of one at a time, from any thread.
static ssize_t log_write_as(int level, const char *text, size_t count) {
    static _Thread_local char line[1024];
    static _Thread_local size_t length;
    for (size_t i = 0; i < count; i++) {
        if (text[i] == '\n' || length == sizeof line - 1) {
            line[length] = 0;
            if (length > 0 && log_line != NULL) log_line(level, line);
            length = 0;
        }
        if (text[i] != '\n') line[length++] = text[i];
    }
    return (ssize_t)count;
}

static ssize_t log_write(void *cookie, const char *text, size_t count) {
    (void)cookie;
    return log_write_as(rte_log_cur_msg_loglevel(), text, count);
}

// While it starts, what it and the C library print is taken in: a list of its options on the standard output, alerts and
// complaints of getopt(3) on the other. What other threads print meanwhile goes where it should.
static _Thread_local bool is_starting;

static ssize_t output_write(void *cookie, const char *text, size_t count) {
    (void)cookie;
    return is_starting ? (ssize_t)count : write(STDOUT_FILENO, text, count);
}

static ssize_t error_write(void *cookie, const char *text, size_t count) {
    (void)cookie;
    return is_starting ? log_write_as(4, text, count) : write(STDERR_FILENO, text, count);
}

static int start_quietly(int count, char **arguments) {
    FILE *streams[2] = {stdout, stderr};
    FILE *output = fopencookie(NULL, "w", (cookie_io_functions_t){.write = output_write});
    FILE *error = fopencookie(NULL, "w", (cookie_io_functions_t){.write = error_write});
    if (output == NULL || error == NULL) return -1;
    setvbuf(output, NULL, _IONBF, 0), setvbuf(error, NULL, _IONBF, 0);
    fflush(stdout);
    is_starting = true, stdout = output, stderr = error;
    int code = rte_eal_init(count, arguments);
    is_starting = false, stdout = streams[0], stderr = streams[1];
    // Not closed: another thread may be printing to them.
    return code;
}

// The environment's own thread: DPDK pins the thread that starts it, and wants the same one to stop it.
static struct {
    pthread_t thread;
    int count, code;
    // As they were given, and those that DPDK changes the order of.
    char **given, **arguments;
    sem_t started, stop;
} eal;

static void *run(void *nothing) {
    (void)nothing;
    pthread_setname_np(pthread_self(), "apus-eal");
    eal.code = start_quietly(eal.count, eal.arguments) < 0 ? (rte_errno > 0 ? -rte_errno : -EINVAL) : 0;
    sem_post(&eal.started);
    if (eal.code < 0) return NULL;
    while (sem_wait(&eal.stop) < 0) {}
    rte_eal_cleanup();
    return NULL;
}

int apus_eal_start(int count, char **arguments, apus_eal_log log) {
    log_line = log;
    FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = log_write});
    if (stream == NULL) return -ENOMEM;
    setvbuf(stream, NULL, _IONBF, 0);
    rte_openlog_stream(stream);
    eal.count = count, eal.given = arguments;
    eal.arguments = calloc((size_t)count + 1, sizeof *arguments);
    if (eal.arguments == NULL) return -ENOMEM;
    memcpy(eal.arguments, arguments, (size_t)count * sizeof *arguments);
    sem_init(&eal.started, 0, 0), sem_init(&eal.stop, 0, 0);
    // It and all that DPDK starts leave signals to the program's own threads.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int code = pthread_create(&eal.thread, NULL, run, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code != 0) return -code;
    while (sem_wait(&eal.started) < 0) {}
    if (eal.code < 0) pthread_join(eal.thread, NULL);
    return eal.code;
}

static atomic_bool is_stopped;

void apus_eal_stop(void) {
    atomic_store(&is_stopped, true);
    sem_post(&eal.stop);
    pthread_join(eal.thread, NULL);
}

const char *apus_dpdk_version(void) { return rte_version(); }

const char *apus_dpdk_drivers(void) { return RTE_EAL_PMD_PATH; }

bool apus_eal_has_hugepages(void) { return rte_eal_has_hugepages() != 0; }

// A thread's caches are emptied when it ends, so that what is in them is not lost to the others.
static void flush(struct rte_mempool *pool, void *lcore) {
    struct rte_mempool_cache *cache = rte_mempool_default_cache(pool, *(unsigned *)lcore);
    if (cache != NULL) rte_mempool_cache_flush(cache, pool);
}

static void leave(void *joined) {
    (void)joined;
    unsigned lcore = rte_lcore_id();
    // When DPDK was stopped there is nothing left to be emptied.
    if (lcore == LCORE_ID_ANY || atomic_load(&is_stopped)) return;
    rte_mempool_walk(flush, &lcore);
    rte_thread_unregister();
}

static pthread_key_t key;
static void make_key(void) { pthread_key_create(&key, leave); }

int apus_eal_join(void) {
    if (rte_lcore_id() != LCORE_ID_ANY) return 0;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_key);
    if (rte_thread_register() < 0) return -rte_errno;
    pthread_setspecific(key, &key);
    return 0;
}

DPDK_END

bool apus_is_hugetlbfs(const char *folder) {
    struct statfs system;
    return statfs(folder, &system) == 0 && system.f_type == HUGETLBFS_MAGIC;
}
