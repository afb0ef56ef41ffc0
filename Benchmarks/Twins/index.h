// C's table of streams by address and port: the algorithm of Sources/ApusRTP/Relay/EndpointIndex.swift.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct entry {
    uint64_t high, low;
    uint32_t port;
    int32_t number;
};

struct endpoint_index {
    struct entry *entries;
    size_t mask, probes;
    uint64_t seed_low, seed_high;
};

static inline uint64_t fold(unsigned __int128 product) { return (uint64_t)(product >> 64) ^ (uint64_t)product; }

static inline size_t home(const struct endpoint_index *index, uint64_t high, uint64_t low, uint32_t port) {
    uint64_t a = fold((unsigned __int128)(low ^ index->seed_low) * (high ^ index->seed_high));
    return fold((unsigned __int128)(a ^ port) * 0xd1b54a32d192ed03u);
}

static inline int
number(const struct endpoint_index *index, uint64_t high, uint64_t low, uint16_t port, bool is_ipv6) {
    uint32_t key = port | (uint32_t)is_ipv6 << 16;
    size_t place = home(index, high, low, key) & index->mask;
    for (size_t i = 0; i < index->probes; i++) {
        const struct entry *entry = &index->entries[place];
        if (entry->low == low && entry->port == key && entry->high == high) return entry->number;
        if (entry->number < 0) return -1;
        place = (place + 1) & index->mask;
    }
    return -1;
}

static struct endpoint_index make_index(size_t capacity) {
    size_t size = 8;
    while (size < capacity * 2) size *= 2;
    struct entry *entries = calloc(size, sizeof *entries);
    for (size_t i = 0; i < size; i++) entries[i].number = -1;
    return (struct endpoint_index){entries, size - 1, 1, 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9};
}

static void insert(struct endpoint_index *index, uint64_t low, uint16_t port, int number) {
    size_t place = home(index, 0, low, port) & index->mask, distance = 1;
    while (index->entries[place].number >= 0) place = (place + 1) & index->mask, distance++;
    index->entries[place] = (struct entry){0, low, port, number};
    if (distance > index->probes) index->probes = distance;
}
