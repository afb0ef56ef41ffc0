// The loop of Sources/bench/Echo.swift: receive, parse to UDP, exchange the addresses, transmit.
#include "swap.h"

struct echo {
    struct port first, second;
};

struct echo *echo_make(const uint8_t *bytes, size_t size, size_t packets) {
    struct echo *echo = lines(sizeof *echo);
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

void echo_free(struct echo *echo) {
    free_ports(&echo->first, &echo->second);
    free(echo);
}

static inline size_t answer(struct port *port, struct burst *burst) {
    if (receive(port, burst) == 0) return 0;
    answer_all(burst);
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
