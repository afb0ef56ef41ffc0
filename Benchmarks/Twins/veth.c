// No twin: at the far end of a veth pair a socket that sends and looks at what comes back, and a program that is told what
// to do.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <spawn.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "CTwins.h"

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

// Starts a command of the shell in the calling thread's namespaces, with a socket for its input and a pipe for all that it
// prints. Its process id, or -errno.
int child_start(const char *command, int *input, int *output) {
    extern char **environ;
    int in[2], out[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, in) != 0 || pipe2(out, O_CLOEXEC) != 0) return -errno;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, out[1], 2);
    // AF_XDP sockets of libxdp among them, which would stay open as long as the child.
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    char *arguments[] = {"sh", "-c", (char *)command, NULL};
    pid_t child;
    int error = posix_spawn(&child, "/bin/sh", &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]), close(out[1]);
    *input = in[1], *output = out[0];
    return error != 0 ? -error : child;
}

// Writes to its input. 0, or -errno: of one that has ended EPIPE, where a pipe would end this process too.
int child_tell(int input, const void *text, size_t size) {
    ssize_t count = send(input, text, size, MSG_NOSIGNAL);
    return count < 0 ? -errno : (size_t)count == size ? 0 : -EIO;
}

// Closes its input and waits for its end.
void child_end(int child, int input, int output) {
    close(input);
    for (char byte; read(output, &byte, 1) > 0;) {}
    close(output);
    waitpid(child, NULL, 0);
}
