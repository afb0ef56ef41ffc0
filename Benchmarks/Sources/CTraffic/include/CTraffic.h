// The two ends of the way that forwarders are measured on, a sender and, in the kernel, a counter; a flood; and what runs
// filters on packets. The code is in Benchmarks/Traffic and compiled by run.sh.
#pragma once
#include <stddef.h>
#include <stdint.h>

// What was really offered.
struct traffic_offered {
    uint64_t packets;
    uint64_t nanoseconds; // that they took, by the clock at the first and at the last burst
    int error;            // errno of what ended it early, or 0
};

// A sender of whole frames by an interface of the calling thread's network namespace; the peer of a veth has to
// have NAPI on: an XDP program, or GRO. NULL and errno if there can't be one.
struct traffic_sender;
struct traffic_sender *traffic_open(const char *interface);
void traffic_close(struct traffic_sender *sender);

// Sends packets of `flows` flows in turn, `bursts` bursts of `burst` packets (at most 256), at `rate` packets a
// second, and returns when they are sent; by a thread in the network namespace of the interface. `frames` has one
// Ethernet frame of `size` octets with an RTP packet behind IPv4 and UDP for each of 20 flows at most, which differ
// only before octet 40 of RTP. There octets 16 to 23 are the first eight upside down and 32 to 39 are 24 to 31
// upside down: sequence numbers, timestamps and the clock (CLOCK_MONOTONIC at the beginning of the burst) are
// written into both, so that the UDP checksum stays right. `first` is the number of the first packet: sequence
// numbers go on from there. Who is late by more than a burst does not catch up.
struct traffic_offered traffic_send(struct traffic_sender *sender, const uint8_t *frames, size_t size, unsigned flows,
                                    unsigned burst, uint64_t rate, uint32_t bursts, uint64_t first);

// A counter on an interface of the calling thread's network namespace, at the tc hook, for UDP ports `first` to
// `last`: it drops what it counts. It may stay until the interface goes, when it was ended. NULL and errno if it
// can't be.
struct traffic_counter;
struct traffic_counter *traffic_count(const char *interface, uint16_t first, uint16_t last);
void traffic_count_end(struct traffic_counter *counter);

// Packets of the flows that arrived so far.
uint64_t traffic_arrived(const struct traffic_counter *counter);

// Begins to keep the next `count` frames, at most 64, and forgets those before.
void traffic_keep(struct traffic_counter *counter, unsigned count);
// The frame that was kept as number `index`; 0 octets when there is none (yet).
size_t traffic_kept(const struct traffic_counter *counter, unsigned index, const uint8_t **frame);

// Begins to write down latencies, and forgets those before; or ends it.
void traffic_time(struct traffic_counter *counter, int is_on);
// Nanoseconds from the sender's clock to the counter, `count` of them.
const uint32_t *traffic_latencies(const struct traffic_counter *counter, size_t *count);

// A sender of a flood with a stream in it, by an interface of the calling thread's network namespace, whose peer has to
// have NAPI on as with `traffic_open`. NULL and errno if there can't be one.
struct traffic_flooder;
struct traffic_flooder *traffic_flooder_open(const char *interface);
void traffic_flooder_close(struct traffic_flooder *flooder);

// What was really sent.
struct traffic_flooded {
    uint64_t streamed, flooded; // packets
    uint64_t nanoseconds;       // that both took, by the clock at the first and at the last burst
    int error;                  // errno of what ended it early, or 0
};

// Sends both at `rate` packets a second together, in `bursts` bursts of `burst` packets (at most 256): `stream_rate` a
// second have the headers of the frame `stream`, the others those of `flood`, with 0 to `sources` - 1 (65,535 at most) in
// turn as the lower half of the source address. Both are Ethernet frames of `size` octets with IPv4 and UDP, without a
// UDP checksum, and 0 is that half in `flood`. What is behind the headers is the flood's. Returns when all are sent; by a
// thread in the network namespace of the interface. Who is late by more than a burst does not catch up.
struct traffic_flooded traffic_flood(struct traffic_flooder *flooder, const uint8_t *stream, const uint8_t *flood,
                                     size_t size, unsigned sources, uint64_t stream_rate, unsigned burst,
                                     uint64_t rate, uint32_t bursts);

// The XDP program on an interface of the calling thread's network namespace: a descriptor of it, or -errno.
int traffic_program(const char *interface);

// Has the kernel run an XDP program `count` times on one frame, on this core, which what the program writes stays in; says
// what became of it the last time. errno, or 0.
int traffic_judge(int program, const uint8_t *frame, size_t size, unsigned count, unsigned *verdict);

// An XDP program that writes another IPv4 source address into the frame each time it is run, and jumps to `measured`, which
// takes frames of several buffers. It sits on an interface of the calling thread's network namespace until that goes, as
// does what is measured: each run of a program that sits on none would begin and end with the kernel patching its own code.
// The addresses are `count` from `first` on, at random (`count` at most 2^32 - 1), or each
// in its turn; first one of the two has to be said. NULL and errno if there can't be one.
struct traffic_spray;
struct traffic_spray *traffic_spray_open(const char *interface, int measured);
void traffic_spray_close(struct traffic_spray *spray);
int traffic_spray_program(const struct traffic_spray *spray);
void traffic_spray_randomly(struct traffic_spray *spray, uint32_t first, uint32_t count);
void traffic_spray_in_turn(struct traffic_spray *spray, uint32_t first, uint32_t count);

// Moves the calling thread to the network and mount namespaces of a process, for good. errno, or 0.
int traffic_enter(int pid);

// Has the calling thread run on that core only, before all that is not of real time. errno, or 0.
int traffic_lead(int core);

// The same for another thread, such as one of the kernel's.
int traffic_have_lead(int thread, int core);

// Starts a program, looked up in PATH, in a session of its own, whose processes go before others' (autogroups of
// sched(7), nice -20): in the network and mount namespaces of the process `space` unless that is 0, and on that
// core only unless it is negative. It has no descriptors but these. Its process id, or -errno.
int traffic_start(char *const words[], int space, int core, int input, int output);

// A file in memory, and a pipe, that programs do not inherit. -errno, or 0 and above.
int traffic_memory(void);
int traffic_pipe(int *read_end, int *write_end);

// Gives all UDP sockets of a process that room to receive, beyond what it may ask for itself. How many they were,
// or -errno.
int traffic_widen(int process, int octets);
