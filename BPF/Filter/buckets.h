/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only) */
/* Token buckets, each as one time: when it will be full again (the generic cell rate algorithm of ITU-T I.371). A packet
 * moves that time on by what it costs, and is dropped when the time is too far ahead. Each bucket is charged under a
 * lock, so that a limit is exact however many CPUs receive. */
#ifndef APUS_FILTER_BUCKETS_H
#define APUS_FILTER_BUCKETS_H

#include "maps.h"

#define APUS_SECOND (1000000000ull << APUS_FILTER_TIME_SHIFT)
/* The coarse time of a tag: its unit is 2^24 ns, its 20 bits last for 4.8 hours, of which a quarter is ahead. */
#define APUS_COARSE_SHIFT (24 + APUS_FILTER_TIME_SHIFT)
#define APUS_COARSE_BITS 20
#define APUS_COARSE_MASK ((1u << APUS_COARSE_BITS) - 1)
#define APUS_COARSE_AHEAD (1u << (APUS_COARSE_BITS - 2))

static __always_inline __u64 later(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

static __always_inline __u64 octet_cost(const volatile struct apus_limit *limit, __u32 octets)
{
	return limit->octet_cost * octets >> limit->octet_shift;
}

/* Charges a packet to the two times of a bucket, if both have room. */
static __always_inline int charge(const volatile struct apus_limit *limit, __u32 octets, __u64 now, __u64 *packet_time,
				  __u64 *octet_time)
{
	__u64 packets = later(*packet_time, now), bits = later(*octet_time, now);

	if (limit->flags & APUS_LIMIT_PACKETS && packets - now > limit->packet_room)
		return 0;
	/* A packet that begins within the burst may end beyond it: else one that is longer could never pass. */
	if (limit->flags & APUS_LIMIT_BITS && bits - now >= limit->octet_room)
		return 0;
	if (limit->flags & APUS_LIMIT_PACKETS)
		*packet_time = packets + limit->packet_cost;
	if (limit->flags & APUS_LIMIT_BITS)
		*octet_time = bits + octet_cost(limit, octets);
	return 1;
}

/* Takes a charge back. */
static __always_inline void discharge(const volatile struct apus_limit *limit, __u32 octets, __u64 *packet_time,
				      __u64 *octet_time)
{
	if (limit->flags & APUS_LIMIT_PACKETS)
		*packet_time -= limit->packet_cost;
	if (limit->flags & APUS_LIMIT_BITS)
		*octet_time -= octet_cost(limit, octets);
}

/* Charges a packet to a bucket for all. */
static __always_inline int charge_all(const volatile struct apus_limit *limit, const struct apus_flow *flow, __u64 now)
{
	__u32 key = limit->number % APUS_FILTER_LIMITS;
	struct apus_locked_bucket *bucket = bpf_map_lookup_elem(&apus_buckets, &key);
	int within;

	if (!bucket)
		return 1;
	bpf_spin_lock(&bucket->lock);
	/* That of a limit that is gone. */
	if (bucket->number != limit->number) {
		bucket->number = limit->number;
		bucket->packet_time = 0;
		bucket->octet_time = 0;
	}
	within = charge(limit, flow->octets, now, &bucket->packet_time, &bucket->octet_time);
	bpf_spin_unlock(&bucket->lock);
	return within;
}

static __always_inline void discharge_all(const volatile struct apus_limit *limit, const struct apus_flow *flow)
{
	__u32 key = limit->number % APUS_FILTER_LIMITS;
	struct apus_locked_bucket *bucket = bpf_map_lookup_elem(&apus_buckets, &key);

	if (!bucket)
		return;
	bpf_spin_lock(&bucket->lock);
	if (bucket->number == limit->number)
		discharge(limit, flow->octets, &bucket->packet_time, &bucket->octet_time);
	bpf_spin_unlock(&bucket->lock);
}

/* A key of the table of sources. */
struct apus_source_key {
	struct apus_address address;
	__u32 number;
	__u32 port;
};

static __always_inline void source_key(const volatile struct apus_limit *limit, const struct apus_flow *flow,
				       struct apus_source_key *key)
{
	key->number = limit->number;
	key->port = 0;
	if (limit->scope == APUS_SCOPE_SOURCE_PORT) {
		key->address = flow->source;
		key->port = flow->to_port;
	} else if (flow->family == 4) {
		key->address.high = flow->source.high & limit->mask4.high;
		key->address.low = flow->source.low & limit->mask4.low;
	} else {
		key->address.high = flow->source.high & limit->mask6.high;
		key->address.low = flow->source.low & limit->mask6.low;
	}
}

/* Multilinear hashing (Lemire and Kaser 2014): two keys meet in its upper 32 bits with a chance of 2^-32, whoever chose
 * them, as long as he does not know the secret. */
static __always_inline __u32 hash(const struct apus_source_key *key)
{
	const volatile __u64 *secret = apus_rules_data.secret;
	__u64 sum = secret[0];

	sum += secret[1] * (__u32)key->address.high;
	sum += secret[2] * (key->address.high >> 32);
	sum += secret[3] * (__u32)key->address.low;
	sum += secret[4] * (key->address.low >> 32);
	sum += secret[5] * key->number;
	sum += secret[6] * key->port;
	return sum >> 32;
}

static __always_inline __u32 set_of(__u32 hash)
{
	return (__u64)hash * apus_rules_data.sets >> 32;
}

static __always_inline int is_same(const struct apus_source *source, const struct apus_source_key *key)
{
	return source->address.low == key->address.low && source->address.high == key->address.high &&
	       source->number == key->number && source->port == key->port;
}

/* What of a hash is in a tag. 0 is a way that is free. */
static __always_inline __u32 print_of(__u32 hash)
{
	__u32 print = hash & 0xfff;

	return print ? print : 1;
}

static __always_inline __u32 tag_of(__u32 print, __u64 full)
{
	return print << APUS_COARSE_BITS | (full >> APUS_COARSE_SHIFT & APUS_COARSE_MASK);
}

/* The way of a source, or APUS_FILTER_WAYS. */
static __always_inline __u32 find(const struct apus_locked_set *set, const struct apus_source_key *key, __u32 print)
{
	__u32 way = APUS_FILTER_WAYS;

#pragma unroll
	for (__u32 i = 0; i < APUS_FILTER_WAYS; i++)
		if (set->tags[i] >> APUS_COARSE_BITS == print)
			way = i;
	if (way < APUS_FILTER_WAYS && !is_same(&set->ways[way], key)) {
		/* Two of one tag. */
		for (way = 0; way < APUS_FILTER_WAYS; way++)
			if (is_same(&set->ways[way], key) && set->tags[way])
				break;
	}
	return way;
}

/* The way whose buckets will be full, or were, before those of all others: the one with the least to forget, which a
 * sender at its limit never is while others are there. */
static __always_inline __u32 choose(const struct apus_locked_set *set, __u64 now)
{
	__u32 ahead = (now >> APUS_COARSE_SHIFT) + APUS_COARSE_AHEAD, way = 0, most = 0;

#pragma unroll
	for (__u32 i = 0; i < APUS_FILTER_WAYS; i++) {
		__u32 tag = set->tags[i];
		__u32 age = tag ? ((ahead - tag) & APUS_COARSE_MASK) + 1 : ~0u;

		if (age > most) {
			most = age;
			way = i;
		}
	}
	return way;
}

enum apus_charge {
	APUS_CHARGE_REFUSED,
	APUS_CHARGE_WITHIN,
	APUS_CHARGE_OVERRUN, /* refused, and to be banned */
};

/* What happened to the table while a source was charged: reasons to count, 0 for none. */
struct apus_table_events {
	__u32 added;
	__u32 evicted;
};

/* Charges a packet to the bucket of its source. */
static __always_inline enum apus_charge charge_source(const volatile struct apus_limit *limit,
						      const struct apus_flow *flow, __u64 now,
						      struct apus_table_events *events)
{
	struct apus_locked_set *set;
	struct apus_source_key key;
	struct apus_source *source;
	enum apus_charge result;
	__u32 way, print, index;

	source_key(limit, flow, &key);
	print = hash(&key);
	index = set_of(print);
	print = print_of(print);
	set = bpf_map_lookup_elem(&apus_sources, &index);
	if (!set)
		return APUS_CHARGE_WITHIN;
	bpf_spin_lock(&set->lock);
	way = find(set, &key, print);
	if (way >= APUS_FILTER_WAYS) {
		way = choose(set, now);
		if (way >= APUS_FILTER_WAYS)
			way = 0;
		source = &set->ways[way];
		events->added = 1;
		if (set->tags[way])
			events->evicted = later(source->packet_time, source->octet_time) > now ? APUS_TABLE_FORGOTTEN
											     : APUS_TABLE_EVICTED;
		source->address = key.address;
		source->number = key.number;
		source->port = key.port;
		source->packet_time = 0;
		source->octet_time = 0;
		source->over_time = 0;
		source->octets = 0;
		source->packets = 0;
		source->dropped = 0;
	}
	source = &set->ways[way];
	if (charge(limit, flow->octets, now, &source->packet_time, &source->octet_time)) {
		source->packets++;
		source->octets += flow->octets;
		result = APUS_CHARGE_WITHIN;
	} else {
		source->dropped++;
		result = APUS_CHARGE_REFUSED;
		if (limit->flags & APUS_LIMIT_BAN) {
			__u64 over = later(source->over_time, now) + limit->over_packet_cost +
				     (limit->over_octet_cost * flow->octets >> limit->octet_shift);

			source->over_time = over;
			if (over - now > APUS_SECOND) {
				source->over_time = 0;
				result = APUS_CHARGE_OVERRUN;
			}
		}
	}
	set->tags[way] = tag_of(print, later(later(source->packet_time, source->octet_time), now));
	bpf_spin_unlock(&set->lock);
	return result;
}

/* Takes back what a limit has charged, since one behind it refused the packet. */
static __always_inline void discharge_source(const volatile struct apus_limit *limit, const struct apus_flow *flow)
{
	struct apus_locked_set *set;
	struct apus_source_key key;
	__u32 print, index, way;

	source_key(limit, flow, &key);
	print = hash(&key);
	index = set_of(print);
	set = bpf_map_lookup_elem(&apus_sources, &index);
	if (!set)
		return;
	bpf_spin_lock(&set->lock);
	way = find(set, &key, print_of(print));
	/* Another may have taken its place meanwhile. */
	if (way < APUS_FILTER_WAYS) {
		struct apus_source *source = &set->ways[way];

		discharge(limit, flow->octets, &source->packet_time, &source->octet_time);
		source->packets--;
		source->octets -= flow->octets;
		source->dropped++;
	}
	bpf_spin_unlock(&set->lock);
}

#endif
