// SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
// Cuts frames at their end; how much is set before it is loaded.
#include "redirect.h"

const volatile __u32 octets = 0;

SEC("xdp")
int apus_shrink(struct xdp_md *ctx)
{
	if (!is_ours(ctx))
		return XDP_PASS;
	if (bpf_xdp_adjust_tail(ctx, -(int)octets))
		return XDP_DROP;
	return to_socket(ctx);
}
