// C's worker of the forwarder: the algorithm of ApusRuntime's ForwardWorker over relay.h. Who includes this says what its ports are:
// PORT, RECEIVE, TRANSMIT and FLUSH.
//
// What no packet of the suite does aborts here, where Apus goes on: loss, reordering, a second source of a stream,
// dynamic payload types, unresolved next hops, listeners at any address.
#pragma once
#include <time.h>

#include "relay.h"

// MARK: worker (ForwardWorker.swift)

struct worker {
    // How many ports there are is known when it is started, not when it is compiled.
    size_t count;
    PORT ports[2];
    struct burst outgoing[2], incoming;
    struct seen seen[BURST];
    int interface_of_port[2], port_of_interface[2];
    uint64_t macs[2];
    struct relay relay;
};

static inline void send_by(struct worker *worker, int port) {
    if (burst_count(&worker->outgoing[port]) > 0) TRANSMIT(&worker->ports[port], &worker->outgoing[port]);
    FLUSH(&worker->ports[port]);
}

static inline void lose(struct worker *worker, struct frame *frame, size_t slot, enum drop reason) {
    drop(&worker->relay, reason);
    add(&worker->relay.counters.streams[slot].dropped, 1);
    if (frame != NULL) release(frame);
}

// The port by which a packet leaves on a way.
static inline int port_for(const struct worker *worker, const struct accepted *accepted, const struct way *way) {
    if (accepted->payload_length > way->maximum_payload) return -1;
    return worker->port_of_interface[way->interface];
}

// Whether a port takes one more, after it has sent what it can if there was no room.
static inline bool has_room(struct worker *worker, int port) {
    if (burst_count(&worker->outgoing[port]) < BURST) return true;
    send_by(worker, port);
    return burst_count(&worker->outgoing[port]) < BURST;
}

// Packets handed to a port, to be counted together.
struct sent {
    uint64_t packets, bytes;
};

static inline struct sent put(struct worker *worker, struct frame *frame, int port) {
    append(&worker->outgoing[port], frame);
    return (struct sent){1, frame->length};
}

static INLINE struct sent
send_one(struct worker *worker, struct frame *frame, const struct accepted *accepted, const struct way *way) {
    int port = port_for(worker, accepted, way);
    // Further segments, a checksum to be computed, or none at all, come in no suite.
    if (unlikely(port < 0 || frame->next != NULL || accepted->checksum != CARRIED)) abort();
    if (!readdress(frame, accepted, &way->headers))
        return lose(worker, frame, accepted->slot, TOO_LONG), (struct sent){0};
    if (!has_room(worker, port)) return lose(worker, frame, accepted->slot, RING_FULL), (struct sent){0};
    return put(worker, frame, port);
}

static INLINE struct sent
send_copy(struct worker *worker, const struct frame *frame, const struct accepted *accepted, const struct way *way) {
    int port = port_for(worker, accepted, way);
    if (unlikely(port < 0 || frame->next != NULL || accepted->checksum != CARRIED)) abort();
    if (!has_room(worker, port)) return lose(worker, NULL, accepted->slot, RING_FULL), (struct sent){0};
    struct frame *copy = take_frame(worker->ports[port].pool);
    if (copy == NULL) return lose(worker, NULL, accepted->slot, POOL_EMPTY), (struct sent){0};
    if (!readdress_copy(copy, frame, accepted, &way->headers))
        return lose(worker, copy, accepted->slot, TOO_LONG), (struct sent){0};
    return put(worker, copy, port);
}

// Copies on all ways but the first.
static inline void send_copies(struct worker *worker, const struct frame *frame, const struct seen *seen) {
    const struct way *ways = &worker->relay.ways[seen->first_way];
    struct sent sent = {0};
    for (int i = seen->way_count - 1; i > 0; i--) {
        struct sent one = send_copy(worker, frame, &seen->accepted, &ways[i]);
        sent.packets += one.packets, sent.bytes += one.bytes;
    }
    struct counters *counters = &worker->relay.counters;
    add(&counters->streams[seen->accepted.slot].sent, sent.packets);
    add(&counters->sent, sent.packets), add(&counters->sent_bytes, sent.bytes);
}

static inline size_t poll_port(struct worker *worker, int port) {
    size_t received = RECEIVE(&worker->ports[port], &worker->incoming), bytes = 0;
    if (received == 0) return 0;
    uint64_t mac = worker->macs[worker->interface_of_port[port]];
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    uint64_t now = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
    struct burst *incoming = &worker->incoming;
    size_t count = burst_count(incoming);
    for (size_t i = 0; i < count; i++) {
        struct frame *frame = incoming->frames[incoming->start + i];
        if (unlikely(frame->next != NULL)) abort();
        look(&worker->relay, data(frame), frame->length, mac, frame->flags,
             frame->timestamp != 0 ? frame->timestamp : now, &worker->seen[i]);
        bytes += frame->length;
    }
    add(&worker->relay.counters.received, count);
    add(&worker->relay.counters.received_bytes, bytes);
    settle(&worker->relay, worker->seen, count);
    struct sent sent = {0};
    uint64_t copies = 0;
    const struct seen *seen = worker->seen;
    for (struct frame *frame; (frame = pop_first(incoming)) != NULL; seen++) {
        if (unlikely(seen->way_count < 0)) {
            release(frame);
            continue;
        }
        copies += (uint64_t)seen->way_count;
        if (seen->way_count > 1) send_copies(worker, frame, seen);
        if (unlikely(seen->way_count == 0)) {
            release(frame);
            continue;
        }
        struct sent one = send_one(worker, frame, &seen->accepted, &worker->relay.ways[seen->first_way]);
        add(&worker->relay.counters.streams[seen->accepted.slot].sent, one.packets);
        sent.packets += one.packets, sent.bytes += one.bytes;
    }
    struct counters *counters = &worker->relay.counters;
    add(&counters->copies, copies), add(&counters->sent, sent.packets), add(&counters->sent_bytes, sent.bytes);
    return received;
}

static __attribute__((noinline)) size_t worker_round(struct worker *worker) {
    size_t received = 0;
    for (size_t port = 0; port < worker->count; port++) received += poll_port(worker, (int)port);
    for (size_t port = 0; port < worker->count; port++) send_by(worker, (int)port);
    return received;
}

// Gives it its streams, which leave by the last of so many ports.
static void worker_prepare(struct worker *worker, size_t ports, const struct forward_setup *setup) {
    struct relay *relay = &worker->relay;
    worker->count = ports;
    for (int i = 0; i < 2; i++) worker->interface_of_port[i] = worker->port_of_interface[i] = i;
    worker->macs[0] = setup->macs[0], worker->macs[1] = setup->macs[1];
    relay->listeners = make_index(setup->streams);
    relay->own = make_index(2);
    for (int i = 0; i < 2; i++) insert(&relay->own, setup->own[i], 0, 0, (struct stream){0});
    relay->ways = lines(setup->streams * setup->fan_out * sizeof *relay->ways);
    relay->pulses = lines(setup->streams * SOURCES * sizeof *relay->pulses);
    relay->receptions = lines(setup->streams * SOURCES * sizeof *relay->receptions);
    relay->counters.streams = lines(setup->streams * sizeof *relay->counters.streams);
    for (size_t i = 0; i < setup->streams; i++) {
        struct stream stream = {(int32_t)(i * setup->fan_out), (uint32_t)setup->fan_out << 9 | 1 << 8};
        insert(&relay->listeners, setup->listen, (uint16_t)(setup->first_port + i), (int)i, stream);
        for (size_t j = 0; j < SOURCES; j++) relay->pulses[i * SOURCES + j].payload_type = UINT8_MAX;
    }
    for (size_t i = 0; i < setup->streams * setup->fan_out; i++) {
        struct way *way = &relay->ways[i];
        prepare(&way->headers, &setup->destinations[i]);
        way->interface = (int32_t)ports - 1, way->maximum_payload = 1514 - (int32_t)prepared_count(&way->headers);
    }
}

// Frees what worker_prepare made.
static void __attribute__((unused)) worker_free(struct worker *worker) {
    struct relay *relay = &worker->relay;
    free(relay->listeners.entries), free(relay->own.entries);
    free(relay->ways), free(relay->pulses), free(relay->receptions), free(relay->counters.streams);
}
