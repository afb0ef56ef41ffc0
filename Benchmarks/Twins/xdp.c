// The loops of loops.h over AF_XDP, and how its ports are opened.
#include "xdp.h"

#include <bpf/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdio.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#define PORT struct xdp_port
#define RECEIVE xdp_receive
#define TRANSMIT xdp_transmit
#define FLUSH xdp_flush
#define WAITING xdp_pending
#include "loops.h"

size_t xdp_drain(struct xdp_port *port, size_t wanted) { return drain(port, wanted); }
size_t xdp_echo(struct xdp_port *port, size_t wanted) { return echo(port, wanted); }
size_t xdp_send(struct xdp_port *port, const uint8_t *headers, size_t size, size_t wanted) {
    return fill_and_send(port, headers, size, wanted);
}

static struct xdp_port *open_once(const char *interface, int is_generic, size_t frames, unsigned ring) {
    struct xdp_port *port = aligned_alloc(128, (sizeof *port + 127) / 128 * 128);
    libbpf_set_print(NULL), libxdp_set_print(NULL);
    *port = (struct xdp_port){.pool = make_pool(frames), .slots = frames, .longest = 1518};
    port->base = port->pool->memory;
    port->places = aligned_alloc(128, (frames + 127) / 128 * 128);
    memset(port->places, OUTSIDE, frames);
    struct xsk_umem_config memory = {
        .fill_size = 2 * ring, .comp_size = ring, .frame_size = SLOT, .frame_headroom = HEADER_SIZE};
    int error = xsk_umem__create(&port->umem, port->base, frames * SLOT, &port->fill, &port->completion, &memory);
    struct xsk_socket_config config = {
        .rx_size = ring, .tx_size = ring, .bind_flags = XDP_COPY | XDP_USE_NEED_WAKEUP,
        .xdp_flags = is_generic ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE};
    if (error == 0) {
        error = xsk_socket__create(&port->socket, interface, 0, port->umem, &port->rx, &port->tx, &config);
        if (error != 0) xsk_umem__delete(port->umem);
    }
    if (error != 0) {
        free_pool(port->pool), free(port->places), free(port);
        errno = -error;
        return NULL;
    }
    port->descriptor = xsk_socket__fd(port->socket);
    int room = (int)ring * 4096;
    setsockopt(port->descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room);
    port->fill_target = (uint32_t)(frames / 2 < 2 * ring ? frames / 2 : 2 * ring);
    xdp_refill(port);
    return port;
}

// Steered by libxdp's default program. NULL, with errno, if it can't be opened.
struct xdp_port *xdp_open(const char *interface, int is_generic, size_t frames, unsigned ring) {
    struct xdp_port *port = open_once(interface, is_generic, frames, ring);
    // The kernel lets go of a queue some time after the socket that had it was closed.
    for (int tries = 0; port == NULL && errno == EBUSY && tries < 500; tries++) {
        usleep(2000);
        port = open_once(interface, is_generic, frames, ring);
    }
    return port;
}

// Closes it: its frames and rings are gone, and the interface's XDP program with the last socket that uses it.
void xdp_close(struct xdp_port *port) {
    xsk_socket__delete(port->socket);
    xsk_umem__delete(port->umem);
    free_pool(port->pool), free(port->places), free(port);
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
