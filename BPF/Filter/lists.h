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

/* `or_any`: also where the protocol can't be told. */
static __always_inline int matches(const volatile struct apus_match *match, const struct apus_flow *flow, int or_any)
{
	if (match->has_protocol && match->protocol != flow->protocol && !(or_any && flow->may_be_any_protocol))
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
		if (matches(&apus_rules_data.management[i], flow, 0))
			return 1;
	}
	return 0;
}

static __always_inline int is_in_force(__u64 until, struct apus_flow *flow)
{
	return until == 0 || clock_of(flow) < until;
}

static __always_inline enum apus_verdict verdict_of(const struct apus_entry *entry, struct apus_flow *flow)
{
	return entry && is_in_force(entry->until, flow) ? entry->verdict : APUS_VERDICT_NONE;
}

/* Marks are numbered by multiplicative hashing (Dietzfelbinger et al. 1997) of what they are about: the address, a network,
 * or the complement of a shorter one, which may have the same bits. */
static __always_inline __u64 mark_of_address(const struct apus_flow *flow)
{
	return flow->source.high * (apus_rules_data.secret[6] | 1) + flow->source.low * (apus_rules_data.secret[7] | 1);
}

static __always_inline __u64 network_of(const struct apus_flow *flow, __u32 length4, __u32 length6)
{
	return flow->family == 4 ? flow->source.low & bpf_cpu_to_be64(~0ull << (128 - 96 - length4))
				 : flow->source.high & bpf_cpu_to_be64(~0ull << (64 - length6));
}

static __always_inline __u64 mark_of_network(const struct apus_flow *flow)
{
	return network_of(flow, APUS_MARKED_LENGTH4, APUS_MARKED_LENGTH6) * (apus_rules_data.secret[6] | 1);
}

static __always_inline __u64 mark_of_short(const struct apus_flow *flow)
{
	return ~network_of(flow, APUS_SHORT_LENGTH4, APUS_SHORT_LENGTH6) * (apus_rules_data.secret[6] | 1);
}

/* Of a hash the upper bits count, as many as there are marks. */
static __always_inline int is_marked(void *marks, __u32 shift, __u64 hash)
{
	__u64 number = hash >> (shift & 63);
	__u32 key = number >> 6;
	__u64 *word = bpf_map_lookup_elem(marks, &key);

	return word && *word >> (number & 63) & 1;
}

static __always_inline int is_listed(__u64 hash)
{
	return is_marked(&apus_list_marks, apus_rules_data.list_mark_shift, hash);
}

static __always_inline int is_banned(struct apus_flow *flow)
{
	/* Before Linux 6.4 a key has to be on the stack, not in memory that a caller lends. */
	struct apus_address source = flow->source;
	struct apus_ban *ban;

	if (!is_marked(&apus_ban_marks, apus_rules_data.ban_mark_shift, mark_of_address(flow)))
		return 0;
	ban = bpf_map_lookup_elem(&apus_bans, &source);
	return ban && clock_of(flow) < ban->until;
}

/* The longest prefix in force that the source is in. One that is over gives way to the next shorter one; so do that, and
 * a few more, as many as hardly ever are in each other and over before the next command takes them out. */
static __always_inline enum apus_verdict prefix_verdict(struct apus_flow *flow)
{
	struct apus_prefix prefix = {.length = 32 + 128, .family = flow->family};

	__builtin_memcpy(prefix.address, &flow->source, 16);
#pragma unroll
	for (int i = 0; i < APUS_FILTER_NESTED; i++) {
		struct apus_entry *entry = bpf_map_lookup_elem(&apus_prefixes, &prefix);

		if (!entry)
			break;
		if (is_in_force(entry->until, flow))
			return entry->verdict;
		prefix.length = entry->next - 1;
	}
	return APUS_VERDICT_NONE;
}

static __always_inline enum apus_verdict source_verdict(struct apus_flow *flow)
{
	enum apus_verdict verdict = APUS_VERDICT_NONE;
	struct apus_address source = flow->source;

	if (uses(APUS_FILTER_ADDRESSES) && is_listed(mark_of_address(flow)))
		verdict = verdict_of(bpf_map_lookup_elem(&apus_addresses, &source), flow);
	if (verdict == APUS_VERDICT_NONE && uses(APUS_FILTER_PREFIXES) &&
	    (is_listed(mark_of_network(flow)) || (uses(APUS_FILTER_SHORT_PREFIXES) && is_listed(mark_of_short(flow)))))
		verdict = prefix_verdict(flow);
	return verdict;
}

/* The narrowest range in force that the port is in, or the next wider one. */
static __always_inline enum apus_verdict port_verdict(__u32 kind, __u16 port, struct apus_flow *flow)
{
	__u32 key = kind << 16 | port;
	struct apus_entry *entry = bpf_map_lookup_elem(&apus_ports, &key);

	if (!entry)
		return APUS_VERDICT_NONE;
	if (is_in_force(entry->until, flow))
		return entry->verdict;
	return is_in_force(entry->next_until, flow) ? entry->next & 0xff : entry->next >> 8;
}

#endif
