// What the BPF program at the end of the way writes down, and what the process that attached it reads: the
// program's .bss, which the kernel lets the process map.
#pragma once

enum {
    arrivals_kept = 64,           // of frames, as they came
    arrivals_frame = 1514,        // octets of each
    arrivals_latencies = 1 << 19, // packets whose latency is kept; more are only counted
    // In an Ethernet frame with IPv4 and UDP: where the RTP payload begins that the sender's clock stands in.
    arrivals_clock = 14 + 20 + 8 + 24,
};

struct arrivals {
    unsigned long long count;             // packets of the flows
    unsigned long long others;            // frames that are none: left to the kernel
    unsigned int keep;                    // how many frames shall be kept, arrivals_kept at most
    unsigned int kept;                    // how many were
    unsigned int is_timing;               // whether latencies are written down
    unsigned int timed;                   // how many were
    unsigned short first_port, last_port; // UDP ports of the flows, in the order of the host
    unsigned int lengths[arrivals_kept];
    unsigned char frames[arrivals_kept][arrivals_frame + 6];
    // Nanoseconds from the sender's clock to here, 2^32 - 1 for four seconds and more.
    unsigned int latencies[arrivals_latencies];
};
