// C's frames, pools, bursts and in-memory ports: the algorithms of Sources/ApusRings and ApusPorts, but for how frames are
// given back to a pool of another thread's, which none of the suites does in what is timed.
#pragma once
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "flow.h"

enum { DATA_OFFSET = 320, HEADER_SIZE = 64, SLOT = 2048, BURST = 64 };

// Memory of zeros that begins at a cache line, from 2 MiB on in huge pages (FixedArray.swift).
static void __attribute__((unused)) *lines(size_t size) {
    size_t huge = 2 << 20, alignment = size < huge ? 128 : huge;
    void *memory = aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    if (size >= huge) madvise(memory, size / huge * huge, MADV_HUGEPAGE);
    return memset(memory, 0, size);
}

struct frame {
    struct pool *pool;
    struct frame *next;
    uint64_t timestamp;
    uint32_t offset, length, slot_size;
    uint16_t port, queue, flags;
};

static inline uint8_t *data(struct frame *frame) { return (uint8_t *)frame + frame->offset; }

// MARK: pool: a stack for the owning thread. What others give back is a list here, which is the least there is to write;
// of it only the question whose pool it is and the look at an empty list are timed, and Apus has these too.

struct pool {
    _Atomic uintptr_t owner;
    size_t free, capacity;
    struct frame **stack;
    void *memory;
    _Alignas(128) _Atomic(struct frame *) returned;
};

static inline uintptr_t this_thread(void) { return (uintptr_t)__builtin_thread_pointer(); }

static struct pool *make_pool(size_t count) {
    struct pool *pool = aligned_alloc(128, sizeof *pool);
    uint8_t *memory = aligned_alloc(4096, count * SLOT);
    memset(memory, 0, count * SLOT);
    *pool = (struct pool){.owner = this_thread(), .capacity = count,
                          .stack = malloc(count * sizeof(void *)), .memory = memory};
    for (size_t i = count; i-- > 0;) {
        struct frame *frame = (struct frame *)(memory + i * SLOT);
        *frame = (struct frame){.pool = pool, .offset = DATA_OFFSET, .slot_size = SLOT};
        pool->stack[pool->free++] = frame;
    }
    return pool;
}

// Frees it and all its frames, wherever they are.
static void __attribute__((unused)) free_pool(struct pool *pool) {
    free(pool->memory), free(pool->stack), free(pool);
}

// For a thread that goes on with the pool of another, which must not use it any more.
static inline void adopt(struct pool *pool) { atomic_store_explicit(&pool->owner, this_thread(), memory_order_relaxed); }

static void __attribute__((noinline)) push_from_elsewhere(struct pool *pool, struct frame *frame) {
    frame->next = atomic_load_explicit(&pool->returned, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&pool->returned, &frame->next, frame, memory_order_release,
                                                  memory_order_relaxed)) {}
}

static void __attribute__((noinline)) collect(struct pool *pool) {
    struct frame *frame = atomic_exchange_explicit(&pool->returned, NULL, memory_order_acquire);
    while (frame != NULL) {
        struct frame *next = frame->next;
        frame->next = NULL;
        pool->stack[pool->free++] = frame;
        frame = next;
    }
}

static inline void release_one(struct frame *frame) {
    struct pool *pool = frame->pool;
    if (likely(atomic_load_explicit(&pool->owner, memory_order_relaxed) == this_thread()))
        pool->stack[pool->free++] = frame;
    else push_from_elsewhere(pool, frame);
}

static void __attribute__((noinline)) release_chain(struct frame *frame) {
    while (frame != NULL) {
        struct frame *next = frame->next;
        frame->next = NULL;
        release_one(frame);
        frame = next;
    }
}

static inline void release(struct frame *frame) {
    if (unlikely(frame->next != NULL)) release_chain(frame);
    else release_one(frame);
}

static inline struct frame *take_frame(struct pool *pool) {
    if (unlikely(atomic_load_explicit(&pool->owner, memory_order_relaxed) != this_thread())) abort();
    if (unlikely(pool->free == 0)) {
        collect(pool);
        if (pool->free == 0) return NULL;
    }
    struct frame *frame = pool->stack[--pool->free];
    frame->timestamp = 0;
    frame->offset = DATA_OFFSET, frame->length = 0;
    frame->port = 0, frame->queue = 0, frame->flags = 0;
    return frame;
}

// Takes up to `wanted` frames without touching them; `frames` is set to where they are.
static inline size_t take_raw(struct pool *pool, size_t wanted, struct frame ***frames) {
    if (unlikely(atomic_load_explicit(&pool->owner, memory_order_relaxed) != this_thread())) abort();
    if (unlikely(pool->free < wanted)) collect(pool);
    size_t count = wanted < pool->free ? wanted : pool->free;
    pool->free -= count;
    *frames = pool->stack + pool->free;
    return count;
}

// MARK: burst

struct burst {
    struct frame *frames[BURST];
    size_t start, end;
};

static inline size_t burst_count(const struct burst *burst) { return burst->end - burst->start; }

static void __attribute__((noinline)) compact(struct burst *burst) {
    if (burst->start == 0) abort();
    memmove(burst->frames, burst->frames + burst->start, burst_count(burst) * sizeof(void *));
    burst->end -= burst->start, burst->start = 0;
}

static inline void append(struct burst *burst, struct frame *frame) {
    if (unlikely(burst->end == BURST)) compact(burst);
    burst->frames[burst->end++] = frame;
}

static inline struct frame *pop_first(struct burst *burst) {
    return burst->start < burst->end ? burst->frames[burst->start++] : NULL;
}

// Drops all packets: the owner is looked up once for those that follow one another and are of one pool.
static inline void release_all(struct burst *burst) {
    size_t i = burst->start, end = burst->end;
    while (i < end) {
        struct pool *pool = burst->frames[i]->pool;
        if (unlikely(burst->frames[i]->next != NULL
                     || atomic_load_explicit(&pool->owner, memory_order_relaxed) != this_thread())) {
            release(burst->frames[i++]);
            continue;
        }
        size_t top = pool->free;
        struct frame **stack = pool->stack;
        for (; i < end && burst->frames[i]->pool == pool && burst->frames[i]->next == NULL; i++) {
            if (unlikely(top == pool->capacity)) abort();
            stack[top++] = burst->frames[i];
        }
        pool->free = top;
    }
    burst->start = burst->end = 0;
}

// MARK: ring and port

struct ring_memory {
    _Alignas(128) _Atomic size_t tail;
    _Alignas(128) _Atomic size_t head;
    _Alignas(128) struct frame *slots[];
};

struct end {
    struct ring_memory *ring;
    size_t mask, index, known;
};

// A call of receive takes `limit` packets at most.
struct port {
    struct end outgoing, incoming;
    size_t limit;
    uint64_t received, received_bytes, sent, sent_bytes, segmented;
    struct pool *pool;
};

static void __attribute__((unused)) join_ports(struct port *first, struct port *second, size_t capacity, size_t frames) {
    struct end ends[2];
    for (int i = 0; i < 2; i++) {
        size_t size = sizeof(struct ring_memory) + capacity * sizeof(void *);
        struct ring_memory *ring = aligned_alloc(128, (size + 127) / 128 * 128);
        memset(ring, 0, size);
        ends[i] = (struct end){.ring = ring, .mask = capacity - 1};
    }
    *first = (struct port){.outgoing = ends[0], .incoming = ends[1], .limit = BURST, .pool = make_pool(frames)};
    *second = (struct port){.outgoing = ends[1], .incoming = ends[0], .limit = BURST, .pool = make_pool(frames)};
}

static void __attribute__((unused)) free_ports(struct port *first, struct port *second) {
    free(first->outgoing.ring), free(first->incoming.ring);
    free_pool(first->pool), free_pool(second->pool);
}

static inline size_t receive(struct port *port, struct burst *burst) {
    struct end *in = &port->incoming;
    size_t room = BURST - burst_count(burst), queued = in->known - in->index, bytes = 0;
    if (room > port->limit) room = port->limit;
    if (queued < room) {
        in->known = atomic_load_explicit(&in->ring->tail, memory_order_acquire);
        queued = in->known - in->index;
    }
    size_t count = queued < room ? queued : room;
    if (count == 0) return 0;
    for (size_t i = 0; i < count; i++) {
        struct frame *frame = in->ring->slots[in->index + i & in->mask];
        bytes += frame->length;
        if (unlikely(frame->next != NULL)) port->segmented++;
        append(burst, frame);
    }
    in->index += count;
    atomic_store_explicit(&in->ring->head, in->index, memory_order_release);
    port->received += count, port->received_bytes += bytes;
    return count;
}

static inline size_t transmit(struct port *port, struct burst *burst) {
    struct end *out = &port->outgoing;
    size_t wanted = burst_count(burst), room = out->mask + 1 - (out->index - out->known), bytes = 0;
    if (room < wanted) {
        out->known = atomic_load_explicit(&out->ring->head, memory_order_acquire);
        room = out->mask + 1 - (out->index - out->known);
    }
    size_t count = room < wanted ? room : wanted;
    if (count == 0) return 0;
    for (size_t i = 0; i < count; i++) {
        struct frame *frame = pop_first(burst);
        bytes += frame->length;
        if (unlikely(frame->next != NULL)) port->segmented++;
        out->ring->slots[out->index + i & out->mask] = frame;
    }
    out->index += count;
    atomic_store_explicit(&out->ring->tail, out->index, memory_order_release);
    port->sent += count, port->sent_bytes += bytes;
    return count;
}
