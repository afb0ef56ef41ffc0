// The rules and maps of the filter's programs. Swift sees C arrays as tuples, so their elements are set here.
#pragma once
#include "../../../BPF/Filter/filter.h"

static inline void apus_filter_set_secret(struct apus_filter_rules *rules, unsigned index, __u64 secret) {
    if (index < sizeof(rules->secret) / sizeof(*rules->secret))
        rules->secret[index] = secret;
}

/// Appends one; nothing happens when there is no room.
static inline void apus_filter_add_management(struct apus_filter_rules *rules, struct apus_match match) {
    if (rules->management_count < APUS_FILTER_SERVICES)
        rules->management[rules->management_count++] = match;
}

/// Appends one; nothing happens when there is no room.
static inline void apus_filter_add_limit(struct apus_filter_rules *rules, struct apus_limit limit) {
    if (rules->limit_count < APUS_FILTER_LIMITS)
        rules->limits[rules->limit_count++] = limit;
}

/// One of them.
static inline struct apus_limit apus_filter_limit(const struct apus_filter_rules *rules, unsigned index) {
    return rules->limits[index % APUS_FILTER_LIMITS];
}

/// A way of a set, and its tag, which is 0 where the way is free.
static inline struct apus_source apus_filter_way(const struct apus_set *set, unsigned way) {
    return set->ways[way % APUS_FILTER_WAYS];
}

static inline __u32 apus_filter_tag(const struct apus_set *set, unsigned way) {
    return set->tags[way % APUS_FILTER_WAYS];
}
