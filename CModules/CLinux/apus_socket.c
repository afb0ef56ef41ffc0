#define _GNU_SOURCE
#include "apus_socket.h"

#include <assert.h>
#include <linux/filter.h>
#include <stddef.h>
#include <sys/socket.h>

int apus_drop_everything(int socket_descriptor) {
    struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &drop};
    return setsockopt(socket_descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

static_assert(sizeof(struct apus_message) == sizeof(struct mmsghdr), "it is that structure");
static_assert(offsetof(struct apus_message, length) == offsetof(struct mmsghdr, msg_len), "it is that structure");

int apus_send_messages(int socket_descriptor, struct apus_message *messages, unsigned int count, int flags) {
    return sendmmsg(socket_descriptor, (struct mmsghdr *)messages, count, flags);
}
