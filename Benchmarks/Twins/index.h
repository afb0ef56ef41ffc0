// C's table of streams by address and port: the algorithm of Sources/ApusRTP/Relay/EndpointIndex.swift.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "packet.h"

// What all packets of a stream have in common: where its ways begin, how many those are (from bit 9 on), whether it is
// RTP (bit 8), and its hop limit.
struct stream {
    int32_t first_destination;
    uint32_t traits;
};

struct key {
    uint64_t high, low;
    uint32_t port;
};

struct value {
    int32_t number;
    struct stream stream;
};

// Half a cache line.
struct entry {
    uint64_t high, low;
    uint32_t port;
    struct value value;
};

struct endpoint_index {
    struct entry *entries;
    size_t mask, probes;
    uint64_t seed_low, seed_high;
};

static inline uint64_t fold(unsigned __int128 product) { return (uint64_t)(product >> 64) ^ (uint64_t)product; }

static inline size_t home(const struct endpoint_index *index, const struct key *key) {
    uint64_t a = fold((unsigned __int128)(key->low ^ index->seed_low) * (key->high ^ index->seed_high));
    // The first of the two places of a cache line.
    return fold((unsigned __int128)(a ^ key->port) * 0xd1b54a32d192ed03u) & index->mask & ~(size_t)1;
}

static inline struct key make_key(uint64_t high, uint64_t low, uint16_t port, bool is_ipv6) {
    return (struct key){high, low, port | (uint32_t)is_ipv6 << 16};
}

static inline struct value look_up(const struct endpoint_index *index, const struct key *key, size_t place) {
    for (size_t i = 0; i < index->probes; i++) {
        const struct entry *entry = &index->entries[place];
        if (entry->low == key->low && entry->port == key->port && entry->high == key->high) return entry->value;
        if (entry->value.number < 0) break;
        place = (place + 1) & index->mask;
    }
    return (struct value){.number = -1};
}

static struct endpoint_index make_index(size_t capacity) {
    size_t size = 8;
    while (size < capacity * 2) size *= 2;
    struct entry *entries = lines(size * sizeof *entries);
    for (size_t i = 0; i < size; i++) entries[i].value.number = -1;
    return (struct endpoint_index){entries, size - 1, 1, 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9};
}

static void insert(struct endpoint_index *index, uint64_t low, uint16_t port, int number, struct stream stream) {
    struct key key = make_key(0, low, port, false);
    size_t place = home(index, &key), distance = 1;
    while (index->entries[place].value.number >= 0) place = (place + 1) & index->mask, distance++;
    index->entries[place] = (struct entry){0, low, port, {number, stream}};
    if (distance > index->probes) index->probes = distance;
}
