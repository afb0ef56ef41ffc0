/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only) */
/* What the tests' programs share: they take the frames that the tests sent, by the source address
 * 02:00:00:00:00:09, and leave the rest to the kernel. */
#ifndef APUS_TEST_REDIRECT_H
#define APUS_TEST_REDIRECT_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

static __always_inline int is_ours(struct xdp_md *ctx)
{
	__u8 *frame = (void *)(long)ctx->data;

	if (frame + 14 > (__u8 *)(long)ctx->data_end)
		return 0;
	return frame[6] == 2 && frame[11] == 9;
}

static __always_inline int to_socket(struct xdp_md *ctx)
{
	return bpf_redirect_map(&sockets, ctx->rx_queue_index, XDP_DROP);
}

char _license[] SEC("license") = "Dual BSD/GPL";

#endif
