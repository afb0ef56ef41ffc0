// Socket options and messages whose structures hold pointers.
#pragma once
#include <sys/socket.h>

/// Attaches a classic BPF filter that takes nothing (`ret #0`, socket(7) SO_ATTACH_FILTER).
/// Returns 0, or -1 with errno.
int apus_drop_everything(int socket_descriptor);

/// `struct mmsghdr`, which is seen with _GNU_SOURCE only.
struct apus_message {
    struct msghdr header;
    unsigned int length;
};

/// sendmmsg(2): how many messages were sent, or -1 with errno.
int apus_send_messages(int socket_descriptor, struct apus_message *messages, unsigned int count, int flags);
