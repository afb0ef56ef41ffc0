// C's headers of a destination, laid out and summed: the algorithm of Sources/ApusWire/Flow/PreparedHeaders.swift.
#pragma once
#include <stdlib.h>

#include "flow.h"

struct prepared {
    uint16_t endpoint_sum, network_sum;
    bool is_ipv6;
    uint8_t link_length;
    uint64_t link_first, link_last, first, second, third, ports, fourth, fifth, link_middle;
};

static void prepare(struct prepared *p, const struct encapsulation *e) {
    uint8_t link[24] = {0};
    *p = (struct prepared){.is_ipv6 = e->is_ipv6, .link_length = (uint8_t)(14 + e->tags.count * 4)};
    p->ports = (uint64_t)e->source_port << 48 | (uint64_t)e->destination_port << 32;
    put64(link, e->next_hop << 16 | e->interface >> 32), put32(link + 8, (uint32_t)e->interface);
    // No destination of the suite is tagged.
    if (e->tags.count > 0) abort();
    put16(link + 12, e->is_ipv6 ? 0x86dd : 0x0800);
    p->link_first = load64(link), p->link_middle = load64(link + 8), p->link_last = load64(link + p->link_length - 8);
    uint64_t sum = plus(__builtin_bswap64(e->source_high), __builtin_bswap64(e->source_low));
    sum = plus(plus(sum, __builtin_bswap64(e->destination_high)), __builtin_bswap64(e->destination_low));
    p->endpoint_sum = folded(plus(sum, __builtin_bswap32((uint32_t)(p->ports >> 32))));
    if (e->is_ipv6) {
        p->first = 6ull << 60 | (uint64_t)e->flow_label << 32 | 17 << 8;
        p->second = __builtin_bswap64(e->source_high), p->third = __builtin_bswap64(e->source_low);
        p->fourth = __builtin_bswap64(e->destination_high), p->fifth = __builtin_bswap64(e->destination_low);
    } else {
        p->first = 0x45ull << 56 | 0x4000;
        p->second = 17ull << 48 | e->source_low;
        p->third = __builtin_bswap64(e->destination_low << 32 | p->ports >> 32);
        sum = plus(__builtin_bswap64(p->first), __builtin_bswap64(p->second));
        p->network_sum = folded(plus(sum, __builtin_bswap64(e->destination_low)));
    }
}

static inline size_t prepared_count(const struct prepared *h) { return h->link_length + (h->is_ipv6 ? 48u : 28u); }

static INLINE bool encode_prepared(const struct prepared *h, uint8_t *p, size_t room, size_t payload,
                                   uint8_t hop_limit, uint8_t traffic_class, uint16_t checksum) {
    if (room < prepared_count(h) || payload > (h->is_ipv6 ? 65527 : 65507)) return false;
    uint64_t udp = payload + 8;
    memcpy(p, &h->link_first, 8);
    if (h->link_length > 14) memcpy(p + 8, &h->link_middle, 8);
    memcpy(p + h->link_length - 8, &h->link_last, 8);
    p += h->link_length;
    if (h->is_ipv6) {
        put64(p, h->first | (uint64_t)traffic_class << 52 | udp << 16 | hop_limit);
        memcpy(p + 8, &h->second, 8), memcpy(p + 16, &h->third, 8);
        memcpy(p + 24, &h->fourth, 8), memcpy(p + 32, &h->fifth, 8);
        put64(p + 40, h->ports | udp << 16 | checksum);
    } else {
        uint64_t length = udp + 20;
        uint32_t sum = h->network_sum + traffic_class + (uint32_t)length + ((uint32_t)hop_limit << 8);
        sum = (sum & 0xffff) + (sum >> 16);
        uint16_t field = (uint16_t) ~(sum + (sum >> 16));
        put64(p, h->first | (uint64_t)traffic_class << 48 | length << 32);
        put64(p + 8, h->second | (uint64_t)hop_limit << 56 | (uint64_t)field << 32);
        memcpy(p + 16, &h->third, 8);
        put32(p + 24, (uint32_t)udp << 16 | checksum);
    }
    return true;
}

static inline uint16_t carried(const struct prepared *h, uint16_t rest) {
    uint32_t sum = (uint32_t)rest + h->endpoint_sum;
    uint16_t value = (uint16_t)((sum & 0xffff) + (sum >> 16));
    return value == 0xffff ? 0xffff : (uint16_t)~value;
}
