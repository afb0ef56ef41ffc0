// The loops of Sources/ApusBench/Subjects/PoolSubject.swift over DPDK's rte_mempool, each thread with its cache.
#include <rte_config.h>
#include <rte_mempool.h>
#include <rte_pause.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>

#include "CTwins.h"

struct gaps {
    void *before, *within;
};

// A pool needs the environment abstraction layer, which Apus has started; normal pages, as Apus' pool here has them.
struct rte_mempool *pool_make(unsigned count, unsigned size) {
    dpdk_join();
    static int number;
    char name[32];
    snprintf(name, sizeof name, "twin%d", number++);
    // In steps, as rte_mempool_create does it, so that the threads' caches and the ring of objects come to lie elsewhere
    // of each other too.
    struct gaps gaps = {.before = dpdk_gap()};
    struct rte_mempool *pool = rte_mempool_create_empty(name, count, size, 256, sizeof gaps, 0, 0);
    gaps.within = dpdk_gap();
    if (pool == NULL || rte_mempool_set_ops_byname(pool, "ring_mp_mc", NULL) != 0
        || rte_mempool_populate_default(pool) != (int)count) abort();
    *(struct gaps *)rte_mempool_get_priv(pool) = gaps;
    return pool;
}

void pool_free(struct rte_mempool *pool) {
    struct gaps gaps = *(struct gaps *)rte_mempool_get_priv(pool);
    rte_mempool_free(pool);
    dpdk_gap_free(gaps.before), dpdk_gap_free(gaps.within);
}

void pool_exchange(struct rte_mempool *pool, unsigned bulk, size_t repeats) {
    void *objects[64];
    if (bulk == 1) {
        for (size_t i = 0; i < repeats; i++) {
            if (rte_mempool_get(pool, objects) != 0) abort();
            rte_mempool_put(pool, objects[0]);
        }
        return;
    }
    for (size_t i = 0; i < repeats; i++) {
        if (rte_mempool_get_bulk(pool, objects, bulk) != 0) abort();
        rte_mempool_put_bulk(pool, objects, bulk);
    }
}

// What crosses need not be whole bulks, as with Apus: what there is room for, and what is there.
void pool_take(struct rte_mempool *pool, struct rte_ring *ring, unsigned bulk, size_t repeats) {
    void *objects[64];
    for (size_t i = 0; i < repeats; i++) {
        while (rte_mempool_get_bulk(pool, objects, bulk) != 0) rte_pause();
        for (unsigned sent = 0, count; sent < bulk; sent += count)
            if ((count = rte_ring_sp_enqueue_burst(ring, objects + sent, bulk - sent, NULL)) == 0) rte_pause();
    }
}

void pool_give(struct rte_mempool *pool, struct rte_ring *ring, unsigned bulk, size_t repeats) {
    void *objects[64];
    dpdk_join();
    for (size_t left = repeats * bulk; left > 0;) {
        unsigned count = rte_ring_sc_dequeue_burst(ring, objects, left < bulk ? (unsigned)left : bulk, NULL);
        if (count == 0) rte_pause();
        else rte_mempool_put_bulk(pool, objects, count);
        left -= count;
    }
}
