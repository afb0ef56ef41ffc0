#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include "CTraffic.h"
#include "flooding.h"
#include "program.h"

static const unsigned char object[] __attribute__((aligned(8))) = {
#embed "flooding.bpf.o"
};

struct traffic_flooder {
    struct program program;
    struct flooding *flooding;
};

struct traffic_flooder *traffic_flooder_open(const char *interface) {
    struct traffic_flooder *flooder = calloc(1, sizeof *flooder);
    if (flooder == NULL) return NULL;
    unsigned index = if_nametoindex(interface);
    int error = index == 0
                    ? errno
                    : program_load(&flooder->program, object, sizeof object, "flood_one", sizeof *flooder->flooding);
    if (error != 0) {
        free(flooder);
        errno = error;
        return NULL;
    }
    flooder->flooding = flooder->program.memory;
    flooder->flooding->interface = index;
    return flooder;
}

void traffic_flooder_close(struct traffic_flooder *flooder) {
    program_unload(&flooder->program);
    free(flooder);
}

struct traffic_flooded traffic_flood(struct traffic_flooder *flooder, const uint8_t *stream, const uint8_t *flood,
                                     size_t size, unsigned sources, uint64_t stream_rate, unsigned burst,
                                     uint64_t rate, uint32_t bursts) {
    struct flooding *flooding = flooder->flooding;
    struct traffic_flooded flooded = {0};
    if (size < flooding_head || sources == 0 || sources > 65536 || stream_rate == 0 || burst == 0 || burst > 256
        || rate == 0 || bursts == 0) {
        flooded.error = EINVAL;
        return flooded;
    }
    flooding->pacing = pacing_of(burst, rate);
    flooding->sources = sources;
    flooding->source = 0;
    flooding->step = 1000000000 / stream_rate;
    flooding->due = flooding->streamed = 0;
    memcpy(flooding->stream, stream, flooding_head);
    memcpy(flooding->flood, flood, flooding_head);
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = flood, .data_size_in = (uint32_t)size,
                .repeat = (int)(bursts * burst), .batch_size = burst, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
    flooded.error = -bpf_prog_test_run_opts(flooder->program.file, &options);
    flooded.streamed = flooding->streamed;
    flooded.flooded = (uint64_t)bursts * burst - flooded.streamed;
    flooded.nanoseconds = paced(&flooding->pacing);
    return flooded;
}
