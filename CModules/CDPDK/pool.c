#include "headers.h"

struct rte_mempool *apus_pool_make(const char *name, unsigned count, unsigned header, unsigned room, int socket) {
    // For each thread, which may have half as many more; so that the caches of some threads don't hold all.
    unsigned cache = count / 16 < 256 ? count / 16 : 256;
    struct rte_mempool *pool = rte_pktmbuf_pool_create(name, count, cache, (uint16_t)header, (uint16_t)room, socket);
    if (pool == NULL) errno = rte_errno;
    return pool;
}

void apus_pool_free(struct rte_mempool *pool) { rte_mempool_free(pool); }

struct visit {
    void (*body)(void *, struct apus_mbuf *);
    void *context;
};

static void visit(struct rte_mempool *pool, void *visit, void *mbuf, unsigned index) {
    (void)pool, (void)index;
    const struct visit *v = visit;
    v->body(v->context, mbuf);
}

void apus_pool_each(struct rte_mempool *pool, void (*body)(void *, struct apus_mbuf *), void *context) {
    rte_mempool_obj_iter(pool, visit, &(struct visit){body, context});
}

int apus_pool_take(struct rte_mempool *pool, struct apus_mbuf **mbufs, unsigned count) {
    return rte_mempool_get_bulk(pool, (void **)mbufs, count);
}

void apus_pool_give(struct rte_mempool *pool, struct apus_mbuf **mbufs, unsigned count) {
    rte_mempool_put_bulk(pool, (void *const *)mbufs, count);
}

bool apus_pool_is_full(struct rte_mempool *pool) {
    struct rte_mempool_cache *cache = rte_mempool_default_cache(pool, rte_lcore_id());
    if (cache != NULL) rte_mempool_cache_flush(cache, pool);
    return rte_mempool_get_ops(pool->ops_index)->get_count(pool) == pool->size;
}

unsigned apus_pool_available(const struct rte_mempool *pool) { return rte_mempool_avail_count(pool); }

DPDK_END
