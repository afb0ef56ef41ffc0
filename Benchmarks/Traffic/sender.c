#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include "CTraffic.h"
#include "program.h"
#include "sending.h"

static const unsigned char object[] __attribute__((aligned(8))) = {
#embed "sending.bpf.o"
};

struct traffic_sender {
    struct program program;
    struct sending *sending;
};

struct traffic_sender *traffic_open(const char *interface) {
    struct traffic_sender *sender = calloc(1, sizeof *sender);
    if (sender == NULL) return NULL;
    unsigned index = if_nametoindex(interface);
    int error = index == 0 ? errno
                           : program_load(&sender->program, object, sizeof object, "send_one", sizeof *sender->sending);
    if (error != 0) {
        free(sender);
        errno = error;
        return NULL;
    }
    sender->sending = sender->program.memory;
    sender->sending->interface = index;
    return sender;
}

void traffic_close(struct traffic_sender *sender) {
    program_unload(&sender->program);
    free(sender);
}

struct traffic_offered traffic_send(struct traffic_sender *sender, const uint8_t *frames, size_t size, unsigned flows,
                                    unsigned burst, uint64_t rate, uint32_t bursts, uint64_t first) {
    struct sending *sending = sender->sending;
    struct traffic_offered offered = {0};
    if (flows == 0 || flows > sending_flows || burst == 0 || burst > 256 || rate == 0 || bursts == 0
        || size < sending_head + 6) {
        offered.error = EINVAL;
        return offered;
    }
    sending->flows = flows;
    sending->flow = (unsigned)(first % flows);
    sending->sequence = first / flows;
    sending->pacing = pacing_of(burst, rate);
    for (unsigned flow = 0; flow < flows; flow++) memcpy(sending->heads[flow], frames + flow * size, sending_head);
    LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frames, .data_size_in = (uint32_t)size,
                .repeat = (int)(bursts * burst), .batch_size = burst, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
    offered.error = -bpf_prog_test_run_opts(sender->program.file, &options);
    offered.packets = (uint64_t)bursts * burst;
    offered.nanoseconds = paced(&sending->pacing);
    return offered;
}
