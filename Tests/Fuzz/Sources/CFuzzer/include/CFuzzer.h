#pragma once
#include <stddef.h>
#include <stdint.h>

/// What libFuzzer calls with each input. Returns 0.
typedef int (*fuzz_target)(const uint8_t *_Nonnull bytes, size_t count);

/// libFuzzer's own loop (compiler-rt, FuzzerInterface.h); gives back the exit code.
int LLVMFuzzerRunDriver(int *_Nonnull argc, char *_Nullable *_Nonnull *_Nonnull argv, fuzz_target _Nonnull target);

/// The function called fuzz_NAME in this program, or NULL.
fuzz_target _Nullable find_fuzz_target(const char *_Nonnull name);
