// The loops of Sources/bench/Ports/Loops.swift over AF_XDP in C.
#include "xdp.h"

#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <xdp/libxdp.h>

#include "swap.h"

// Steered by libxdp's default program. NULL, with errno, if it can't be opened.
struct xdp_port *xdp_open(const char *interface, int is_generic, size_t frames, unsigned ring) {
    struct xdp_port *port = aligned_alloc(128, (sizeof *port + 127) / 128 * 128);
    libbpf_set_print(NULL), libxdp_set_print(NULL);
    *port = (struct xdp_port){.pool = make_pool(frames), .slots = frames, .longest = 1518};
    // The frame on top of the stack is that of the first slot.
    port->base = (uint8_t *)port->pool->stack[frames - 1];
    port->places = calloc(frames, 1);
    struct xsk_umem *umem;
    struct xsk_umem_config memory = {
        .fill_size = 2 * ring, .comp_size = ring, .frame_size = SLOT, .frame_headroom = HEADER_SIZE};
    int error = xsk_umem__create(&umem, port->base, frames * SLOT, &port->fill, &port->completion, &memory);
    struct xsk_socket *socket;
    struct xsk_socket_config config = {
        .rx_size = ring, .tx_size = ring, .bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
        .xdp_flags = is_generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE};
    if (error == 0) error = xsk_socket__create(&socket, interface, 0, umem, &port->rx, &port->tx, &config);
    if (error != 0) {
        errno = -error;
        return NULL;
    }
    port->descriptor = xsk_socket__fd(socket);
    int room = (int)ring * 4096;
    setsockopt(port->descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    port->fill_target = (uint32_t)(frames / 2 < 2 * ring ? frames / 2 : 2 * ring);
    xdp_refill(port);
    return port;
}

// Receives `wanted` packets and drops them. Returns how many came.
size_t xdp_drain(struct xdp_port *port, size_t wanted) {
    adopt(port->pool);
    struct burst burst = {0};
    size_t count = 0;
    for (unsigned idle = 0; count < wanted && idle < IDLE_LIMIT;) {
        size_t received = xdp_receive(port, &burst);
        idle = received > 0 ? 0 : idle + 1;
        count += received;
        release_all(&burst);
    }
    return count;
}

// Receives `wanted` packets and answers them. Returns how many answers the kernel has taken.
size_t xdp_echo(struct xdp_port *port, size_t wanted) {
    adopt(port->pool);
    struct burst burst = {0};
    size_t count = 0;
    for (unsigned idle = 0; count < wanted && idle < IDLE_LIMIT;) {
        size_t received = xdp_receive(port, &burst);
        idle = received > 0 ? 0 : idle + 1;
        answer_all(&burst);
        count += xdp_transmit(port, &burst);
        xdp_flush(port);
    }
    return count - xdp_pending(port);
}

// Sends packets of `size` octets with these headers. Returns how many the kernel has taken.
size_t xdp_send(struct xdp_port *port, const uint8_t *headers, size_t size, size_t wanted) {
    adopt(port->pool);
    struct burst burst = {0};
    size_t count = 0;
    for (unsigned idle = 0; count < wanted && idle < IDLE_LIMIT; idle++) {
        while (burst_count(&burst) < BURST) {
            struct frame *frame = take_frame(port->pool);
            if (frame == NULL) break;
            frame->length = (uint32_t)size;
            memcpy(data(frame), headers, HEADERS);
            append(&burst, frame);
        }
        count += xdp_transmit(port, &burst);
        xdp_flush(port);
    }
    return count - xdp_pending(port);
}

// libxdp's default program on an interface, for who opens its socket with whatever program is there. 0, or -errno.
int xdp_default_program(const char *interface, int is_generic) {
    struct xdp_program *program = xdp_program__find_file("xsk_def_xdp_prog.o", NULL, NULL);
    long error = libxdp_get_error(program);
    if (error != 0) return (int)error;
    return xdp_program__attach(program, (int)if_nametoindex(interface), is_generic ? XDP_MODE_SKB : XDP_MODE_NATIVE, 0);
}

// Where the XDP program of an interface runs: 1 in the driver, 2 in generic mode; another number, or -errno, if neither.
int xdp_mode(const char *interface) {
    LIBBPF_OPTS(bpf_xdp_query_opts, found);
    int error = bpf_xdp_query((int)if_nametoindex(interface), 0, &found);
    return error != 0 ? error : found.attach_mode;
}

// As the package says: the library itself does not.
const char *twins_libxdp(void) { return LIBXDP_VERSION; }
