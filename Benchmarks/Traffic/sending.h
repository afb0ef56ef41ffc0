// What the XDP program that sends is told, and what it tells: its .bss, which the kernel lets the process map.
#pragma once

enum {
    sending_flows = 20, // at most
    // Octets of a frame up to the end of what differs between flows and packets: Ethernet, IPv4, UDP, and of RTP
    // the header, what balances the checksum, and the clock.
    sending_head = 14 + 20 + 8 + 40,
};

struct sending {
    unsigned int interface;
    unsigned int flows;
    unsigned int burst;            // packets that are sent together
    unsigned int place;            // of the next one in its burst
    unsigned int flow;             // of the next one
    unsigned long long sequence;   // of the next one in its flow
    unsigned long long step;       // between bursts, in 2^-20 ns
    unsigned long long fraction;   // of a nanosecond, in 2^-20 ns
    unsigned long long due;        // the clock when the next burst is
    unsigned long long first;      // the clock at the first burst of all; 0 before
    unsigned long long last;       // the clock at the latest burst
    unsigned char heads[sending_flows][sending_head + 6]; // of each flow's frames, a multiple of 8
};
