// SIGTERM and SIGINT while a process is ending already.
#pragma once
#include <stdbool.h>

/// How long a signal to stop counts as the same one again, in milliseconds: a key that bounced, or timeout(1), which
/// signals its child and then the whole process group.
#define APUS_STOP_REPEAT_MS 200

/// How long the end may take until a further signal ends the process whatever it is at, in milliseconds.
#define APUS_STOP_LIMIT_MS 2000

/// From now on SIGTERM and SIGINT are passed over until apus_stop_may_be_cut_short() is called, and for
/// APUS_STOP_REPEAT_MS at least; after that, or after APUS_STOP_LIMIT_MS in any case, one ends the process at once.
/// The signals reach the calling thread. System calls that they interrupt go on.
void apus_defer_stop_signals(void);

/// What has to be done before the process may die is done. Anything else a signal may cut short.
void apus_stop_may_be_cut_short(void);
