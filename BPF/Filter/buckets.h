/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only) */
/* Token buckets, each as one time: when it will be full again (the generic cell rate algorithm of ITU-T I.371). A packet
 * moves that time on by what it costs, and is dropped when the time is too far ahead. It is moved by an atomic
 * exchange, so a limit is exact however many CPUs receive; a packet that is dropped only reads it. */
#ifndef APUS_FILTER_BUCKETS_H
#define APUS_FILTER_BUCKETS_H

#include "maps.h"

#define APUS_SECOND (1000000000ull << APUS_FILTER_TIME_SHIFT)
static __always_inline __u64 later(__u64 a, __u64 b)
{
	return a > b ? a : b;
}

static __always_inline __u64 octet_cost(const volatile struct apus_limit *limit, __u32 octets)
{
	return limit->octet_cost * octets >> limit->octet_shift;
}

/* Moves a bucket's time on by a cost, if it is not further ahead than there is room. However many CPUs do this at once,
 * each ends after two steps at most, and their costs add up. */
static __always_inline int move_on(__u64 *time, __u64 now, __u64 room, __u64 cost)
{
	/* With a sign: a charge that is taken back from a source that began anew meanwhile leaves less than 0, which is full. */
	__u64 before = *(volatile __u64 *)time;
	__s64 ahead = before - now;

	if (ahead > (__s64)room)
		return 0;
	/* A bucket that is full; if another CPU was quicker, it no longer is. */
	if (ahead <= 0 && __sync_val_compare_and_swap(time, before, now + cost) == before)
		return 1;
	ahead = __sync_fetch_and_add(time, cost) - now;
	if (ahead <= (__s64)room)
		return 1;
	__sync_fetch_and_sub(time, cost);
	return 0;
}

/* Charges a packet to the two times of a bucket, if both have room. */
static __always_inline int charge(const volatile struct apus_limit *limit, __u32 octets, __u64 now, __u64 *packet_time,
				  __u64 *octet_time)
{
	if (limit->flags & APUS_LIMIT_PACKETS && !move_on(packet_time, now, limit->packet_room, limit->packet_cost))
		return 0;
	/* A packet that begins within the burst may end beyond it: else one that is longer could never pass. */
	if (limit->flags & APUS_LIMIT_BITS && !move_on(octet_time, now, limit->octet_room, octet_cost(limit, octets))) {
		if (limit->flags & APUS_LIMIT_PACKETS)
			__sync_fetch_and_sub(packet_time, limit->packet_cost);
		return 0;
	}
	return 1;
}

/* Takes a charge back. */
static __always_inline void discharge(const volatile struct apus_limit *limit, __u32 octets, __u64 *packet_time,
				      __u64 *octet_time)
{
	if (limit->flags & APUS_LIMIT_PACKETS)
		__sync_fetch_and_sub(packet_time, limit->packet_cost);
	if (limit->flags & APUS_LIMIT_BITS)
		__sync_fetch_and_sub(octet_time, octet_cost(limit, octets));
}

/* The bucket of a limit that has one for all. It is emptied of what another limit has left when rules are loaded. */
static __always_inline struct apus_bucket *bucket_of(const volatile struct apus_limit *limit)
{
	__u32 key = limit->number % APUS_FILTER_LIMITS;

	return bpf_map_lookup_elem(&apus_buckets, &key);
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

/* Multilinear hashing (Lemire and Kaser 2014), and a last step that mixes: its upper half is where a key's set is, and its
 * lower half the key's tag there. Two keys meet in both with a chance of 2^-32 at most, whoever chose them, as long as he
 * does not know the secret. */
static __always_inline __u64 hash(const struct apus_source_key *key)
{
	const volatile __u64 *secret = apus_rules_data.secret;
	__u64 sum = secret[0];

	sum += secret[1] * (__u32)key->address.high;
	sum += secret[2] * (key->address.high >> 32);
	sum += secret[3] * (__u32)key->address.low;
	sum += secret[4] * (key->address.low >> 32);
	sum += secret[5] * key->number;
	sum += secret[6] * key->port;
	/* Neighbors are apart by the same step each, which would fill some sets more than chance does. */
	sum ^= sum >> 32;
	return sum * 0xbf58476d1ce4e5b9ull;
}

static __always_inline __u32 set_of(__u64 hash)
{
	return (hash >> 32) * apus_rules_data.sets >> 32;
}

static __always_inline int is_same(const struct apus_source *source, const struct apus_source_key *key)
{
	return source->address.low == key->address.low && source->address.high == key->address.high &&
	       source->number == key->number && source->port == key->port;
}

/* 0 is a way that is free. */
static __always_inline __u32 tag_of(__u64 hash)
{
	return (__u32)hash ? (__u32)hash : 1;
}

/* The way that a source gets if it is free, which is where it is looked for first. */
static __always_inline __u32 first_choice(__u64 hash)
{
	return (hash & 0xffff) * APUS_FILTER_WAYS >> 16;
}

/* The way with a tag, or APUS_FILTER_WAYS. Without branches: for those without CAP_PERFMON the verifier wants a pointer
 * to be moved by a number of one kind, and on each branch it would know it. */
static __always_inline __u32 find(const struct apus_locked_set *set, __u32 tag)
{
	__u32 way = APUS_FILTER_WAYS;

#pragma unroll
	for (__u32 i = 0; i < APUS_FILTER_WAYS; i++) {
		__u32 is_it = ((__u64)(set->tags[i] ^ tag) - 1) >> 63;

		way ^= (way ^ i) * is_it;
	}
	return way;
}

/* A number by way of memory, after which the verifier knows nothing of it, however it came about: for those without
 * CAP_PERFMON it wants a pointer to be moved by numbers of one kind. Only under the lock. */
static __always_inline __u32 unknown(struct apus_locked_set *set, __u32 way)
{
	*(volatile __u32 *)&set->chosen = way;
	return *(volatile __u32 *)&set->chosen;
}

/* When the buckets of the source in a way will be full, or were. */
static __always_inline __u64 full_at(const struct apus_locked_set *set, __u32 way)
{
	return way < APUS_FILTER_WAYS ? later(set->ways[way].packet_time, set->ways[way].octet_time) : ~0ull;
}

/* The way for a source that has none: its first choice or another one that is free; else one whose buckets are full, the
 * oldest of four, or where all four have something to forget, of as many more as it takes. All ways would be as many lines
 * of memory, and a flood from random addresses comes here with each packet. A sender at its limit is not chosen while
 * others are there. */
static __always_inline __u32 choose(struct apus_locked_set *set, __u32 first, __u64 now)
{
	__u32 way;
	__u64 least;

	if (!set->tags[first])
		return first;
	way = find(set, 0);
	if (way < APUS_FILTER_WAYS)
		return way;
	way = first;
	least = full_at(set, first);
#pragma unroll
	for (__u32 i = 1; i < APUS_FILTER_WAYS; i++) {
		/* 5 and 14 have no divisor in common, so this comes by all. */
		__u32 other = unknown(set, (first + 5 * i) % APUS_FILTER_WAYS);
		__u64 full;

		if (i >= 4 && least <= now)
			break;
		full = full_at(set, other);
		if (full < least) {
			least = full;
			way = other;
		}
		way = unknown(set, way);
	}
	return way;
}

/* What happened to the table while a source came into it: reasons to count, 0 for none. */
struct apus_table_events {
	__u32 added;
	__u32 evicted;
};

/* Gives a source a way of its set, if it has none. Only this is done under the lock; whoever charges a source whose way
 * another one gets at this moment charges a packet to that one, which is all that can go wrong. Two sources of one set
 * and one tag take turns; that there are such two among a million has a chance of one in six hundred. */
static __always_inline __u32 add(struct apus_locked_set *set, const struct apus_source_key *key, __u32 tag, __u32 first,
				 __u64 now, struct apus_table_events *events)
{
	struct apus_source *source;
	__u32 way;

	bpf_spin_lock(&set->lock);
	way = unknown(set, find(set, tag));
	if (way < APUS_FILTER_WAYS && is_same(&set->ways[way], key))
		goto found;
	if (way >= APUS_FILTER_WAYS)
		way = unknown(set, choose(set, first, now));
	if (way >= APUS_FILTER_WAYS)
		goto found;
	source = &set->ways[way];
	events->added = 1;
	if (source->number)
		events->evicted = later(source->packet_time, source->octet_time) > now ? APUS_TABLE_FORGOTTEN
										     : APUS_TABLE_EVICTED;
	source->number = 0;
	source->address = key->address;
	source->port = key->port;
	source->packet_time = 0;
	source->octet_time = 0;
	source->over_time = 0;
	source->passed = 0;
	source->dropped = 0;
	/* An exchange, which is a barrier: who sees the number, which is never 0, sees the rest. */
	__sync_lock_test_and_set(&source->number, key->number);
	set->tags[way] = tag;
found:
	way = unknown(set, way);
	bpf_spin_unlock(&set->lock);
	return way;
}

/* The source that a packet is charged to; null only where the table is not what the rules say. */
static __always_inline struct apus_source *source_of(const volatile struct apus_limit *limit,
						     const struct apus_flow *flow, __u64 now, int may_add,
						     struct apus_table_events *events)
{
	struct apus_locked_set *set;
	struct apus_source_key key;
	__u32 way, first, index;
	__u64 print;

	source_key(limit, flow, &key);
	print = hash(&key);
	index = set_of(print);
	first = first_choice(print);
	/* The compiler would put this and the step from way to way into one, which the verifier can't follow. */
	asm volatile("" : "+r"(first));
	set = bpf_map_lookup_elem(&apus_sources, &index);
	if (!set || first >= APUS_FILTER_WAYS)
		return 0;
	/* Mostly one line of memory, which may be far away, is all that is looked at. */
	if (is_same(&set->ways[first], &key))
		return &set->ways[first];
	way = find(set, tag_of(print));
	asm volatile("" : "+r"(way));
	if (way < APUS_FILTER_WAYS && is_same(&set->ways[way], &key))
		return &set->ways[way];
	if (!may_add)
		return 0;
	way = add(set, &key, tag_of(print), first, now, events);
	return way < APUS_FILTER_WAYS ? &set->ways[way] : 0;
}

/* Whether the drops of a source are by now a second ahead of what is tolerated. */
static __always_inline int overruns(const volatile struct apus_limit *limit, const struct apus_flow *flow, __u64 now,
				    struct apus_source *source)
{
	__u64 over = later(source->over_time, now) + limit->over_packet_cost +
		     (limit->over_octet_cost * flow->octets >> limit->octet_shift);
	int is_over = over - now > APUS_SECOND;

	source->over_time = is_over ? 0 : over;
	return is_over;
}

#endif
