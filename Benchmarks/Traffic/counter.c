#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <unistd.h>
#include "CTraffic.h"
#include "arrivals.h"
#include "program.h"

static const unsigned char object[] __attribute__((aligned(8))) = {
#embed "arrivals.bpf.o"
};

// BPF_TCX_INGRESS of Linux 6.6, which older headers do not know.
enum { tcx_ingress = 46 };

struct traffic_counter {
    struct program program;
    int link; // of tcx, or -1
    volatile struct arrivals *arrivals;
};

// 0, or an error number.
static int attach(struct traffic_counter *counter, int interface) {
    counter->link = bpf_link_create(counter->program.file, interface, tcx_ingress, NULL);
    if (counter->link >= 0) return 0;
    // Before Linux 6.6 by a classifier, which costs a little more.
    LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = interface, .attach_point = BPF_TC_INGRESS);
    LIBBPF_OPTS(bpf_tc_opts, options, .prog_fd = counter->program.file);
    int error = -bpf_tc_hook_create(&hook);
    return error != 0 ? error : -bpf_tc_attach(&hook, &options);
}

struct traffic_counter *traffic_count(const char *interface, uint16_t first, uint16_t last) {
    struct traffic_counter *counter = calloc(1, sizeof *counter);
    if (counter == NULL) return NULL;
    int error = program_load(&counter->program, object, sizeof object, "arrive", sizeof *counter->arrivals);
    if (error == 0) {
        counter->arrivals = counter->program.memory;
        counter->arrivals->first_port = first;
        counter->arrivals->last_port = last;
        error = attach(counter, (int)if_nametoindex(interface));
        if (error == 0) return counter;
        program_unload(&counter->program);
    }
    free(counter);
    errno = error;
    return NULL;
}

void traffic_count_end(struct traffic_counter *counter) {
    if (counter->link >= 0) close(counter->link);
    program_unload(&counter->program);
    free(counter);
}

uint64_t traffic_arrived(const struct traffic_counter *counter) { return counter->arrivals->count; }

void traffic_keep(struct traffic_counter *counter, unsigned count) {
    counter->arrivals->keep = 0;
    counter->arrivals->kept = 0;
    counter->arrivals->keep = count < arrivals_kept ? count : arrivals_kept;
}

size_t traffic_kept(const struct traffic_counter *counter, unsigned index, const uint8_t **frame) {
    if (index >= arrivals_kept || index >= counter->arrivals->kept) return 0;
    *frame = (const uint8_t *)counter->arrivals->frames[index];
    return counter->arrivals->lengths[index];
}

void traffic_time(struct traffic_counter *counter, int is_on) {
    if (is_on) counter->arrivals->timed = 0;
    counter->arrivals->is_timing = is_on != 0;
}

const uint32_t *traffic_latencies(const struct traffic_counter *counter, size_t *count) {
    *count = counter->arrivals->timed;
    return (const uint32_t *)counter->arrivals->latencies;
}
