// Waiting for descriptors and signals, and for who connects: what the Glibc module map leaves out.
#pragma once
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/types.h>

/// Takes a connection whose descriptor is closed on exec and does not block (accept4(2), shown by glibc with
/// _GNU_SOURCE only). Returns it, or -1 with errno.
int apus_accept(int listening_socket);

/// The process that connected a UNIX stream socket, as it was then (unix(7), SO_PEERCRED).
/// Returns 0, or -1 with errno.
int apus_peer_credentials(int socket_descriptor, pid_t *process, uid_t *user);
