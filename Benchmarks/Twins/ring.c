// The loops of Sources/ApusBench/Subjects/RingSubject.swift over DPDK's rte_ring.
#include <rte_config.h>
#include <rte_pause.h>
#include <rte_ring.h>
#include <rte_version.h>
#include <stdlib.h>

#include "CTwins.h"

const char *twins_dpdk(void) { return rte_version(); }

// In memory of our own: the environment abstraction layer isn't needed for it. It holds exactly so many, as Apus' does, where
// without that flag it would hold one less; a power of two of them takes twice as many slots.
struct rte_ring *ring_make(unsigned capacity, int many) {
    struct rte_ring *ring = aligned_alloc(128, (size_t)rte_ring_get_memsize(rte_align32pow2(capacity + 1)));
    unsigned flags = RING_F_EXACT_SZ | (many ? 0 : RING_F_SP_ENQ | RING_F_SC_DEQ);
    if (ring == NULL || rte_ring_init(ring, "twin", capacity, flags) != 0) abort();
    return ring;
}

void ring_free(struct rte_ring *ring) { free(ring); }

static inline unsigned put(struct rte_ring *ring, int many, void **objects, unsigned bulk) {
    if (bulk == 1) return (many ? rte_ring_mp_enqueue : rte_ring_sp_enqueue)(ring, objects[0]) == 0;
    return (many ? rte_ring_mp_enqueue_bulk : rte_ring_sp_enqueue_bulk)(ring, objects, bulk, NULL);
}

static inline unsigned take(struct rte_ring *ring, int many, void **objects, unsigned bulk) {
    if (bulk == 1) return (many ? rte_ring_mc_dequeue : rte_ring_sc_dequeue)(ring, objects) == 0;
    return (many ? rte_ring_mc_dequeue_bulk : rte_ring_sc_dequeue_bulk)(ring, objects, bulk, NULL);
}

static inline __attribute__((always_inline)) void
exchange(struct rte_ring *ring, int many, void **in, void **out, unsigned bulk, size_t repeats) {
    for (size_t i = 0; i < repeats; i++) {
        while (put(ring, many, in, bulk) == 0) rte_pause();
        while (take(ring, many, out, bulk) == 0) rte_pause();
    }
}

static inline __attribute__((always_inline)) void
produce(struct rte_ring *ring, int many, void **in, void **out, unsigned bulk, size_t repeats) {
    for (size_t i = 0; i < repeats; i++)
        while (put(ring, many, in, bulk) == 0) rte_pause();
}

static inline __attribute__((always_inline)) void
consume(struct rte_ring *ring, int many, void **in, void **out, unsigned bulk, size_t repeats) {
    for (size_t i = 0; i < repeats; i++)
        while (take(ring, many, out, bulk) == 0) rte_pause();
}

// Compiled for each kind of ring, and for one element and for more, so that no choice is left in a loop.
#define FOR_EACH_KIND(work)                                                                                  \
    do {                                                                                                     \
        if (many && bulk == 1) work(ring, 1, in, out, 1, repeats);                                           \
        else if (many) work(ring, 1, in, out, bulk, repeats);                                                \
        else if (bulk == 1) work(ring, 0, in, out, 1, repeats);                                              \
        else work(ring, 0, in, out, bulk, repeats);                                                          \
    } while (0)

void ring_exchange(struct rte_ring *ring, int many, void *in, void *out, unsigned bulk, size_t repeats) {
    FOR_EACH_KIND(exchange);
}

void ring_produce(struct rte_ring *ring, int many, void *in, unsigned bulk, size_t repeats) {
    void *out = NULL;
    FOR_EACH_KIND(produce);
}

void ring_consume(struct rte_ring *ring, int many, void *out, unsigned bulk, size_t repeats) {
    void *in = NULL;
    FOR_EACH_KIND(consume);
}
