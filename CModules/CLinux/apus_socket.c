#include "apus_socket.h"

#include <linux/filter.h>
#include <sys/socket.h>

int apus_drop_everything(int socket_descriptor) {
    struct sock_filter drop = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &drop};
    return setsockopt(socket_descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}
