// What the XDP program that floods is told, and what it tells: its .bss, which the kernel lets the process map.
#pragma once
#include "pacing.h"

enum { flooding_head = 14 + 20 + 8 }; // octets of a frame's headers: Ethernet, IPv4, UDP

struct flooding {
    struct pacing pacing; // of both together
    unsigned int interface;
    unsigned int sources; // of the flood, 65,536 at most
    unsigned int source;  // of the flood's next packet
    unsigned long long step;    // between packets of the stream, in nanoseconds
    unsigned long long due;     // the clock when its next one is; 0 before the first
    unsigned long long streamed; // packets of the stream that were sent
    unsigned char stream[flooding_head + 6], flood[flooding_head + 6]; // headers, a multiple of 8
};
