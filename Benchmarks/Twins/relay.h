// C's relay: the algorithms of Sources/ApusRTP over packet.h. See forward.c for what it does not do.
#pragma once
#include "index.h"
#include "packet.h"
#include "prepared.h"

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

enum drop { OTHER_HOST, NO_STREAM, OWN_ADDRESS, HOP_LIMIT, TOO_LONG, POOL_EMPTY, RING_FULL, DROPS };

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

struct way {
    struct prepared headers;
    int32_t interface, maximum_payload;
};

struct stream {
    int32_t first_destination, destination_count;
    uint8_t hop_limit;
    bool is_rtp;
};

// The place of a stream's source that sent the last packet, and of the one whose jitter it shows.
struct last {
    uint8_t sent, shown;
};

struct relay {
    struct endpoint_index listeners, own;
    struct stream *streams;
    struct way *ways;
    struct source *sources;
    struct last *last;
    struct counters counters;
};

enum checksum { CARRIED, ABSENT, LEFT };

struct accepted {
    size_t slot;
    uint16_t rest, payload_offset, payload_length;
    uint8_t traffic_class, hop_limit;
    enum checksum checksum;
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
    struct last last = relay->last[slot];
    struct source *source = &relay->sources[slot * SOURCES + last.sent];
    if (unlikely(source->key != rtp.ssrc)) first_of(source, &rtp);
    if (unlikely(rtp.sequence != (uint16_t)(source->highest + 1) || rtp.payload_type != source->payload_type)) abort();
    uint32_t rate = source->rate;
    advance(source, &rtp, time);
    // A suite's streams have one source each, of one payload type.
    if (unlikely(last.sent != last.shown || source->rate != rate)) abort();
    set(&counters->jitter, source->jitter);
}

// What the UDP checksum says of all but addresses and ports (FlowHeaders.checksumRest).
static inline uint16_t checksum_rest(const struct flow *f) {
    uint64_t sum;
    if (f->flags & FLOW_IPV6) {
        sum = plus(__builtin_bswap64(f->source_high), __builtin_bswap64(f->source_low));
        sum = plus(plus(sum, __builtin_bswap64(f->destination_high)), __builtin_bswap64(f->destination_low));
    } else {
        sum = (uint64_t)__builtin_bswap32((uint32_t)f->source_low) + __builtin_bswap32((uint32_t)f->destination_low);
    }
    sum = plus(sum, __builtin_bswap32((uint32_t)f->source_port << 16 | f->destination_port));
    return folded(plus(~sum, __builtin_bswap16((uint16_t)~f->udp_checksum)));
}

static inline bool accept_frame(struct relay *relay, const uint8_t *p, size_t size, uint64_t interface,
                                uint16_t frame_flags, uint64_t time, struct accepted *accepted) {
    struct flow parsed, *flow = &parsed;
    add(&relay->counters.received, 1);
    add(&relay->counters.received_bytes, size);
    if (size < 14) return fail(relay, TRUNCATED_ETHERNET), false;
    uint64_t mac = big64(p) >> 16;
    bool is_group = mac >> 40 & 1;
    if (mac != interface && !is_group) return drop(relay, OTHER_HOST), false;
    enum failure failure = parse_frame(p, size, flow);
    if (failure != FLOW_OK) return fail(relay, failure), false;
    if (has_martian(flow)) return fail(relay, MARTIAN), false;
    accepted->rest = checksum_rest(flow);
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
    if (frame_flags & 1) {
        accepted->checksum = LEFT;
    } else if (frame_flags & 2 && flow->udp_checksum != 0) {
        accepted->checksum = CARRIED;
    } else if (flow->udp_checksum == 0) {
        if (is_ipv6) return fail(relay, BAD_UDP_CHECKSUM), false;
        accepted->checksum = ABSENT;
    } else {
        uint64_t start = pseudo_header(flow);
        accepted->checksum = CARRIED;
        if (folded(sum_bytes(p + flow->transport_offset, flow->udp_length, start)) != 0xffff) {
            if (flow->udp_checksum != folded(start)) return fail(relay, BAD_UDP_CHECKSUM), false;
            accepted->checksum = LEFT;
        }
    }
    accepted->payload_offset = flow->transport_offset + 8;
    accepted->payload_length = flow->udp_length - 8;
    accepted->traffic_class = flow->traffic_class;
    note(relay, flow, p, size, accepted->slot, time);
    if (accepted->checksum == LEFT) add(&relay->counters.completed, 1);
    return true;
}

// MARK: rewriting (Packet+Relay.swift)

static inline bool
readdress(struct frame *frame, const struct accepted *accepted, const struct prepared *headers) {
    uint32_t start = accepted->payload_offset, payload = accepted->payload_length;
    // Further segments, a checksum to be computed, or none at all, come in no suite.
    if (unlikely(frame->next != NULL || accepted->checksum != CARRIED)) abort();
    uint32_t size = (uint32_t)prepared_count(headers);
    if (start + payload > frame->length || size > frame->offset - HEADER_SIZE + start) return false;
    frame->offset += start - size, frame->length = size + payload;
    return encode_prepared(headers, data(frame), frame->length, payload, accepted->hop_limit,
                           accepted->traffic_class, carried(headers, accepted->rest));
}
