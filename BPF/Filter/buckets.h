/* SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only) */
/* Token buckets, each as one time: when it will be full again (the generic cell rate algorithm of ITU-T I.371). A packet
 * moves that time on by what it costs, and is dropped when the time is too far ahead. It is moved by an atomic
 * exchange, so a limit is exact however many CPUs receive; a packet that is dropped only reads it. */
#ifndef APUS_FILTER_BUCKETS_H
#define APUS_FILTER_BUCKETS_H

#include "maps.h"

static __always_inline __u64 octet_cost(const volatile struct apus_limit *limit, __u32 octets)
{
	return limit->octet_cost * octets >> limit->octet_shift;
}

/* How far a bucket's time is ahead; 0 when it is full. */
static __always_inline __u64 ahead_of(__u64 time, __u64 now)
{
	return (time - now) >> APUS_FILTER_FURTHEST_BITS ? 0 : time - now;
}

/* Moves a bucket's time on by a cost, if it is not further ahead than there is room. However many CPUs do this at once,
 * each ends after two steps at most, and their costs add up. */
static __always_inline int move_on(__u64 *time, __u64 now, __u64 room, __u64 cost)
{
	__u64 before = *(volatile __u64 *)time;
	__u64 ahead = ahead_of(before, now);

	if (ahead > room)
		return 0;
	/* A bucket that is full; if another CPU was quicker, it no longer is. */
	if (!ahead && __sync_val_compare_and_swap(time, before, now + cost) == before)
		return 1;
	if (ahead_of(__sync_fetch_and_add(time, cost), now) <= room)
		return 1;
	__sync_fetch_and_sub(time, cost);
	return 0;
}

/* Charges a packet to the two times of a bucket, if both have room; else gives the kind that has none. */
static __always_inline __u32 charge(const volatile struct apus_limit *limit, __u32 octets, __u64 now, __u64 *packet_time,
				    __u64 *octet_time)
{
	if (limit->flags & APUS_LIMIT_PACKETS && !move_on(packet_time, now, limit->packet_room, limit->packet_cost))
		return APUS_LIMIT_PACKETS;
	/* A packet that begins within the burst may end beyond it: else one that is longer could never pass. */
	if (limit->flags & APUS_LIMIT_BITS && !move_on(octet_time, now, limit->octet_room, octet_cost(limit, octets))) {
		if (limit->flags & APUS_LIMIT_PACKETS)
			__sync_fetch_and_sub(packet_time, limit->packet_cost);
		return APUS_LIMIT_BITS;
	}
	return 0;
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

/* 1 for a number of less than 2^63 that is 0, and 0 for others. The compiler would make a branch of it. */
static __always_inline __u64 is_zero(__u64 number)
{
	number -= 1;
	asm volatile("" : "+r"(number));
	return number >> 63;
}

/* The larger of two numbers that are less than 2^63 apart. */
static __always_inline __u64 larger(__u64 a, __u64 b)
{
	__u64 is_less = a - b;

	asm volatile("" : "+r"(is_less));
	return a - (a - b) * (is_less >> 63);
}

/* How much a way is worth to keep. Where its buckets are full, how long they are, below 0; else how much of them is used.
 * A source of the newcomer's own limit is worth half a burst less: else many who come once to a limit that fills slowly
 * would push out the senders of one that fills fast. Without branches: the verifier follows what comes behind each, and for
 * those without CAP_PERFMON far more of it. */
static __always_inline __s64 worth(const struct apus_locked_set *set, __u32 way, __u32 number, __u64 now)
{
	const struct apus_source *source;
	__u64 packets, octets, full, used, is_full;

	if (way >= APUS_FILTER_WAYS)
		return 1ll << 62;
	source = &set->ways[way];
	packets = source->packet_time - now;
	octets = source->octet_time - now;
	full = larger(packets, octets) | 1ull << 63;
	/* As ahead_of has it. */
	packets *= is_zero(packets >> APUS_FILTER_FURTHEST_BITS);
	octets *= is_zero(octets >> APUS_FILTER_FURTHEST_BITS);
	is_full = is_zero(packets | octets);
	used = larger(packets >> (source->packet_use_shift & 63), octets >> (source->octet_use_shift & 63)) + 1 +
	       (1 - is_zero(source->number ^ number)) * (1 << (APUS_FILTER_USE_BITS - 1));
	return is_full * full + (1 - is_full) * used;
}

/* The way for a source that has none: its first choice or another one that is free; else one whose buckets are full, the
 * oldest of four, or where all four have something to forget, of as many more as it takes. All ways would be as many lines
 * of memory, and a flood from random addresses comes here with each packet. A sender at its limit is not chosen while
 * others are there. */
static __always_inline __u32 choose(struct apus_locked_set *set, __u32 first, __u32 number, __u64 now)
{
	__u32 way;

	if (!set->tags[first])
		return first;
	way = find(set, 0);
	if (way < APUS_FILTER_WAYS)
		return way;
	way = first;
	*(volatile __s64 *)&set->least = worth(set, first, number, now);
#pragma unroll
	for (__u32 i = 1; i < APUS_FILTER_WAYS; i++) {
		/* 5 and 14 have no divisor in common, so this comes by all. */
		__u32 other = unknown(set, (first + 5 * i) % APUS_FILTER_WAYS);
		/* In memory, for the same reason as ways are. */
		__s64 least = *(volatile __s64 *)&set->least;
		__s64 value;

		if (i >= 4 && least < 0)
			break;
		value = worth(set, other, number, now);
		if (value < least) {
			*(volatile __s64 *)&set->least = value;
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
static __always_inline __u32 add(struct apus_locked_set *set, const volatile struct apus_limit *limit,
				 const struct apus_source_key *key, __u32 tag, __u32 first, __u64 now,
				 struct apus_table_events *events)
{
	struct apus_source *source;
	__u32 way;

	bpf_spin_lock(&set->lock);
	way = unknown(set, find(set, tag));
	if (way < APUS_FILTER_WAYS && is_same(&set->ways[way], key))
		goto found;
	if (way >= APUS_FILTER_WAYS)
		way = unknown(set, choose(set, first, key->number, now));
	if (way >= APUS_FILTER_WAYS)
		goto found;
	source = &set->ways[way];
	events->added = 1;
	if (source->number)
		events->evicted = ahead_of(source->packet_time, now) || ahead_of(source->octet_time, now)
					  ? APUS_TABLE_FORGOTTEN
					  : APUS_TABLE_EVICTED;
	source->number = 0;
	source->address = key->address;
	source->port = key->port;
	source->packet_use_shift = limit->packet_use_shift;
	source->octet_use_shift = limit->octet_use_shift;
	source->packet_time = now;
	source->octet_time = now;
	source->over_time = now;
	source->passed = 0;
	source->dropped = 0;
	source->life++;
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
	way = add(set, limit, &key, tag_of(print), first, now, events);
	return way < APUS_FILTER_WAYS ? &set->ways[way] : 0;
}

/* Whether the drops of a source are by now further ahead of what is tolerated than they may be. */
static __always_inline int overruns(const volatile struct apus_limit *limit, const struct apus_flow *flow, __u32 refused,
				    __u64 now, struct apus_source *source)
{
	/* What the kernel has merged to more counts as this much, with which a product of both has 64 bits. */
	__u64 octets = flow->octets < APUS_LONGEST ? flow->octets : APUS_LONGEST;
	__u64 over = ahead_of(source->over_time, now) +
		     (refused == APUS_LIMIT_PACKETS ? limit->over_packet_cost
						    : limit->over_octet_cost * octets >> limit->octet_shift);
	int is_over = over > limit->over_room;

	source->over_time = is_over ? now : now + over;
	return is_over;
}

#endif
