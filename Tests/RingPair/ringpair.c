#include <rte_config.h>

#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("ssse3,sse4.2"))), apply_to = function)
#endif

#include <rte_mbuf.h>
#include <rte_memory.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>

#include "RingPair.h"

// The argument `internal` of net_ring: where this lies (drivers/net/ring/rte_eth_ring.c of DPDK 22.11).
struct ring_internal_args {
    struct rte_ring *const *rx_queues;
    unsigned nb_rx_queues;
    struct rte_ring *const *tx_queues;
    unsigned nb_tx_queues;
    unsigned numa_node;
    void *addr;
};

struct ring_pair {
    struct rte_ring *to[2];
    struct ring_internal_args arguments[2];
    char devices[2][64];
    // All are kept, as their devices lead to them.
    struct ring_pair *before;
};

static struct ring_pair *last;

struct ring_pair *ring_pair_make(const char *name, unsigned slots) {
    struct ring_pair *pair = calloc(1, sizeof *pair);
    if (pair == NULL) return NULL;
    pair->before = last, last = pair;
    for (int i = 0; i < 2; i++) {
        char ring[32];
        snprintf(ring, sizeof ring, "to_%s%d", name, i);
        pair->to[i] = rte_ring_create(ring, slots, SOCKET_ID_ANY, 0);
        if (pair->to[i] == NULL) return NULL;
    }
    for (int i = 0; i < 2; i++) {
        pair->arguments[i] = (struct ring_internal_args){
            &pair->to[i], 1, &pair->to[1 - i], 1, 0, &pair->arguments[i],
        };
        snprintf(pair->devices[i], sizeof pair->devices[i], "net_ring_%s%d,internal=%p", name, i, (void *)&pair->arguments[i]);
    }
    return pair;
}

const char *ring_pair_device(const struct ring_pair *pair, unsigned number) { return pair->devices[number]; }

unsigned ring_pair_waiting(const struct ring_pair *pair, unsigned number) { return rte_ring_count(pair->to[number]); }

void ring_pair_describe(
    struct ring_pair *pair, unsigned number, uint64_t flags, uint16_t tag, uint32_t hash, unsigned offset, uint64_t time) {
    for (unsigned left = rte_ring_count(pair->to[number]); left > 0; left--) {
        void *entry;
        if (rte_ring_dequeue(pair->to[number], &entry) != 0) return;
        struct rte_mbuf *mbuf = entry;
        mbuf->ol_flags = flags, mbuf->vlan_tci = tag, mbuf->hash.rss = hash;
        if (offset != 0) *(uint64_t *)((char *)mbuf + offset) = time;
        rte_ring_enqueue(pair->to[number], mbuf);
    }
}

#if defined(__x86_64__)
#pragma clang attribute pop
#endif
