/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only) */
/* The maps of a rules program. Those of the lists and of the table get their sizes when they are made. */
#ifndef APUS_FILTER_MAPS_H
#define APUS_FILTER_MAPS_H

#include "flow.h"

/* As filter.h has it, but with a lock that the verifier knows. */
struct apus_locked_set {
	struct bpf_spin_lock lock;
	__u32 chosen;
	__u32 tags[APUS_FILTER_WAYS];
	__s64 least;
	struct apus_source ways[APUS_FILTER_WAYS];
	__u64 after[7];
};

_Static_assert(sizeof(struct apus_locked_set) == sizeof(struct apus_set), "sets");
_Static_assert(sizeof(struct apus_set) % 64 == 0 && sizeof(struct apus_source) == 64, "lines");
_Static_assert(sizeof(struct apus_bucket) % 128 == 0, "pairs of lines");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct apus_locked_set);
} apus_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, APUS_FILTER_LIMITS);
	__type(key, __u32);
	__type(value, struct apus_bucket);
} apus_buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, APUS_REASONS);
	__type(key, __u32);
	__type(value, struct apus_count);
} apus_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, struct apus_address);
	__type(value, struct apus_ban);
} apus_bans SEC(".maps");

/* A bit for each address and network that the lists have something about, by a hash: most packets need no look at more. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} apus_list_marks SEC(".maps");

/* The same for bans. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} apus_ban_marks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct apus_address);
	__type(value, struct apus_entry);
} apus_addresses SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct apus_prefix);
	__type(value, struct apus_entry);
} apus_prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct apus_entry);
} apus_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct apus_entry);
} apus_protocols SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct apus_trial);
} apus_trials SEC(".maps");

/* The only read-only data, written before the program is loaded: the verifier knows it, and leaves out what it rules
 * out. */
const volatile struct apus_filter_rules apus_rules_data = {.version = APUS_FILTER_VERSION};

static __always_inline int uses(__u32 feature)
{
	return (apus_rules_data.features & feature) != 0;
}

/* The time of a packet, in nanoseconds. To read the clock costs more than most else here (Docs/Tried.md), so who does not
 * need it does not pay for it. */
static __always_inline __u64 clock_of(struct apus_flow *flow)
{
	if (!flow->now)
		flow->now = uses(APUS_FILTER_TICKS)
				    ? bpf_jiffies64() * apus_rules_data.tick + apus_rules_data.tick_zero
				    : bpf_ktime_get_ns();
	return flow->now;
}

#endif
