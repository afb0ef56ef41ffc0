// C's Packet.swapEndpoints (Sources/Apus/Packet+UDP.swift): exchanges addresses and ports of both ends.
#pragma once
#include "packet.h"

#define SWAP(a, b, load, type)                                                                               \
    do {                                                                                                     \
        type one = load(a), other = load(b);                                                                 \
        memcpy(a, &other, sizeof other);                                                                     \
        memcpy(b, &one, sizeof one);                                                                         \
    } while (0)

static void __attribute__((noinline)) complete_checksum(struct frame *frame, const struct flow *flow) {
    uint8_t *udp = data(frame) + flow->transport_offset;
    memset(udp + 6, 0, 2);
    put16(udp + 6, udp_value(sum_bytes(udp, flow->udp_length, pseudo_header(flow))));
    frame->flags &= (uint16_t)~1;
}

static inline void swap_endpoints(struct frame *frame, const struct flow *flow) {
    uint8_t *p = data(frame), *ip = p + flow->network_offset, *udp = p + flow->transport_offset;
    SWAP(p, p + 6, load32, uint32_t);
    SWAP(p + 4, p + 10, load16, uint16_t);
    if (flow->flags & FLOW_IPV6) {
        SWAP(ip + 8, ip + 24, load64, uint64_t);
        SWAP(ip + 16, ip + 32, load64, uint64_t);
    } else {
        SWAP(ip + 12, ip + 16, load32, uint32_t);
    }
    SWAP(udp, udp + 2, load16, uint16_t);
    if (unlikely(flow->udp_checksum == folded(pseudo_header(flow))) && frame->next == NULL)
        complete_checksum(frame, flow);
}

// Answers what is UDP in a burst, and drops the rest.
static inline void answer_all(struct burst *burst) {
    size_t kept = burst->start;
    for (size_t i = burst->start; i < burst->end; i++) {
        struct frame *frame = burst->frames[i];
        struct flow flow;
        if (likely(parse_frame(data(frame), frame->length, &flow) == FLOW_OK)) {
            swap_endpoints(frame, &flow);
            burst->frames[kept++] = frame;
        } else {
            release(frame);
        }
    }
    burst->end = kept;
}
