// C's forwarder over ports in memory: worker.h, and the loop of Sources/bench/Forward.swift.
#include "packet.h"

#define PORT struct port
#define RECEIVE receive
#define TRANSMIT transmit
#define FLUSH(port) ((void)(port))
#include "worker.h"

struct forward {
    struct worker worker;
    struct port camera, screen;
    uint8_t *templates;
    size_t size, streams, next;
    uint16_t *sequences;
};

struct forward *forward_make(const struct forward_setup *setup) {
    struct forward *forward = calloc(1, sizeof *forward);
    struct worker *worker = &forward->worker;
    join_ports(&forward->camera, &worker->ports[0], setup->ring, setup->frames);
    join_ports(&worker->ports[1], &forward->screen, setup->ring, setup->frames);
    worker_prepare(worker, 2, setup);
    forward->streams = setup->streams;
    forward->size = setup->size;
    forward->sequences = calloc(setup->streams, sizeof *forward->sequences);
    forward->templates = malloc(setup->streams * setup->size);
    memcpy(forward->templates, setup->templates, setup->streams * setup->size);
    return forward;
}

// The camera: a packet of the next stream. The second half of the payload's head is the first upside down, which
// adds nothing to the checksum, so that it stays right.
static inline struct frame *next_packet(struct forward *f) {
    struct frame *frame = take_frame(f->camera.pool);
    if (frame == NULL) abort();
    size_t stream = f->next;
    f->next = stream + 1 == f->streams ? 0 : stream + 1;
    uint16_t sequence = f->sequences[stream]++;
    frame->length = (uint32_t)f->size;
    memcpy(data(frame), f->templates + stream * f->size, f->size);
    uint64_t head = (uint64_t)2 << 62 | (uint64_t)sequence << 32 | (uint32_t)sequence * 160u;
    put64(data(frame) + 42, head);
    put64(data(frame) + 42 + 16, ~head);
    return frame;
}

// Sends `bursts` bursts of `batch` packets, lets the worker work and takes out what comes, `repeats` times.
// Returns how many packets went in.
size_t forward_run(struct forward *f, size_t batch, size_t bursts, size_t repeats) {
    size_t count = 0;
    struct burst burst = {0};
    for (size_t round = 0; round < repeats; round++) {
        for (size_t i = 0; i < bursts; i++) {
            while (burst_count(&burst) < batch) append(&burst, next_packet(f));
            count += transmit(&f->camera, &burst);
        }
        while (worker_round(&f->worker) > 0) {}
        while (receive(&f->screen, &burst) > 0) release_all(&burst);
    }
    return count;
}

uint64_t forward_sent(const struct forward *f) { return value(&f->worker.relay.counters.sent); }

// Sends one packet; writes what comes of it to `bytes`, which has the room, and returns how many octets.
size_t forward_one(struct forward *f, uint8_t *bytes) {
    size_t size = 0;
    struct burst burst = {0};
    append(&burst, next_packet(f));
    transmit(&f->camera, &burst);
    worker_round(&f->worker);
    receive(&f->screen, &burst);
    for (struct frame *frame; (frame = pop_first(&burst)) != NULL; release(frame)) {
        memcpy(bytes + size, data(frame), frame->length);
        size += frame->length;
    }
    return size;
}
