// SPDX-License-Identifier: (Apache-2.0 OR GPL-2.0-only)
// Has each burst wait until it is due, by spinning.
#pragma once
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "pacing.h"

struct waiting {
    __u64 now, due;
};

static long until_due(__u32 round, void *context)
{
    struct waiting *waiting = context;

    waiting->now = bpf_ktime_get_ns();
    return waiting->now >= waiting->due;
}

static __always_inline void begin_burst(struct pacing *pacing)
{
    struct waiting waiting = {.now = bpf_ktime_get_ns()};

    if (pacing->first == 0)
        pacing->first = pacing->due = waiting.now;
    waiting.due = pacing->due;
    if (waiting.now < waiting.due)
        bpf_loop(1 << 20, until_due, &waiting, 0);
    // Who is late by more than a burst does not catch up: no storm after a pause.
    pacing->fraction += pacing->step;
    pacing->due += pacing->fraction >> 20;
    pacing->fraction &= (1 << 20) - 1;
    if (pacing->due < waiting.now) pacing->due = waiting.now;
    pacing->last = waiting.now;
}

// Before each packet: waits if it is the first of its burst, and says whether it is.
static __always_inline int pace(struct pacing *pacing)
{
    int is_first = pacing->place == 0;

    if (is_first) begin_burst(pacing);
    pacing->place = pacing->place + 1 < pacing->burst ? pacing->place + 1 : 0;
    return is_first;
}
