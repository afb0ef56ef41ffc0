/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only) */
/* Who is allowed and denied: management, bans and the lists. */
#ifndef APUS_FILTER_LISTS_H
#define APUS_FILTER_LISTS_H

#include "maps.h"

static __always_inline int is_in(const struct apus_address *address, const volatile struct apus_address *prefix,
				 const volatile struct apus_address *mask)
{
	return (address->low & mask->low) == prefix->low && (address->high & mask->high) == prefix->high;
}

static __always_inline int matches(const volatile struct apus_match *match, const struct apus_flow *flow)
{
	if (match->has_protocol && match->protocol != flow->protocol)
		return 0;
	if (match->has_ports &&
	    (!flow->has_ports || flow->to_port < match->first_port || flow->to_port > match->last_port))
		return 0;
	if (match->family && match->family != flow->family)
		return 0;
	return is_in(&flow->destination, &match->destination, &match->destination_mask) &&
	       is_in(&flow->source, &match->source, &match->source_mask);
}

static __always_inline int is_management(const struct apus_flow *flow)
{
	for (__u32 i = 0; i < APUS_FILTER_SERVICES; i++) {
		if (i >= apus_rules_data.management_count)
			break;
		if (matches(&apus_rules_data.management[i], flow))
			return 1;
	}
	return 0;
}

static __always_inline enum apus_verdict verdict_of(const struct apus_entry *entry, struct apus_flow *flow)
{
	return entry && (entry->until == 0 || clock_of(flow) < entry->until) ? entry->verdict : APUS_VERDICT_NONE;
}

static __always_inline int is_banned(struct apus_flow *flow)
{
	/* Before Linux 6.4 a key has to be on the stack, not in memory that a caller lends. */
	struct apus_address source = flow->source;
	struct apus_ban *ban = bpf_map_lookup_elem(&apus_bans, &source);

	return ban && clock_of(flow) < ban->until;
}

/* The longest prefix that the source is in; one that is over gives way to nothing shorter. */
static __always_inline enum apus_verdict source_verdict(struct apus_flow *flow)
{
	enum apus_verdict verdict = APUS_VERDICT_NONE;
	struct apus_address source = flow->source;

	if (uses(APUS_FILTER_ADDRESSES))
		verdict = verdict_of(bpf_map_lookup_elem(&apus_addresses, &source), flow);
	if (verdict == APUS_VERDICT_NONE && uses(APUS_FILTER_PREFIXES)) {
		struct apus_prefix prefix = {.length = 32 + 128, .family = flow->family};

		__builtin_memcpy(prefix.address, &flow->source, 16);
		verdict = verdict_of(bpf_map_lookup_elem(&apus_prefixes, &prefix), flow);
	}
	return verdict;
}

static __always_inline enum apus_verdict port_verdict(__u32 kind, __u16 port, struct apus_flow *flow)
{
	__u32 key = kind << 16 | port;

	return verdict_of(bpf_map_lookup_elem(&apus_ports, &key), flow);
}

#endif
