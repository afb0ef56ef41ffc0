// C's AF_XDP port: the algorithm of Sources/ApusXDP/Driver over libxdp's ring helpers, with packet.h's frames. What no
// packet of the suites has is refused where Apus calls a function: packets of several descriptors. What is for an
// interface that goes down is left out, as it is looked at only when sending fails.
#pragma once
#include <errno.h>
#include <sys/socket.h>
#include <xdp/xsk.h>

#include "packet.h"

enum place { OUTSIDE, RECEIVING, SENDING };

struct xdp_port {
    struct xsk_ring_cons rx, completion;
    struct xsk_ring_prod tx, fill;
    uint8_t *base, *places;
    struct pool *pool;
    uint64_t slots;
    int descriptor;
    // Frames the kernel shall have to receive into, and has; frames it has to send.
    uint32_t fill_target, receiving, sending;
    uint32_t longest;
    uint64_t received, received_bytes, sent, sent_bytes, dropped;
    struct xsk_umem *umem;
    struct xsk_socket *socket;
};

static __attribute__((noinline)) void xdp_refill(struct xdp_port *port) {
    uint32_t wanted = port->fill_target - port->receiving, index = port->fill.cached_prod;
    uint32_t room = xsk_prod_nb_free(&port->fill, wanted);
    struct frame **frames;
    uint32_t count = (uint32_t)take_raw(port->pool, room < wanted ? room : wanted, &frames);
    // What stays the same in the loops is in registers, which stores of octets would forbid.
    uint8_t *base = port->base, *places = port->places;
    uint64_t *addresses = port->fill.ring;
    uint32_t mask = port->fill.mask;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t address = (uint64_t)((uint8_t *)frames[count - 1 - i] - base);
        places[address / SLOT] = RECEIVING;
        addresses[(index + i) & mask] = address;
    }
    if (count > 0) {
        port->fill.cached_prod += count;
        xsk_ring_prod__submit(&port->fill, count);
        port->receiving += count;
    }
    if (xsk_ring_prod__needs_wakeup(&port->fill)) recvfrom(port->descriptor, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

static inline size_t xdp_receive(struct xdp_port *port, struct burst *burst) {
    uint32_t index, room = (uint32_t)(BURST - burst_count(burst));
    uint32_t count = xsk_ring_cons__peek(&port->rx, room, &index);
    if (count == 0) {
        if (xsk_ring_prod__needs_wakeup(&port->fill)) recvfrom(port->descriptor, NULL, 0, MSG_DONTWAIT, NULL, NULL);
        return 0;
    }
    if (burst->start != 0) compact(burst);
    size_t packets = 0, bytes = 0, end = burst->end;
    uint8_t *base = port->base, *places = port->places;
    uint64_t slots = port->slots;
    const struct xdp_desc *entries = port->rx.ring;
    uint32_t mask = port->rx.mask;
    for (uint32_t i = 0; i < count; i++) {
        const struct xdp_desc *entry = &entries[(index + i) & mask];
        uint64_t slot = entry->addr / SLOT, offset = entry->addr % SLOT;
        if (unlikely(entry->options != 0)) abort();
        if (unlikely(slot >= slots || offset < HEADER_SIZE || offset + entry->len > SLOT
                     || places[slot] != RECEIVING)) {
            port->dropped++;
            continue;
        }
        places[slot] = OUTSIDE;
        struct frame *frame = (struct frame *)(base + slot * SLOT);
        frame->timestamp = 0;
        frame->offset = (uint32_t)offset, frame->length = entry->len;
        frame->port = 0, frame->queue = 0, frame->flags = 0;
        burst->frames[end++] = frame;
        bytes += entry->len, packets++;
    }
    burst->end = end;
    xsk_ring_cons__release(&port->rx, count);
    port->receiving -= count;
    port->received += packets, port->received_bytes += bytes;
    if (port->receiving + 32 <= port->fill_target) xdp_refill(port);
    return packets;
}

static __attribute__((noinline)) void xdp_reclaim(struct xdp_port *port) {
    uint32_t index, count = xsk_ring_cons__peek(&port->completion, port->completion.size, &index);
    if (count == 0) return;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t slot = *xsk_ring_cons__comp_addr(&port->completion, index + i) / SLOT;
        if (unlikely(slot >= port->slots || port->places[slot] != SENDING)) continue;
        port->places[slot] = OUTSIDE;
        port->sending--;
        release((struct frame *)(port->base + slot * SLOT));
    }
    xsk_ring_cons__release(&port->completion, count);
}

static inline uint32_t xdp_pending(struct xdp_port *port) {
    return port->tx.cached_prod - __atomic_load_n(port->tx.consumer, __ATOMIC_ACQUIRE);
}

// In copy mode the kernel stops after a budget of packets with EAGAIN.
static __attribute__((noinline)) void xdp_kick(struct xdp_port *port) {
    uint32_t pending = xdp_pending(port);
    for (int without = 0; pending > 0 && without < 2;) {
        uint32_t inside = port->sending;
        if (sendto(port->descriptor, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN && errno != ENOBUFS) abort();
        xdp_reclaim(port);
        uint32_t left = xdp_pending(port);
        without = left == pending && port->sending == inside ? without + 1 : 0;
        pending = left;
    }
}

static inline void xdp_flush(struct xdp_port *port) {
    if (port->sending == 0) return;
    if (xdp_pending(port) > 0 && xsk_ring_prod__needs_wakeup(&port->tx)) xdp_kick(port);
    xdp_reclaim(port);
}

static inline size_t xdp_transmit(struct xdp_port *port, struct burst *burst) {
    uint32_t wanted = (uint32_t)burst_count(burst), written = 0;
    uint32_t room = xsk_prod_nb_free(&port->tx, wanted);
    if (room < wanted) {
        xdp_flush(port);
        room = xsk_prod_nb_free(&port->tx, wanted);
    }
    size_t bytes = 0, taken = 0;
    for (; taken < wanted && written < room; taken++) {
        struct frame *frame = burst->frames[burst->start + taken];
        uint64_t address = (uint64_t)((uint8_t *)frame - port->base);
        if (unlikely(frame->next != NULL)) abort();
        if (unlikely(address / SLOT >= port->slots || frame->length > port->longest || frame->length == 0)) {
            port->dropped++;
            release(frame);
            continue;
        }
        port->places[address / SLOT] = SENDING;
        *xsk_ring_prod__tx_desc(&port->tx, port->tx.cached_prod + written++) =
            (struct xdp_desc){.addr = address + frame->offset, .len = frame->length};
        bytes += frame->length;
    }
    burst->start += taken;
    if (burst->start == burst->end) burst->start = burst->end = 0;
    if (written > 0) {
        port->tx.cached_prod += written;
        xsk_ring_prod__submit(&port->tx, written);
        port->sending += written;
        port->sent += written, port->sent_bytes += bytes;
    }
    return taken;
}
