// The loops of Sources/bench/Ports/Loops.swift. Who includes this says what its ports are: PORT, RECEIVE, TRANSMIT, FLUSH,
// and WAITING, the packets of a port that the kernel has not taken yet.
#pragma once
#include "swap.h"

// Receives `wanted` packets and drops them. Returns how many came.
static INLINE size_t drain(PORT *port, size_t wanted) {
    adopt(port->pool);
    struct burst burst = {0};
    size_t count = 0;
    for (unsigned idle = 0; count < wanted && idle < IDLE_LIMIT;) {
        size_t received = RECEIVE(port, &burst);
        idle = received > 0 ? 0 : idle + 1;
        count += received;
        release_all(&burst);
    }
    return count;
}

// Receives `wanted` packets and answers them. Returns how many answers the kernel has taken.
static INLINE size_t echo(PORT *port, size_t wanted) {
    adopt(port->pool);
    struct burst burst = {0};
    size_t count = 0;
    for (unsigned idle = 0; count < wanted && idle < IDLE_LIMIT;) {
        size_t received = RECEIVE(port, &burst);
        idle = received > 0 ? 0 : idle + 1;
        answer_all(&burst);
        count += TRANSMIT(port, &burst);
        FLUSH(port);
    }
    return count - WAITING(port);
}

// Sends packets of `size` octets with these headers. Returns how many the kernel has taken.
static INLINE size_t fill_and_send(PORT *port, const uint8_t *headers, size_t size, size_t wanted) {
    adopt(port->pool);
    struct burst burst = {0};
    size_t count = 0;
    for (unsigned idle = 0; count < wanted && idle < IDLE_LIMIT; idle++) {
        while (burst_count(&burst) < BURST) {
            struct frame *frame = take_frame(port->pool);
            if (frame == NULL) break;
            frame->length = (uint32_t)size;
            memcpy(data(frame), headers, HEADERS);
            append(&burst, frame);
        }
        count += TRANSMIT(port, &burst);
        FLUSH(port);
    }
    return count - WAITING(port);
}
