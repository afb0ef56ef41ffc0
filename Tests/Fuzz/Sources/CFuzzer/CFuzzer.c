#define _GNU_SOURCE
#include "CFuzzer.h"
#include <dlfcn.h>
#include <stdio.h>

fuzz_target find_fuzz_target(const char *name) {
    char symbol[256];
    int length = snprintf(symbol, sizeof symbol, "fuzz_%s", name);
    if (length < 0 || (size_t)length >= sizeof symbol) return NULL;
    return (fuzz_target)dlsym(RTLD_DEFAULT, symbol);
}
