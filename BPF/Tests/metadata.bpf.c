// SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
// Numbers the frames in eight octets of metadata in front of them.
#include "redirect.h"

__u64 seen;

SEC("xdp")
int apus_metadata(struct xdp_md *ctx)
{
	__u64 *number;

	if (!is_ours(ctx))
		return XDP_PASS;
	if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*number)))
		return XDP_DROP;
	number = (void *)(long)ctx->data_meta;
	if ((void *)(number + 1) > (void *)(long)ctx->data)
		return XDP_DROP;
	*number = seen++;
	return to_socket(ctx);
}
