// A BPF program with one .bss, loaded, and that memory mapped.
#pragma once
#include <bpf/libbpf.h>
#include <stddef.h>

struct program {
    struct bpf_object *object;
    int file;     // of the program
    void *memory; // its .bss
    size_t size;  // of that
};

// 0, or errno; then nothing is left of it.
int program_load(struct program *program, const void *object, size_t object_size, const char *name, size_t memory);
void program_unload(struct program *program);
