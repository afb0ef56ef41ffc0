// No twin: the network that ports are measured on. A network namespace that is gone with the process, however that ends,
// and at the far end of a veth pair a socket that sends and looks at what comes back.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "CTwins.h"

// Puts the calling thread, for good, into a network namespace of its own and a mount namespace in which /sys shows
// it. Nothing but these descriptors and who is in them keeps the two. 0, or errno.
int space_make(struct space *space) {
    if (unshare(CLONE_FS | CLONE_NEWNS | CLONE_NEWNET) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0
        || mount("sysfs", "/sys", "sysfs", 0, NULL) != 0 || mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL) != 0)
        return errno;
    space->network = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    space->mounts = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
    return space->network < 0 || space->mounts < 0 ? errno : 0;
}

// Puts the calling thread into one that was made, for good. 0, or errno.
int space_enter(const struct space *space) {
    return unshare(CLONE_FS) == 0 && setns(space->network, CLONE_NEWNET) == 0 && setns(space->mounts, CLONE_NEWNS) == 0
        ? 0 : errno;
}

// A socket that sends on an interface of the calling thread's namespace, past the queueing discipline; -1 and errno if
// there is none. It receives too if `receives`.
int veth_open(const char *interface, int receives) {
    int file = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1;
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(interface),
                                  .sll_protocol = receives ? htons(ETH_P_ALL) : 0};
    if (file < 0) return -1;
    setsockopt(file, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
    return bind(file, (struct sockaddr *)&address, sizeof address) == 0 ? file : -1;
}

// Sends so many frames of `size` octets, each `distance` octets behind the last: 0 for one that is sent over and over.
// Returns how many the interface took.
size_t veth_send(int file, const uint8_t *frames, size_t size, size_t distance, size_t count) {
    enum { batch = 64 };
    struct iovec parts[batch];
    struct mmsghdr messages[batch];
    for (int i = 0; i < batch; i++) messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
    size_t sent = 0;
    while (sent < count) {
        unsigned wanted = count - sent < batch ? (unsigned)(count - sent) : batch;
        for (unsigned i = 0; i < wanted; i++) parts[i] = (struct iovec){(void *)(frames + (sent + i) * distance), size};
        int taken = sendmmsg(file, messages, wanted, 0);
        if (taken <= 0) break;
        sent += (size_t)taken;
    }
    return sent;
}

// What comes within a second that was not sent by this host's own socket: its octets, or 0.
size_t veth_receive(int file, uint8_t *frame, size_t room) {
    struct pollfd ready = {.fd = file, .events = POLLIN};
    while (poll(&ready, 1, 1000) == 1) {
        struct sockaddr_ll from = {0};
        socklen_t size = sizeof from;
        ssize_t count = recvfrom(file, frame, room, 0, (struct sockaddr *)&from, &size);
        if (count > 0 && from.sll_pkttype != PACKET_OUTGOING) return (size_t)count;
    }
    return 0;
}

// Starts a command of the shell in the calling thread's namespaces, with pipes for its input and for all that it
// prints. Its process id, or -errno.
int child_start(const char *command, int *input, int *output) {
    extern char **environ;
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) return -errno;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, out[1], 2);
    char *arguments[] = {"sh", "-c", (char *)command, NULL};
    pid_t child;
    int error = posix_spawn(&child, "/bin/sh", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]), close(out[1]);
    *input = in[1], *output = out[0];
    return error != 0 ? -error : child;
}

// Closes its input and waits for its end.
void child_end(int child, int input, int output) {
    close(input);
    for (char byte; read(output, &byte, 1) > 0;) {}
    close(output);
    waitpid(child, NULL, 0);
}
