// C's forwarder over ports in memory: worker.h, and the camera and screen of Sources/bench/Forward.swift.
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
    struct forward *forward = lines(sizeof *forward);
    struct worker *worker = &forward->worker;
    join_ports(&forward->camera, &worker->ports[0], setup->ring, setup->frames);
    join_ports(&worker->ports[1], &forward->screen, setup->ring, setup->frames);
    worker->ports[0].limit = setup->batch;
    worker_prepare(worker, 2, setup);
    forward->streams = setup->streams;
    forward->size = setup->size;
    forward->sequences = calloc(setup->streams, sizeof *forward->sequences);
    forward->templates = malloc(setup->streams * setup->size);
    memcpy(forward->templates, setup->templates, setup->streams * setup->size);
    return forward;
}

void forward_free(struct forward *f) {
    free_ports(&f->camera, &f->worker.ports[0]);
    free_ports(&f->worker.ports[1], &f->screen);
    worker_free(&f->worker);
    free(f->sequences), free(f->templates), free(f);
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

// Puts `count` packets into the worker's receive ring, which has the room.
void forward_fill(struct forward *f, size_t count) {
    struct burst burst = {0};
    while (count > 0) {
        for (; count > 0 && burst_count(&burst) < BURST; count--) append(&burst, next_packet(f));
        transmit(&f->camera, &burst);
    }
}

// Forwards until `wanted` packets came or a round had none. Returns how many came.
size_t forward_work(struct forward *f, size_t wanted) {
    size_t count = 0;
    for (size_t received = 1; count < wanted && received > 0; count += received) received = worker_round(&f->worker);
    return count;
}

// Takes out what was sent, and copies it to `bytes` if that is not NULL. Returns how many octets it was.
size_t forward_drain(struct forward *f, uint8_t *bytes) {
    size_t size = 0;
    struct burst burst = {0};
    for (; receive(&f->screen, &burst) > 0; release_all(&burst)) {
        for (size_t i = burst.start; i < burst.end; i++) {
            struct frame *frame = burst.frames[i];
            if (bytes != NULL) memcpy(bytes + size, data(frame), frame->length);
            size += frame->length;
        }
    }
    return size;
}

uint64_t forward_sent(const struct forward *f) { return value(&f->worker.relay.counters.sent); }
