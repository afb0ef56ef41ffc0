// C's relay: the algorithms of Sources/ApusRTP over packet.h. See forward.c for what it does not do.
#pragma once
#include "index.h"
#include "packet.h"
#include "prepared.h"

// MARK: statistics (SourcePulse.swift)

// What most packets of a source change.
struct pulse {
    uint64_t multiplier, origin_arrival, wait, last_arrival, highest;
    uint32_t transit, jitter, last_timestamp, ssrc;
    uint8_t payload_type;
    bool is_there;
    // Of the stream's first source: the place of the one that sent the last packet, and of the one whose jitter it shows.
    uint8_t sent, shown;
};
_Static_assert(sizeof(struct pulse) == 64, "one cache line");

// What Apus has further, for all other packets: loss, order, duplicates, restarts, what measures the clock.
struct reception { uint64_t rest[20]; };

enum { SOURCES = 4 };

// Read by other threads in a real program: single loads and stores.
typedef _Atomic uint64_t counter;
static inline uint64_t value(const counter *c) { return atomic_load_explicit(c, memory_order_relaxed); }
static inline void set(counter *c, uint64_t v) { atomic_store_explicit(c, v, memory_order_relaxed); }
static inline void add(counter *c, uint64_t v) { set(c, value(c) + v); }

struct stream_counters {
    counter packets, bytes, last_arrival, jitter, sent, dropped, not_rtp, rtcp, rest[16];
};

enum drop { OTHER_HOST, NO_STREAM, OWN_ADDRESS, HOP_LIMIT, TOO_LONG, POOL_EMPTY, RING_FULL, DROPS };

struct counters {
    counter received, received_bytes, accepted, copies, sent, sent_bytes, completed;
    counter failures[FAILURES], drops[DROPS];
    struct stream_counters *streams;
};

static inline uint32_t transit(const struct pulse *p, uint32_t timestamp, uint64_t time) {
    return (uint32_t)((unsigned __int128)time * p->multiplier >> 64) - timestamp;
}

// Of all packets that the pulse does not note, the suites have only a stream's first, of payload type 0: 8000 Hz.
static void __attribute__((noinline))
note_slowly(struct pulse *pulse, struct reception *reception, const struct rtp *rtp, uint64_t time) {
    if (pulse->is_there || rtp->payload_type != 0) abort();
    *pulse = (struct pulse){
        .sent = pulse->sent, .shown = pulse->shown, .is_there = true, .ssrc = rtp->ssrc, .payload_type = 0,
        .highest = 1 << 16 | rtp->sequence, .last_arrival = time, .last_timestamp = rtp->timestamp,
        .multiplier = (uint64_t)(((unsigned __int128)8000 << 64) / 1000000000), .wait = UINT64_MAX,
    };
    pulse->transit = transit(pulse, rtp->timestamp, time);
    *reception = (struct reception){{0}};
}

static inline bool advance(struct pulse *p, const struct rtp *rtp, uint64_t time) {
    if (unlikely(rtp->sequence != (uint16_t)(p->highest + 1) || rtp->payload_type != p->payload_type
                 || time - p->origin_arrival >= p->wait)) return false;
    p->highest++;
    p->last_arrival = time;
    p->last_timestamp = rtp->timestamp;
    if (unlikely(p->multiplier == 0)) return true;
    uint32_t now = transit(p, rtp->timestamp, time);
    int32_t difference = (int32_t)(now - p->transit);
    uint32_t size = difference < 0 ? 0u - (uint32_t)difference : (uint32_t)difference;
    p->transit = now;
    p->jitter = p->jitter + (size < 0x0fffffff ? size : 0x0fffffff) - ((p->jitter + 8) >> 4);
    return true;
}

// MARK: relay (Relay.swift)

// What a packet over IPv4 without VLAN tags needs lies in one cache line.
struct way {
    int32_t interface, maximum_payload;
    struct prepared headers;
    uint64_t rest[5];
};
_Static_assert(sizeof(struct way) == 128, "two cache lines");

struct relay {
    struct endpoint_index listeners, own;
    struct way *ways;
    struct pulse *pulses;
    struct reception *receptions;
    struct counters counters;
};

enum checksum { CARRIED, ABSENT, LEFT, WRONG, MISSING };

struct accepted {
    uint32_t slot;
    uint16_t rest, payload_offset, payload_length;
    uint8_t traffic_class, hop_limit, checksum;
};

// What a packet is that is no RTP; the first eight octets of one that is are a larger number.
enum { OTHER, RTCP, UNMEASURED };

// What is known of a packet of a burst from one pass to the next.
struct seen {
    struct key destination;
    uint32_t place;
    uint64_t time, rtp;
    struct accepted accepted;
    uint32_t ssrc;
    int32_t first_way, way_count;
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

// The first pass: all that the bytes of a frame say (Relay+Look.swift).
static inline void look(struct relay *relay, const uint8_t *p, size_t size, uint64_t interface, uint16_t frame_flags,
                        uint64_t time, struct seen *seen) {
    struct flow parsed, *flow = &parsed;
    seen->way_count = -1;
    if (size < 14) return fail(relay, TRUNCATED_ETHERNET);
    uint64_t mac = big64(p) >> 16;
    bool is_group = mac >> 40 & 1;
    if (mac != interface && !is_group) return drop(relay, OTHER_HOST);
    enum failure failure = parse_frame(p, size, flow);
    if (failure != FLOW_OK) return fail(relay, failure);
    if (has_martian(flow)) return fail(relay, MARTIAN);
    uint16_t rest = checksum_rest(flow);
    if (is_group && !is_multicast(flow)) return drop(relay, OTHER_HOST);
    bool is_ipv6 = flow->flags & FLOW_IPV6;
    struct key source = make_key(flow->source_high, flow->source_low, 0, is_ipv6);
    if (look_up(&relay->own, &source, home(&relay->own, &source)).number >= 0) return drop(relay, OWN_ADDRESS);
    enum checksum checksum = CARRIED;
    if (frame_flags & 1) {
        checksum = LEFT;
    } else if (!(frame_flags & 2 && flow->udp_checksum != 0)) {
        if (flow->udp_checksum == 0) {
            checksum = is_ipv6 ? MISSING : ABSENT;
        } else {
            uint64_t start = pseudo_header(flow);
            if (folded(sum_bytes(p + flow->transport_offset, flow->udp_length, start)) != 0xffff)
                checksum = flow->udp_checksum == folded(start) ? LEFT : WRONG;
        }
    }
    struct key key = make_key(flow->destination_high, flow->destination_low, flow->destination_port, is_ipv6);
    size_t place = home(&relay->listeners, &key), payload = flow->udp_length - 8u, start = flow->transport_offset + 8u;
    __builtin_prefetch(&relay->listeners.entries[place]);
    seen->destination = key, seen->place = (uint32_t)place, seen->time = time, seen->way_count = 0;
    seen->accepted = (struct accepted){
        .rest = rest, .payload_offset = (uint16_t)start, .payload_length = (uint16_t)payload,
        .traffic_class = flow->traffic_class, .hop_limit = flow->hop_limit == 0 ? 0 : flow->hop_limit - 1,
        .checksum = (uint8_t)checksum,
    };
    if (start + payload > size) payload = size - start;
    p += start;
    struct rtp rtp;
    if (payload >= 8 && p[0] >> 6 == 2 && (p[1] & 0xe0) == 0xc0) seen->rtp = RTCP;
    else if (parse_rtp(p, payload, &rtp)) seen->rtp = big64(p), seen->ssrc = rtp.ssrc;
    else seen->rtp = OTHER;
}

// The second pass: its stream (Relay+Settle.swift).
static inline void resolve(struct relay *relay, struct seen *seen) {
    struct value found = look_up(&relay->listeners, &seen->destination, seen->place);
    if (unlikely(found.number < 0)) return seen->way_count = -1, drop(relay, NO_STREAM);
    uint8_t fixed = (uint8_t)found.stream.traits, hop_limit = fixed == 0 ? seen->accepted.hop_limit : fixed;
    if (unlikely(hop_limit == 0)) return seen->way_count = -1, drop(relay, HOP_LIMIT);
    __builtin_prefetch(&relay->pulses[found.number * SOURCES]);
    __builtin_prefetch(&relay->counters.streams[found.number]);
    if (unlikely(seen->accepted.checksum > ABSENT)) {
        if (seen->accepted.checksum != LEFT) return seen->way_count = -1, fail(relay, BAD_UDP_CHECKSUM);
        add(&relay->counters.completed, 1);
    }
    seen->accepted.slot = (uint32_t)found.number, seen->accepted.hop_limit = hop_limit;
    if (unlikely(!(found.stream.traits & 1 << 8))) seen->rtp = UNMEASURED;
    seen->first_way = found.stream.first_destination, seen->way_count = (int32_t)(found.stream.traits >> 9);
}

// The third: statistics.
static inline void note(struct relay *relay, const struct seen *seen) {
    size_t slot = seen->accepted.slot;
    struct stream_counters *counters = &relay->counters.streams[slot];
    __builtin_prefetch(&relay->ways[seen->first_way]);
    add(&counters->packets, 1);
    add(&counters->bytes, seen->accepted.payload_length);
    set(&counters->last_arrival, seen->time);
    if (unlikely(!(seen->rtp >> 63))) {
        if (seen->rtp == RTCP) add(&counters->rtcp, 1);
        if (seen->rtp == OTHER) add(&counters->not_rtp, 1);
        return;
    }
    struct rtp rtp = {
        .payload_type = (uint8_t)(seen->rtp >> 48) & 0x7f, .sequence = (uint16_t)(seen->rtp >> 32),
        .timestamp = (uint32_t)seen->rtp, .ssrc = seen->ssrc,
    };
    const struct pulse *first = &relay->pulses[slot * SOURCES];
    size_t position = slot * SOURCES + first->sent;
    struct pulse *pulse = &relay->pulses[position];
    if (unlikely(pulse->ssrc != rtp.ssrc || !advance(pulse, &rtp, seen->time)))
        note_slowly(pulse, &relay->receptions[position], &rtp, seen->time);
    // A suite's streams have one source each.
    if (unlikely(first->sent != first->shown)) abort();
    set(&counters->jitter, pulse->jitter);
}

static inline void settle(struct relay *relay, struct seen *seen, size_t count) {
    size_t refused = 0;
    for (size_t i = 0; i < count; i++)
        if (seen[i].way_count >= 0) resolve(relay, &seen[i]);
    for (size_t i = 0; i < count; i++) {
        if (unlikely(seen[i].way_count < 0)) refused++;
        else note(relay, &seen[i]);
    }
    add(&relay->counters.accepted, count - refused);
}

// MARK: rewriting (Packet+Relay.swift)

static inline bool
readdress(struct frame *frame, const struct accepted *accepted, const struct prepared *headers) {
    uint32_t start = accepted->payload_offset, payload = accepted->payload_length;
    uint32_t size = (uint32_t)prepared_count(headers);
    if (start + payload > frame->length || size > frame->offset - HEADER_SIZE + start) return false;
    frame->offset += start - size, frame->length = size + payload;
    return encode_prepared(headers, data(frame), frame->length, payload, accepted->hop_limit,
                           accepted->traffic_class, carried(headers, accepted->rest));
}

// The same of an empty frame, which becomes a copy.
static inline bool readdress_copy(struct frame *copy, const struct frame *frame, const struct accepted *accepted,
                                  const struct prepared *headers) {
    uint32_t start = accepted->payload_offset, payload = accepted->payload_length;
    uint32_t size = (uint32_t)prepared_count(headers);
    if (start + payload > frame->length || size + payload > copy->slot_size - copy->offset) return false;
    // All read before the first is written, so that neighbors go as one word.
    struct frame from = *frame;
    copy->timestamp = from.timestamp;
    copy->port = from.port, copy->queue = from.queue, copy->flags = from.flags;
    copy->length = size + payload;
    memcpy(data(copy) + size, (const uint8_t *)frame + frame->offset + start, payload);
    return encode_prepared(headers, data(copy), copy->length, payload, accepted->hop_limit,
                           accepted->traffic_class, carried(headers, accepted->rest));
}
