// SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
// A flood with a stream in it. As in sending.bpf.c the kernel runs it over and over on frames of its own. When a packet
// of the stream is due it is the first of its burst; all others are the flood's, each from the next of its sources.
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include "flooding.h"
#include "pacing.bpf.h"

enum { checksum = 14 + 10, source_low = 14 + 14 };

struct flooding flooding;

static __always_inline int is_due(void)
{
    __u64 now = flooding.pacing.last;

    if (flooding.due == 0) flooding.due = now;
    if (now < flooding.due) return 0;
    flooding.due += flooding.step;
    flooding.streamed++;
    return 1;
}

SEC("xdp")
int flood_one(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
    __u16 *low = data + source_low, *check = data + checksum;

    if (data + flooding_head > end) return XDP_ABORTED;
    if (pace(&flooding.pacing) && is_due()) {
        __builtin_memcpy(data, flooding.stream, flooding_head);
    } else {
        __u32 source = flooding.source, sum;

        flooding.source = source + 1 < flooding.sources ? source + 1 : 0;
        __builtin_memcpy(data, flooding.flood, flooding_head);
        // There these 16 bits are 0.
        *low = bpf_htons(source);
        sum = (__u16)~*check + *low;
        *check = ~((sum & 0xffff) + (sum >> 16));
    }
    return bpf_redirect(flooding.interface, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
