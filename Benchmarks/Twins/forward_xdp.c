// C's forwarder over one AF_XDP port, by which packets come and leave: worker.h over xdp.h, and the loop of
// Sources/bench/ForwardXDP.swift.
#include "xdp.h"

#define PORT struct xdp_port
#define RECEIVE xdp_receive
#define TRANSMIT xdp_transmit
#define FLUSH xdp_flush
#include "worker.h"

struct forward_xdp {
    struct worker worker;
    // The one that was opened, by which it is closed: libxdp looks for the rings where they were then.
    struct xdp_port *opened;
};

struct forward_xdp *forward_xdp_make(const struct forward_setup *setup, struct xdp_port *port) {
    struct forward_xdp *forward = lines(sizeof *forward);
    forward->worker.ports[0] = *port, forward->opened = port;
    worker_prepare(&forward->worker, 1, setup);
    return forward;
}

// Frees it, and closes its port.
void forward_xdp_free(struct forward_xdp *forward) {
    xdp_close(forward->opened);
    worker_free(&forward->worker);
    free(forward);
}

// Forwards `wanted` packets. Returns how many came.
size_t forward_xdp_work(struct forward_xdp *forward, size_t wanted) {
    adopt(forward->worker.ports[0].pool);
    size_t count = 0;
    for (unsigned idle = 0; count < wanted && idle < IDLE_LIMIT;) {
        size_t received = worker_round(&forward->worker);
        idle = received > 0 ? 0 : idle + 1;
        count += received;
    }
    return count;
}

// How many packets the kernel has taken so far.
uint64_t forward_xdp_sent(struct forward_xdp *forward) {
    return value(&forward->worker.relay.counters.sent) - xdp_pending(&forward->worker.ports[0]);
}
