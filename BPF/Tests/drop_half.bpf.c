// SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
// Drops every second frame.
#include "redirect.h"

__u32 seen;

SEC("xdp")
int apus_drop_half(struct xdp_md *ctx)
{
	if (!is_ours(ctx))
		return XDP_PASS;
	return seen++ & 1 ? XDP_DROP : to_socket(ctx);
}
