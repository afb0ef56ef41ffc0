// C's relay: the algorithms of Sources/ApusRTP over packet.h. See forward.c for what it does not do.
#pragma once
#include "packet.h"

// MARK: finding a stream (EndpointIndex.swift)

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

// MARK: statistics (RTPReception.swift, ClockRateMeter.swift, SourceReception.swift)

struct source {
    uint64_t key, last_arrival;
    uint8_t payload_type;
    // The source's reception.
    uint64_t received, highest;
    unsigned __int128 window;
    uint32_t restart, jitter, transit;
    bool has_transit;
    // Its clock.
    bool is_primed;
    uint32_t rate, last_timestamp;
    uint64_t multiplier, origin_arrival, wait;
};

enum { SOURCES = 4 };

// Read by other threads in a real program: single loads and stores.
typedef _Atomic uint64_t counter;
static inline uint64_t value(const counter *c) { return atomic_load_explicit(c, memory_order_relaxed); }
static inline void set(counter *c, uint64_t v) { atomic_store_explicit(c, v, memory_order_relaxed); }
static inline void add(counter *c, uint64_t v) { set(c, value(c) + v); }

struct stream_counters {
    counter packets, bytes, last_arrival, jitter, sent, dropped, not_rtp, rtcp, rest[10];
};

enum drop { OTHER_HOST, NO_STREAM, OWN_ADDRESS, HOP_LIMIT, TOO_LONG, UNREACHABLE, POOL_EMPTY, RING_FULL, DROPS };

struct counters {
    counter received, received_bytes, accepted, copies, sent, sent_bytes, completed;
    counter failures[FAILURES], drops[DROPS];
    struct stream_counters *streams;
};

static void __attribute__((noinline)) first_of(struct source *source, const struct rtp *rtp) {
    // Only a stream's first packet, of payload type 0, comes here: 8000 Hz.
    if (source->key != UINT64_MAX || rtp->payload_type != 0) abort();
    *source = (struct source){
        .key = rtp->ssrc, .payload_type = 0, .highest = (1 << 16 | rtp->sequence) - 1u, .restart = UINT32_MAX,
        .rate = 8000, .multiplier = (uint64_t)(((unsigned __int128)8000 << 64) / 1000000000), .wait = UINT64_MAX,
    };
}

static inline void advance(struct source *s, const struct rtp *rtp, uint64_t time) {
    s->last_arrival = time;
    s->highest++;
    s->window = s->window << 1 | 1;
    s->restart = UINT32_MAX;
    s->received++;
    if (rtp->timestamp != s->last_timestamp || !s->is_primed) {
        s->last_timestamp = rtp->timestamp;
        // The clock of a static payload type isn't measured.
        if (unlikely(time - s->origin_arrival >= s->wait)) abort();
    }
    if (s->rate == 0) return;
    uint32_t now = (uint32_t)((unsigned __int128)time * s->multiplier >> 64) - rtp->timestamp;
    int32_t difference = (int32_t)(now - s->transit);
    uint32_t size = difference < 0 ? 0u - (uint32_t)difference : (uint32_t)difference;
    s->transit = now;
    if (!s->has_transit) {
        s->has_transit = true;
        return;
    }
    s->jitter = s->jitter + (size < 0x0fffffff ? size : 0x0fffffff) - ((s->jitter + 8) >> 4);
}

// MARK: relay (Relay.swift)

struct destination {
    struct encapsulation headers;
    size_t maximum;
    uint16_t interface;
    bool is_ready;
};

struct stream {
    int32_t first_destination, destination_count;
    uint8_t hop_limit;
    bool is_rtp;
};

struct relay {
    struct endpoint_index listeners, own;
    struct stream *streams;
    struct destination *destinations;
    struct source *sources;
    uint8_t *last;
    struct counters counters;
};

struct accepted {
    size_t slot;
    struct flow flow;
    bool needs_checksum;
    uint8_t hop_limit;
};

static inline void fail(struct relay *relay, enum failure failure) { add(&relay->counters.failures[failure], 1); }
static inline void drop(struct relay *relay, enum drop reason) { add(&relay->counters.drops[reason], 1); }

static inline bool is_multicast(const struct flow *f) {
    return f->flags & FLOW_IPV6 ? f->destination_high >> 56 == 0xff : f->destination_low >> 28 == 0xe;
}

static inline bool is_martian4(uint32_t bits) {
    return bits >> 24 == 0 || bits >> 24 == 127 || (bits >> 28 == 0xf && bits != UINT32_MAX);
}

static inline bool is_martian6(uint64_t high, uint64_t low) { return high == 0 && (low <= 1 || low >> 32 == 0xffff); }

static inline bool has_martian(const struct flow *f) {
    if (f->flags & FLOW_IPV6)
        return is_martian6(f->source_high, f->source_low) || f->source_high >> 56 == 0xff
            || is_martian6(f->destination_high, f->destination_low)
            || (f->destination_high >> 56 == 0xff && (f->destination_high >> 48 & 0xf) < 2);
    uint32_t source = (uint32_t)f->source_low;
    return is_martian4(source) || source >> 28 == 0xe || source == UINT32_MAX
        || is_martian4((uint32_t)f->destination_low);
}

static inline void
note(struct relay *relay, const struct flow *flow, const uint8_t *p, size_t size, size_t slot, uint64_t time) {
    struct stream_counters *counters = &relay->counters.streams[slot];
    size_t payload = flow->udp_length - 8u, start = flow->transport_offset + 8u;
    add(&relay->counters.accepted, 1);
    add(&counters->packets, 1);
    add(&counters->bytes, payload);
    set(&counters->last_arrival, time);
    if (!relay->streams[slot].is_rtp) return;
    if (start + payload > size) payload = size - start;
    p += start;
    if (payload >= 8 && p[0] >> 6 == 2 && (p[1] & 0xe0) == 0xc0) return add(&counters->rtcp, 1);
    struct rtp rtp;
    if (!parse_rtp(p, payload, &rtp)) return add(&counters->not_rtp, 1);
    struct source *source = &relay->sources[slot * SOURCES + relay->last[slot]];
    if (unlikely(source->key != rtp.ssrc)) first_of(source, &rtp);
    if (unlikely(rtp.sequence != (uint16_t)(source->highest + 1) || rtp.payload_type != source->payload_type)) abort();
    advance(source, &rtp, time);
    set(&counters->jitter, source->jitter);
}

static inline bool accept_frame(struct relay *relay, const uint8_t *p, size_t size, uint64_t interface,
                                uint16_t frame_flags, uint64_t time, struct accepted *accepted) {
    struct flow *flow = &accepted->flow;
    add(&relay->counters.received, 1);
    add(&relay->counters.received_bytes, size);
    if (size < 14) return fail(relay, TRUNCATED_ETHERNET), false;
    uint64_t mac = big64(p) >> 16;
    bool is_group = mac >> 40 & 1;
    if (mac != interface && !is_group) return drop(relay, OTHER_HOST), false;
    enum failure failure = parse_frame(p, size, flow);
    if (failure != FLOW_OK) return fail(relay, failure), false;
    if (has_martian(flow)) return fail(relay, MARTIAN), false;
    if (is_group && !is_multicast(flow)) return drop(relay, OTHER_HOST), false;
    bool is_ipv6 = flow->flags & FLOW_IPV6;
    if (number(&relay->own, flow->source_high, flow->source_low, 0, is_ipv6) >= 0)
        return drop(relay, OWN_ADDRESS), false;
    int slot = number(&relay->listeners, flow->destination_high, flow->destination_low, flow->destination_port, is_ipv6);
    if (slot < 0) return drop(relay, NO_STREAM), false;
    accepted->slot = (size_t)slot;
    accepted->hop_limit = relay->streams[slot].hop_limit;
    if (accepted->hop_limit == 0) {
        if (flow->hop_limit <= 1) return drop(relay, HOP_LIMIT), false;
        accepted->hop_limit = flow->hop_limit - 1;
    }
    accepted->needs_checksum = frame_flags & 1;
    if (!accepted->needs_checksum && !(frame_flags & 2 && flow->udp_checksum != 0)) {
        if (flow->udp_checksum == 0) {
            if (is_ipv6) return fail(relay, BAD_UDP_CHECKSUM), false;
        } else {
            uint64_t start = pseudo_header(flow);
            if (folded(sum_bytes(p + flow->transport_offset, flow->udp_length, start)) != 0xffff) {
                if (flow->udp_checksum != folded(start)) return fail(relay, BAD_UDP_CHECKSUM), false;
                accepted->needs_checksum = true;
            }
        }
    }
    note(relay, flow, p, size, accepted->slot, time);
    if (accepted->needs_checksum) add(&relay->counters.completed, 1);
    return true;
}

// MARK: rewriting (Packet+Relay.swift)

static inline uint64_t replace(uint64_t sum, uint64_t old, uint64_t new) {
    return plus(plus(sum, ~__builtin_bswap64(old)), __builtin_bswap64(new));
}

static inline uint16_t carried(const struct encapsulation *e, const struct flow *f) {
    uint64_t sum = __builtin_bswap16((uint16_t)~f->udp_checksum);
    sum = replace(replace(sum, f->source_high, e->source_high), f->source_low, e->source_low);
    sum = replace(replace(sum, f->destination_high, e->destination_high), f->destination_low, e->destination_low);
    uint32_t old = (uint32_t)f->source_port << 16 | f->destination_port;
    uint32_t new = (uint32_t)e->source_port << 16 | e->destination_port;
    return udp_value(plus(sum, (uint64_t)__builtin_bswap32(~old) + __builtin_bswap32(new)));
}

static inline bool
readdress(struct frame *frame, const struct accepted *accepted, const struct encapsulation *destination) {
    const struct flow *old = &accepted->flow;
    uint32_t start = old->transport_offset + 8u, payload = old->udp_length - 8u;
    if (start > frame->length) return false;
    frame->offset += start, frame->length -= start;
    if (likely(frame->next == NULL)) {
        if (frame->length < payload) return false;
        frame->length = payload;
    }
    struct encapsulation new = *destination;
    new.hop_limit = accepted->hop_limit;
    new.traffic_class = old->traffic_class;
    // A checksum to be computed, or none at all, comes in no suite.
    if (unlikely(accepted->needs_checksum || old->udp_checksum == 0)) abort();
    uint16_t checksum = carried(&new, old);
    uint32_t size = (uint32_t)header_count(&new);
    if (size > frame->offset - HEADER_SIZE) return false;
    frame->offset -= size, frame->length += size;
    return encode_headers(&new, data(frame), frame->length, payload, checksum);
}
