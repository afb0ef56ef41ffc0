// The loop of Sources/bench/DPDK/DevicePort.swift on DPDK's own buffers, over a device of the same kind. The environment
// abstraction layer is the one that Apus has started: there is one in a process.
#include <rte_config.h>
#include <errno.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "CTwins.h"

#define INLINE inline __attribute__((always_inline))

// Memory of DPDK's heap, which hands out its blocks one before the other: so what is made after it lies elsewhere each time,
// by as many cache lines as chance says, up to 1 MiB.
void *dpdk_gap(void) {
    uint32_t lines = 0;
    if (getrandom(&lines, sizeof lines, 0) != sizeof lines) abort();
    void *memory = rte_malloc(NULL, (1 + lines % 16384) * (size_t)64, 64);
    if (memory == NULL) abort();
    return memory;
}

void dpdk_gap_free(void *gap) { rte_free(gap); }

// A thread without a number of DPDK's has no caches in its pools.
void dpdk_join(void) {
    if (rte_lcore_id() == LCORE_ID_ANY && rte_thread_register() != 0) abort();
}

uint64_t dpdk_ticks(void) { return rte_rdtsc(); }

struct dpdk_port {
    uint16_t port;
    struct rte_mempool *pool;
};

static int set_up(struct dpdk_port *p, const char *device, const char *name, unsigned frames, unsigned descriptors) {
    static int number;
    char pool[32];
    snprintf(pool, sizeof pool, "twin-port%d", number++);
    dpdk_join();
    int code = rte_dev_probe(device);
    if (code < 0) return code;
    code = rte_eth_dev_get_port_by_name(name, &p->port);
    if (code < 0) return code;
    int socket = rte_eth_dev_socket_id(p->port);
    // As Apus' but for the 64 bytes that it has in front of the data.
    p->pool = rte_pktmbuf_pool_create(pool, frames, 256, 0, 2048 + RTE_PKTMBUF_HEADROOM, socket);
    if (p->pool == NULL) return -rte_errno;
    struct rte_eth_conf conf = {0};
    if ((code = rte_eth_dev_configure(p->port, 1, 1, &conf)) < 0
        || (code = rte_eth_rx_queue_setup(p->port, 0, (uint16_t)descriptors, (unsigned)socket, NULL, p->pool)) < 0
        || (code = rte_eth_tx_queue_setup(p->port, 0, (uint16_t)descriptors, (unsigned)socket, NULL)) < 0)
        return code;
    return rte_eth_dev_start(p->port);
}

struct dpdk_port *dpdk_open(const char *device, const char *name, unsigned frames, unsigned descriptors) {
    struct dpdk_port *port = calloc(1, sizeof *port);
    int code = set_up(port, device, name, frames, descriptors);
    if (code < 0) {
        errno = -code;
        return NULL;
    }
    return port;
}

void dpdk_close(struct dpdk_port *p) {
    struct rte_mbuf *mbufs[DEVICE_BURST];
    for (unsigned count; (count = rte_eth_rx_burst(p->port, 0, mbufs, DEVICE_BURST)) > 0;) {
        rte_pktmbuf_free_bulk(mbufs, count);
        // That one has packets without end.
        if (rte_mempool_in_use_count(p->pool) == 0) break;
    }
    rte_eth_dev_stop(p->port);
    struct rte_eth_dev_info info;
    struct rte_device *device = rte_eth_dev_info_get(p->port, &info) == 0 ? info.device : NULL;
    rte_eth_dev_close(p->port);
    if (device != NULL) rte_dev_remove(device);
    rte_mempool_free(p->pool);
    free(p);
}

size_t dpdk_send(struct dpdk_port *p, const uint8_t *bytes, size_t size, size_t count) {
    size_t sent = 0;
    while (sent < count) {
        struct rte_mbuf *mbuf = rte_pktmbuf_alloc(p->pool);
        if (mbuf == NULL) break;
        memcpy(rte_pktmbuf_append(mbuf, (uint16_t)size), bytes, size);
        if (rte_eth_tx_burst(p->port, 0, &mbuf, 1) == 0) {
            rte_pktmbuf_free(mbuf);
            break;
        }
        sent++;
    }
    return sent;
}

size_t dpdk_take(struct dpdk_port *p, uint8_t *bytes, size_t room) {
    struct rte_mbuf *mbuf;
    if (rte_eth_rx_burst(p->port, 0, &mbuf, 1) == 0) return 0;
    size_t size = rte_pktmbuf_data_len(mbuf);
    if (size <= room) memcpy(bytes, rte_pktmbuf_mtod(mbuf, uint8_t *), size);
    rte_pktmbuf_free(mbuf);
    return size <= room ? size : 0;
}

// Exchanges the first six octets and the next six, as two words that overlap.
static INLINE void swap_addresses(uint8_t *frame) {
    uint64_t first, second;
    memcpy(&first, frame, 8);
    memcpy(&second, frame + 4, 8);
    uint64_t front = second >> 16 | first << 48, back = second >> 48 | first << 16;
    memcpy(frame, &front, 8);
    memcpy(frame + 4, &back, 8);
}

static INLINE size_t forward(struct dpdk_port *p, int swaps, size_t passes) {
    struct rte_mbuf *mbufs[DEVICE_BURST];
    size_t total = 0;
    for (size_t i = 0; i < passes; i++) {
        uint16_t received = rte_eth_rx_burst(p->port, 0, mbufs, DEVICE_BURST);
        if (received == 0) continue;
        if (swaps) {
            for (uint16_t j = 0; j < received; j++) {
                if (rte_pktmbuf_data_len(mbufs[j]) >= 14) swap_addresses(rte_pktmbuf_mtod(mbufs[j], uint8_t *));
            }
        }
        uint16_t sent = rte_eth_tx_burst(p->port, 0, mbufs, received);
        if (sent < received) rte_pktmbuf_free_bulk(mbufs + sent, received - sent);
        total += sent;
    }
    return total;
}

size_t dpdk_forward(struct dpdk_port *port, int swaps, size_t passes) {
    return swaps ? forward(port, 1, passes) : forward(port, 0, passes);
}
