#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdlib.h>
#include "CTraffic.h"
#include "program.h"
#include "spray.h"

static const unsigned char object[] __attribute__((aligned(8))) = {
#embed "spray.bpf.o"
};

int traffic_program(const char *interface) {
    LIBBPF_OPTS(bpf_xdp_query_opts, found);
    int index = (int)if_nametoindex(interface);
    if (index == 0) return -errno;
    int error = bpf_xdp_query(index, 0, &found);
    if (error != 0) return error;
    // An interface without one has number 0.
    return found.prog_id == 0 ? -ENOENT : bpf_prog_get_fd_by_id(found.prog_id);
}

int traffic_judge(int program, const uint8_t *frame, size_t size, unsigned count, unsigned *verdict) {
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = (uint32_t)size, .repeat = (int)count);
    int error = -bpf_prog_test_run_opts(program, &options);
    *verdict = options.retval;
    return error;
}

struct traffic_spray {
    struct program program;
    struct spray *spray;
};

// On an interface, since the kernel patches its code whenever one that is on none is run, which takes milliseconds.
static int attach(const struct traffic_spray *spray, const char *interface) {
    int index = (int)if_nametoindex(interface);
    return index == 0 ? errno : -bpf_xdp_attach(index, spray->program.file, XDP_FLAGS_DRV_MODE, NULL);
}

struct traffic_spray *traffic_spray_open(const char *interface, int measured) {
    struct traffic_spray *spray = calloc(1, sizeof *spray);
    if (spray == NULL) return NULL;
    int error = program_load(&spray->program, object, sizeof object, "spray_one", sizeof *spray->spray);
    if (error == 0) {
        unsigned slot = 0;
        int map = bpf_object__find_map_fd_by_name(spray->program.object, "measured");
        error = -bpf_map_update_elem(map, &slot, &measured, BPF_ANY);
        if (error == 0) error = attach(spray, interface);
        if (error != 0) program_unload(&spray->program);
    }
    if (error != 0) {
        free(spray);
        errno = error;
        return NULL;
    }
    spray->spray = spray->program.memory;
    return spray;
}

void traffic_spray_close(struct traffic_spray *spray) {
    program_unload(&spray->program);
    free(spray);
}

int traffic_spray_program(const struct traffic_spray *spray) { return spray->program.file; }

void traffic_spray_randomly(struct traffic_spray *spray, uint32_t first, uint32_t count) {
    // Knuth's MMIX: of full period, so that its upper 32 bits take each value equally often.
    *spray->spray = (struct spray){.state = first, .multiplier = 6364136223846793005, .increment = 1442695040888963407,
                                   .first = first, .count = count};
}

void traffic_spray_in_turn(struct traffic_spray *spray, uint32_t first, uint32_t count) {
    // The state goes once around while each has its turn; from half a step, so that rounding skips none.
    uint64_t step = count > 1 ? UINT64_MAX / count + 1 : 0;
    *spray->spray = (struct spray){.state = step / 2, .multiplier = 1, .increment = step, .first = first, .count = count};
}
