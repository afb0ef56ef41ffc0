// The C twins of Twins/, which run.sh compiles at -O3.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Compiler and flags the twins were made with.
const char *twins_compiler(void);
/// The version of DPDK in use.
const char *twins_dpdk(void);

// ring.c: rte_ring. `many` is 0 for one producer and one consumer.
struct rte_ring;
struct rte_ring *ring_make(unsigned capacity, int many);
void ring_free(struct rte_ring *ring);
// `in` and `out` point to `bulk` words, at most 64.
void ring_exchange(struct rte_ring *ring, int many, void *in, void *out, unsigned bulk, size_t repeats);
void ring_produce(struct rte_ring *ring, int many, void *in, unsigned bulk, size_t repeats);
void ring_consume(struct rte_ring *ring, int many, void *out, unsigned bulk, size_t repeats);
