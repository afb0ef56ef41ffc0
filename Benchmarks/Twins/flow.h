// C's FlowHeaders, UDPEncapsulation and RTPHeader: the checks of Sources/ApusWire/Flow and RTP in their order.
//
// What no packet of the suites has is refused in one branch, where Apus calls a function: IPv4 options, IPv6
// extension headers.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "CTwins.h"

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)
// Where clang does not inline by itself, and it is faster if it does.
#define INLINE inline __attribute__((always_inline))

static inline uint16_t load16(const uint8_t *p) { uint16_t v; memcpy(&v, p, 2); return v; }
static inline uint32_t load32(const uint8_t *p) { uint32_t v; memcpy(&v, p, 4); return v; }
static inline uint64_t load64(const uint8_t *p) { uint64_t v; memcpy(&v, p, 8); return v; }
static inline uint16_t big16(const uint8_t *p) { return __builtin_bswap16(load16(p)); }
static inline uint32_t big32(const uint8_t *p) { return __builtin_bswap32(load32(p)); }
static inline uint64_t big64(const uint8_t *p) { return __builtin_bswap64(load64(p)); }
static inline void put16(uint8_t *p, uint16_t v) { v = __builtin_bswap16(v); memcpy(p, &v, 2); }
static inline void put32(uint8_t *p, uint32_t v) { v = __builtin_bswap32(v); memcpy(p, &v, 4); }
static inline void put64(uint8_t *p, uint64_t v) { v = __builtin_bswap64(v); memcpy(p, &v, 8); }

// The Internet checksum, summed in the machine's byte order.
static inline uint64_t plus(uint64_t a, uint64_t b) {
    uint64_t sum;
    bool carry = __builtin_add_overflow(a, b, &sum);
    return sum + carry;
}

static inline uint16_t folded(uint64_t sum) {
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return __builtin_bswap16((uint16_t)sum);
}

static inline uint16_t udp_value(uint64_t sum) {
    uint16_t value = folded(sum);
    return value == 0xffff ? 0xffff : (uint16_t)~value;
}

static inline uint64_t sum_bytes(const uint8_t *p, size_t count, uint64_t a) {
    uint64_t b = 0, rest = 0;
    unsigned shift = 0;
    for (; count >= 32; p += 32, count -= 32) {
        a = plus(a, load64(p));
        b = plus(b, load64(p + 8));
        a = plus(a, load64(p + 16));
        b = plus(b, load64(p + 24));
    }
    a = plus(a, b);
    for (; count >= 8; p += 8, count -= 8) a = plus(a, load64(p));
    if (count >= 4) { rest = load32(p); p += 4; count -= 4; shift = 32; }
    if (count >= 2) { rest |= (uint64_t)load16(p) << shift; p += 2; count -= 2; shift += 16; }
    if (count == 1) rest |= (uint64_t)*p << shift;
    return plus(a, rest);
}

static INLINE uint64_t pseudo_header(const struct flow *f) {
    if (f->flags & FLOW_IPV6) {
        uint64_t sum = __builtin_bswap16(17) + (uint64_t)__builtin_bswap32(f->udp_length);
        sum = plus(plus(sum, __builtin_bswap64(f->source_high)), __builtin_bswap64(f->source_low));
        return plus(plus(sum, __builtin_bswap64(f->destination_high)), __builtin_bswap64(f->destination_low));
    }
    return (uint64_t)__builtin_bswap32((uint32_t)f->source_low) + __builtin_bswap32((uint32_t)f->destination_low)
        + __builtin_bswap16(17) + __builtin_bswap16(f->udp_length);
}

enum failure {
    FLOW_OK, TRUNCATED_ETHERNET, TOO_MANY_TAGS, NOT_IP, TRUNCATED_IP, BAD_VERSION, BAD_HEADER_LENGTH,
    BAD_TOTAL_LENGTH, BAD_HEADER_CHECKSUM, FRAGMENT, NOT_UDP, NOT_IN_A_SUITE, TRUNCATED_UDP, BAD_UDP_LENGTH,
    BAD_UDP_CHECKSUM, MARTIAN, FAILURES
};

static enum failure __attribute__((noinline))
parse_tags(const uint8_t *p, size_t size, uint16_t *type, struct tags *tags) {
    if (size < 18) return TRUNCATED_ETHERNET;
    *tags = (struct tags){.count = 1, .first_type = *type, .first = big16(p + 14)};
    *type = big16(p + 16);
    if (*type != 0x8100 && *type != 0x88a8) return FLOW_OK;
    if (size < 22) return TRUNCATED_ETHERNET;
    tags->count = 2, tags->second_type = *type, tags->second = big16(p + 18);
    *type = big16(p + 20);
    return *type == 0x8100 || *type == 0x88a8 ? TOO_MANY_TAGS : FLOW_OK;
}

static inline enum failure parse_udp(const uint8_t *p, size_t size, struct flow *f) {
    if (size < 8) return TRUNCATED_UDP;
    uint16_t length = big16(p + 4);
    if (length < 8 || length > size) return BAD_UDP_LENGTH;
    f->source_port = big16(p);
    f->destination_port = big16(p + 2);
    f->udp_length = length;
    f->udp_checksum = big16(p + 6);
    return FLOW_OK;
}

static inline enum failure parse_ipv4(const uint8_t *p, size_t size, size_t offset, struct flow *f) {
    if (size < 20) return TRUNCATED_IP;
    if (p[0] >> 4 != 4) return BAD_VERSION;
    size_t header = (p[0] & 0xf) * 4u, total = big16(p + 2);
    if (header < 20) return BAD_HEADER_LENGTH;
    if (total < header) return BAD_TOTAL_LENGTH;
    if (total > size) return TRUNCATED_IP;
    if (unlikely(header > 20)) return NOT_IN_A_SUITE;
    uint64_t a = load64(p), b = load64(p + 8);
    uint64_t sum = (a & 0xffffffff) + (a >> 32) + (b & 0xffffffff) + (b >> 32) + load32(p + 16);
    if (folded(sum) != 0xffff) return BAD_HEADER_CHECKSUM;
    uint16_t fragment = big16(p + 6);
    if (fragment & 0x3fff) return FRAGMENT;
    if (p[9] != 17) return NOT_UDP;
    enum failure failure = parse_udp(p + 20, total - 20, f);
    if (failure) return failure;
    f->source_high = 0, f->source_low = big32(p + 12);
    f->destination_high = 0, f->destination_low = big32(p + 16);
    f->network_offset = (uint16_t)offset;
    f->transport_offset = (uint16_t)(offset + 20);
    f->hop_limit = p[8], f->traffic_class = p[1];
    f->flags = fragment & 0x4000 ? FLOW_DONT_FRAGMENT : 0;
    return FLOW_OK;
}

static inline enum failure parse_ipv6(const uint8_t *p, size_t size, size_t offset, struct flow *f) {
    if (size < 40) return TRUNCATED_IP;
    if (p[0] >> 4 != 6) return BAD_VERSION;
    size_t length = big16(p + 4);
    if (length > size - 40) return TRUNCATED_IP;
    if (unlikely(p[6] != 17)) return NOT_IN_A_SUITE;
    enum failure failure = parse_udp(p + 40, length, f);
    if (failure) return failure;
    f->source_high = big64(p + 8), f->source_low = big64(p + 16);
    f->destination_high = big64(p + 24), f->destination_low = big64(p + 32);
    f->network_offset = (uint16_t)offset;
    f->transport_offset = (uint16_t)(offset + 40);
    f->hop_limit = p[7], f->traffic_class = (uint8_t)(big16(p) >> 4);
    f->flags = FLOW_IPV6 | FLOW_DONT_FRAGMENT;
    return FLOW_OK;
}

static inline enum failure parse_frame(const uint8_t *p, size_t size, struct flow *f) {
    if (size < 14) return TRUNCATED_ETHERNET;
    uint16_t type = big16(p + 12);
    f->tags = (struct tags){0};
    if (unlikely(type == 0x8100 || type == 0x88a8)) {
        enum failure failure = parse_tags(p, size, &type, &f->tags);
        if (failure) return failure;
    }
    size_t offset = 14 + f->tags.count * 4u;
    if (type == 0x0800) return parse_ipv4(p + offset, size - offset, offset, f);
    if (type == 0x86dd) return parse_ipv6(p + offset, size - offset, offset, f);
    return NOT_IP;
}

// The fixed header, and that CSRC list and extension are all there.
static inline bool parse_rtp(const uint8_t *p, size_t size, struct rtp *rtp) {
    if (size < 12) return false;
    uint64_t word = big64(p);
    if (word >> 62 != 2) return false;
    if (unlikely(word & 0x1f00000000000000)) {
        size_t offset = 12 + (p[0] & 0xf) * 4u;
        if (offset > size) return false;
        if (p[0] & 0x10 && (size - offset < 4 || size - offset - 4 < big16(p + offset + 2) * 4u)) return false;
    }
    rtp->payload_type = (uint8_t)(word >> 48) & 0x7f;
    rtp->marker = (word & 0x80000000000000) != 0;
    rtp->sequence = (uint16_t)(word >> 32);
    rtp->timestamp = (uint32_t)word;
    rtp->ssrc = big32(p + 8);
    return true;
}

static inline size_t header_count(const struct encapsulation *e) {
    return 14 + e->tags.count * 4u + (e->is_ipv6 ? 48 : 28);
}

static inline bool
encode_headers(const struct encapsulation *e, uint8_t *p, size_t room, size_t payload, uint16_t checksum) {
    if (room < header_count(e) || payload > (e->is_ipv6 ? 65527 : 65507)) return false;
    uint16_t udp = (uint16_t)(payload + 8);
    put32(p, (uint32_t)(e->next_hop >> 16)), put16(p + 4, (uint16_t)e->next_hop);
    put32(p + 6, (uint32_t)(e->interface >> 16)), put16(p + 10, (uint16_t)e->interface);
    p += 12;
    if (e->tags.count > 0) put16(p, e->tags.first_type), put16(p + 2, e->tags.first), p += 4;
    if (e->tags.count > 1) put16(p, e->tags.second_type), put16(p + 2, e->tags.second), p += 4;
    put16(p, e->is_ipv6 ? 0x86dd : 0x0800);
    p += 2;
    if (e->is_ipv6) {
        uint32_t first = 6u << 28 | (uint32_t)e->traffic_class << 20 | e->flow_label;
        put64(p, (uint64_t)first << 32 | (uint32_t)udp << 16 | 17 << 8 | e->hop_limit);
        put64(p + 8, e->source_high), put64(p + 16, e->source_low);
        put64(p + 24, e->destination_high), put64(p + 32, e->destination_low);
        p += 40;
    } else {
        uint32_t source = (uint32_t)e->source_low, destination = (uint32_t)e->destination_low;
        uint32_t first = 0x45u << 24 | (uint32_t)e->traffic_class << 16 | (uint16_t)(udp + 20);
        uint32_t second = 0x4000, third = (uint32_t)e->hop_limit << 24 | 17 << 16;
        uint64_t sum = (uint64_t)first + second + third + source + destination;
        // Summed as numbers, not as they lie in memory: the fold is swapped back.
        uint16_t field = (uint16_t)~__builtin_bswap16(folded(sum));
        put64(p, (uint64_t)first << 32 | second);
        put64(p + 8, (uint64_t)(third | field) << 32 | source);
        put32(p + 16, destination);
        p += 20;
    }
    put64(p, (uint64_t)e->source_port << 48 | (uint64_t)e->destination_port << 32 | (uint64_t)udp << 16 | checksum);
    return true;
}

static inline bool encode_rtp(const struct rtp *rtp, uint8_t *p, size_t room) {
    if (room < 12) return false;
    uint32_t second = (rtp->payload_type & 0x7f) | (rtp->marker ? 0x80u : 0);
    put64(p, (uint64_t)(0x80000000 | second << 16 | rtp->sequence) << 32 | rtp->timestamp);
    put32(p + 8, rtp->ssrc);
    return true;
}
