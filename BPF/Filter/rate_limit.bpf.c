// SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
// The rules in force: judges each packet by lists and token buckets. filter_entry.bpf.c, which stays on the interface
// while rules come and go, jumps here.
#include "buckets.h"
#include "lists.h"
#include <xdp/xdp_helpers.h>

static __always_inline void count(__u32 reason, __u32 octets)
{
	struct apus_count *counter = bpf_map_lookup_elem(&apus_counts, &reason);

	if (counter) {
		counter->packets += 1;
		counter->octets += octets;
	}
}

static __always_inline void ban(const volatile struct apus_limit *limit, const struct apus_flow *flow)
{
	struct apus_ban ban = {.until = flow->now + limit->ban, .number = limit->number};
	struct apus_address source = flow->source;
	__u64 number = mark_of_address(flow) >> (apus_rules_data.ban_mark_shift & 63);
	__u32 key = number >> 6;
	__u64 *marks = bpf_map_lookup_elem(&apus_ban_marks, &key);

	if (!marks || bpf_map_update_elem(&apus_bans, &source, &ban, BPF_ANY) != 0)
		return;
	__sync_fetch_and_or(marks, 1ull << (number & 63));
	count(APUS_TABLE_BANNED, flow->octets);
}

/* The functions that are not static the verifier looks at once each, for whatever they may be called with, and not once for
 * each way that leads there, which would be too many for many limits, or without CAP_PERFMON. A call takes 9 ns where the
 * processor's returns have to be guarded, so there is a program without calls as well. */

/* Parses a frame; `flow` is all zeros but for the octets. */
__attribute__((noinline)) int apus_parse(struct xdp_md *ctx, struct apus_flow *flow)
{
	if (!flow)
		return APUS_KIND_MALFORMED;
	return apus_parse_flow(ctx, flow);
}

/* What a limit has to do with a packet. Bits, so that a loop over limits has no branches for the verifier to follow; in
 * those above 8 is the place of the limit. */
enum apus_step {
	APUS_STEP_APART = 0, /* it does not apply */
	APUS_STEP_REFUSED = 1,
	APUS_STEP_WITHIN = 3,
	APUS_STEP_PLACE = 8,
};

/* Charges a packet to one limit, if that applies. */
static __always_inline int charge_to(struct apus_flow *flow, __u32 index)
{
	const volatile struct apus_limit *limit;
	__u64 now;
	__u32 refused;
	struct apus_table_events events = {};
	struct apus_source *source;

	if (!flow || index >= APUS_FILTER_LIMITS)
		return APUS_STEP_APART;
	limit = &apus_rules_data.limits[index];
	if (limit->scope == APUS_SCOPE_SOURCE_PORT && !flow->has_ports)
		return APUS_STEP_APART;
	if (limit->flags & APUS_LIMIT_SERVICE && !matches(&limit->service, flow, 1))
		return APUS_STEP_APART;
	now = clock_of(flow) << APUS_FILTER_TIME_SHIFT;
	if (limit->scope == APUS_SCOPE_ALL) {
		struct apus_bucket *bucket = bucket_of(limit);

		if (bucket && charge(limit, flow->octets, now, &bucket->packet_time, &bucket->octet_time))
			return APUS_STEP_REFUSED | limit->number % APUS_FILTER_LIMITS << APUS_STEP_PLACE;
		return APUS_STEP_WITHIN;
	}
	source = source_of(limit, flow, now, 1, &events);
	if (!source)
		return APUS_STEP_APART;
	if (events.added)
		count(APUS_TABLE_ADDED, flow->octets);
	if (events.evicted)
		count(events.evicted, flow->octets);
	refused = charge(limit, flow->octets, now, &source->packet_time, &source->octet_time);
	if (refused) {
		__sync_fetch_and_add(&source->dropped, 1);
		if (limit->flags & APUS_LIMIT_BAN && overruns(limit, flow, refused, now, source))
			ban(limit, flow);
		return APUS_STEP_REFUSED | limit->number % APUS_FILTER_LIMITS << APUS_STEP_PLACE;
	}
	__sync_fetch_and_add(&source->passed, (1ull << APUS_PASSED_SHIFT) + flow->octets);
	return APUS_STEP_WITHIN;
}

__attribute__((noinline)) int apus_charge(struct apus_flow *flow, __u32 index)
{
	return charge_to(flow, index);
}

/* Takes the charge of one limit back, if it has a bit in `charged`. */
__attribute__((noinline)) int apus_discharge(const struct apus_flow *flow, __u32 index, __u32 charged)
{
	const volatile struct apus_limit *limit;

	if (!flow || index >= APUS_FILTER_LIMITS || !(charged >> index & 1))
		return 0;
	limit = &apus_rules_data.limits[index];
	if (limit->scope == APUS_SCOPE_ALL) {
		struct apus_bucket *bucket = bucket_of(limit);

		if (bucket)
			discharge(limit, flow->octets, &bucket->packet_time, &bucket->octet_time);
	} else {
		struct apus_source *source = source_of(limit, flow, 0, 0, 0);

		/* Another may have got its way meanwhile. */
		if (!source)
			return 0;
		discharge(limit, flow->octets, &source->packet_time, &source->octet_time);
		__sync_fetch_and_sub(&source->passed, (1ull << APUS_PASSED_SHIFT) + flow->octets);
		__sync_fetch_and_add(&source->dropped, 1);
	}
	return 0;
}

/* Takes the charges of all limits back that have a bit in `charged`. */
__attribute__((noinline)) int apus_discharge_all(const struct apus_flow *flow, __u32 charged)
{
	if (!flow)
		return 0;
#pragma unroll
	for (__u32 i = 0; i < APUS_FILTER_LIMITS; i++) {
		if (i >= apus_rules_data.limit_count)
			break;
		apus_discharge(flow, i, charged);
	}
	return 0;
}

/* The reason that a packet is dropped for, of a step that refused it. A function, even one that is always inlined, would
 * have the compiler arrange the whole program anew. */
#define APUS_REFUSAL(step) (APUS_DROP_LIMIT + ((step) >> APUS_STEP_PLACE) % APUS_FILTER_LIMITS)

/* Charges the packet to the one limit there is. */
static __always_inline __u32 limit_once(struct apus_flow *flow, __u32 *applied)
{
	__u32 step = apus_rules_data.limit_count ? charge_to(flow, 0) : APUS_STEP_APART;

	*applied = step & 1;
	return (step & 3) == APUS_STEP_REFUSED ? APUS_REFUSAL(step) : APUS_PASS_WITHIN;
}

/* Charges the packet to all limits that apply; when one refuses it, takes the charges back. */
static __always_inline __u32 limit(struct apus_flow *flow, __u32 *applied)
{
	__u32 charged = 0;

#pragma unroll
	for (__u32 i = 0; i < APUS_FILTER_LIMITS; i++) {
		__u32 step;

		if (i >= apus_rules_data.limit_count)
			break;
		step = apus_charge(flow, i);
		*applied |= (step & 1) << i;
		if ((step & 3) == APUS_STEP_REFUSED) {
			if (charged)
				apus_discharge_all(flow, charged);
			return APUS_REFUSAL(step);
		}
		charged |= (step >> 1 & 1) << i;
	}
	return APUS_PASS_WITHIN;
}

/* What the lists say; APUS_REASONS when it is for the limits to say. */
static __always_inline __u32 judge_lists(struct apus_flow *flow)
{
	enum apus_verdict verdict;
	int is_udp;

	is_udp = flow->protocol == IPPROTO_UDP;
	if (is_management(flow))
		return APUS_PASS_MANAGEMENT;
	if (uses(APUS_FILTER_BANS) && is_banned(flow))
		return APUS_DROP_BANNED;
	verdict = source_verdict(flow);
	if (verdict == APUS_VERDICT_DENY)
		return APUS_DROP_SOURCE;
	if (verdict == APUS_VERDICT_ALLOW)
		return APUS_PASS_SOURCE;
	if (flow->is_fragment && uses(APUS_FILTER_DENY_FRAGMENTS))
		return APUS_DROP_FRAGMENT;
	if (flow->is_fragment && uses(APUS_FILTER_ALLOW_FRAGMENTS))
		return APUS_PASS_FRAGMENT;
	if (verdict != APUS_VERDICT_NONE)
		return APUS_REASONS;
	if (flow->has_ports && uses(APUS_FILTER_PORTS)) {
		verdict = port_verdict(APUS_PORT_TCP + is_udp, flow->to_port, flow);
		if (verdict == APUS_VERDICT_DENY)
			return APUS_DROP_PORT;
		if (verdict != APUS_VERDICT_NONE)
			return APUS_REASONS;
	}
	if (flow->has_ports && uses(APUS_FILTER_SOURCE_PORTS)) {
		verdict = port_verdict(APUS_PORT_FROM_TCP + is_udp, flow->from_port, flow);
		if (verdict == APUS_VERDICT_DENY)
			return APUS_DROP_SOURCE_PORT;
		if (verdict != APUS_VERDICT_NONE)
			return APUS_REASONS;
	}
	if (uses(APUS_FILTER_PROTOCOLS)) {
		__u32 key = flow->protocol;

		verdict = verdict_of(bpf_map_lookup_elem(&apus_protocols, &key), flow);
		if (verdict == APUS_VERDICT_DENY)
			return APUS_DROP_PROTOCOL;
		if (verdict != APUS_VERDICT_NONE)
			return APUS_REASONS;
	}
	return uses(APUS_FILTER_DENY) ? APUS_DROP_POLICY : APUS_REASONS;
}

__attribute__((noinline)) __u32 apus_judge_lists(struct apus_flow *flow)
{
	return flow ? judge_lists(flow) : APUS_REASONS;
}

static __always_inline __u32 judge(struct xdp_md *ctx, struct apus_flow *flow, __u32 *applied, int without_calls)
{
	__u32 reason;

	switch (without_calls ? apus_parse_flow(ctx, flow) : apus_parse(ctx, flow)) {
	case APUS_KIND_IP:
		break;
	case APUS_KIND_NEIGHBOR:
		if (!uses(APUS_FILTER_LIMIT_NEIGHBORS))
			return APUS_PASS_NEIGHBOR;
		break;
	case APUS_KIND_ARP:
		if (!uses(APUS_FILTER_LIMIT_NEIGHBORS))
			return APUS_PASS_NEIGHBOR;
		goto limits;
	case APUS_KIND_NOT_IP:
		if (uses(APUS_FILTER_DENY_NOT_IP))
			return APUS_DROP_NOT_IP;
		return APUS_PASS_NOT_IP;
	default:
		return uses(APUS_FILTER_DENY_MALFORMED) ? APUS_DROP_MALFORMED : APUS_PASS_MALFORMED;
	}
	reason = without_calls ? judge_lists(flow) : apus_judge_lists(flow);
	if (reason != APUS_REASONS)
		return reason;
limits:
	return without_calls ? limit_once(flow, applied) : limit(flow, applied);
}

static __always_inline int filter(struct xdp_md *ctx, int without_calls)
{
	struct apus_flow flow = {};
	struct apus_trial *trial = 0;
	__u32 reason, applied = 0, zero = 0;

	if (uses(APUS_FILTER_TRIAL)) {
		trial = bpf_map_lookup_elem(&apus_trials, &zero);
		if (!trial)
			return XDP_ABORTED;
		flow.now = trial->now;
	}
	flow.octets = uses(APUS_FILTER_ONE_BUFFER) ? (__u32)(ctx->data_end - ctx->data) : bpf_xdp_get_buff_len(ctx);
	reason = judge(ctx, &flow, &applied, without_calls);
	count(reason, flow.octets);
	if (trial) {
		trial->reason = reason;
		trial->applied = applied;
	}
	if (uses(APUS_FILTER_DRY_RUN))
		return XDP_PASS;
	return reason <= APUS_PASS_MALFORMED ? XDP_PASS : XDP_DROP;
}

/* For any rules. */
SEC("xdp")
int apus_filter_rules(struct xdp_md *ctx)
{
	return filter(ctx, 0);
}

/* For rules with one limit or none and few services of management. It takes CAP_PERFMON to load. */
SEC("xdp")
int apus_filter_few(struct xdp_md *ctx)
{
	return filter(ctx, 1);
}

char _license[] SEC("license") = "Dual BSD/GPL";
