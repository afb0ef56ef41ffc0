#define _GNU_SOURCE 1
#include "apus_event.h"

#include <stddef.h>
#include <sys/socket.h>

int apus_accept(int listening_socket) {
    return accept4(listening_socket, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int apus_peer_credentials(int socket_descriptor, pid_t *process, uid_t *user) {
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(socket_descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0) return -1;
    *process = peer.pid;
    *user = peer.uid;
    return 0;
}
