// libmicrohttpd: metrics and health over HTTP. What it takes as variadic arguments has a function here.
#pragma once
#include <microhttpd.h>
#include <stdbool.h>

/// Serves a listening, non-blocking socket without a thread of its own: MHD_run does the work when the
/// descriptor is readable. The socket belongs to the daemon, which closes it; on failure it stays the caller's.
struct MHD_Daemon *apus_http_start(
    int listening_socket, unsigned int connections, unsigned int idle_seconds, size_t request_bytes,
    MHD_AccessHandlerCallback handler, MHD_NotifyConnectionCallback notify, void *context);

/// The epoll descriptor to wait on.
int apus_http_descriptor(struct MHD_Daemon *daemon);

/// Whether a connection begins, rather than ends.
static inline bool apus_http_is_start(enum MHD_ConnectionNotificationCode event) {
    return event == MHD_CONNECTION_NOTIFY_STARTED;
}

/// The socket of a connection, or -1.
int apus_http_socket(struct MHD_Connection *connection);
