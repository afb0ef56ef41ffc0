#pragma once
#include <stdint.h>

/// How many times the program, or any library in it, has asked for heap memory so far.
uint64_t allocation_count(void);
