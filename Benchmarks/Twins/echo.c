// The loop of Sources/bench/Echo.swift: receive, parse to UDP, exchange the addresses, transmit.
#include "packet.h"

struct echo {
    struct port first, second;
};

struct echo *echo_make(const uint8_t *bytes, size_t size, size_t packets) {
    struct echo *echo = calloc(1, sizeof *echo);
    join_ports(&echo->first, &echo->second, 256, 512);
    for (size_t i = 0; i < packets; i++) {
        struct burst burst = {0};
        struct frame *frame = take_frame(echo->first.pool);
        memcpy(data(frame), bytes, size);
        frame->length = (uint32_t)size;
        append(&burst, frame);
        transmit(&echo->first, &burst);
    }
    return echo;
}

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

static inline size_t answer(struct port *port, struct burst *burst) {
    if (receive(port, burst) == 0) return 0;
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
    return transmit(port, burst);
}

// Lets each end answer what is there, in turn; returns how many packets were answered.
size_t echo_run(struct echo *echo, size_t bursts, size_t repeats) {
    size_t count = 0;
    struct burst burst = {0};
    for (size_t round = 0; round < repeats; round++) {
        for (size_t i = 0; i < bursts; i++) count += answer(&echo->second, &burst);
        for (size_t i = 0; i < bursts; i++) count += answer(&echo->first, &burst);
    }
    return count;
}
