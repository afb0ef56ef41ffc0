#include <errno.h>
#include <sys/mman.h>
#include "program.h"

int program_load(struct program *program, const void *object, size_t object_size, const char *name, size_t memory) {
    *program = (struct program){.size = memory};
    program->object = bpf_object__open_mem(object, object_size, NULL);
    if (program->object == NULL) return errno;
    int error = -bpf_object__load(program->object);
    if (error == 0) {
        struct bpf_map *map = bpf_object__find_map_by_name(program->object, ".bss");
        struct bpf_program *found = bpf_object__find_program_by_name(program->object, name);
        program->file = found ? bpf_program__fd(found) : -1;
        program->memory = map ? mmap(NULL, memory, PROT_READ | PROT_WRITE, MAP_SHARED, bpf_map__fd(map), 0) : NULL;
        if (program->memory == MAP_FAILED) error = errno;
        else if (map == NULL || found == NULL) error = EINVAL;
    }
    if (error != 0) bpf_object__close(program->object);
    return error;
}

void program_unload(struct program *program) {
    munmap(program->memory, program->size);
    bpf_object__close(program->object);
}
