// What the XDP program that sends is told, and what it tells: its .bss, which the kernel lets the process map.
#pragma once
#include "pacing.h"

enum {
    sending_flows = 20, // at most
    // Octets of a frame up to the end of what differs between flows and packets: Ethernet, IPv4, UDP, and of RTP
    // the header, what balances the checksum, and the clock.
    sending_head = 14 + 20 + 8 + 40,
};

struct sending {
    struct pacing pacing;
    unsigned int interface;
    unsigned int flows;
    unsigned int flow;           // of the next packet
    unsigned long long sequence; // of the next one in its flow
    unsigned char heads[sending_flows][sending_head + 6]; // of each flow's frames, a multiple of 8
};
