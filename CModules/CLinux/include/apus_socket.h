// Socket options whose structures hold pointers.
#pragma once

/// Attaches a classic BPF filter that takes nothing (`ret #0`, socket(7) SO_ATTACH_FILTER).
/// Returns 0, or -1 with errno.
int apus_drop_everything(int socket_descriptor);
