// Functions of the C library that its headers only show with _GNU_SOURCE, so that the Glibc module,
// which is built without it, does not have them.
#pragma once
#include <pthread.h>
#include <spawn.h>
#include <time.h>

int unshare(int flags);
int setns(int descriptor, int kind);
int memfd_create(const char *name, unsigned int flags);
int pthread_timedjoin_np(pthread_t thread, void **result, const struct timespec *deadline);
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int from);

/// Flags of unshare and setns; the values are the kernel's (include/uapi/linux/sched.h).
enum {
    APUS_CLONE_FS = 0x00000200,
    APUS_CLONE_NEWNS = 0x00020000,
    APUS_CLONE_NEWNET = 0x40000000,
};

/// A flag of memfd_create (include/uapi/linux/memfd.h).
enum { APUS_MFD_CLOEXEC = 1 };

/// A flag of open(2): a descriptor that names a file without opening it (include/uapi/asm-generic/fcntl.h).
enum { APUS_O_PATH = 010000000 };
