// The clock of who sends in bursts: what a BPF program is told, and what it tells.
#pragma once

struct pacing {
    unsigned int burst;          // packets that are sent together
    unsigned int place;          // of the next one in its burst
    unsigned long long step;     // between bursts, in 2^-20 ns
    unsigned long long fraction; // of a nanosecond, in 2^-20 ns
    unsigned long long due;      // the clock when the next burst is
    unsigned long long first;    // the clock at the first burst of all; 0 before
    unsigned long long last;     // the clock at the latest burst
};

// Bursts at a rate in packets a second, of which none was sent yet.
static inline struct pacing pacing_of(unsigned int burst, unsigned long long rate) {
    return (struct pacing){.burst = burst, .step = (burst * 1000000000ull << 20) / rate};
}

// The nanoseconds that it took, from the first burst to where the one behind the last would be.
static inline unsigned long long paced(const struct pacing *pacing) {
    return pacing->last - pacing->first + (pacing->step >> 20);
}
