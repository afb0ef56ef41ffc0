// What the XDP program that changes addresses is told: its .bss, which the kernel lets the process map.
#pragma once

// Source addresses from `first` on, by a linear congruential generator whose upper bits choose one of `count`.
struct spray {
    unsigned long long state, multiplier, increment;
    unsigned int first; // in the order of the host
    unsigned int count;
};
