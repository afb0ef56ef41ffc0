// The numbers of apus_constants.h are those of the C library.
#include <netinet/in.h>
#include <sys/socket.h>

#include "apus_constants.h"

_Static_assert(SOCK_STREAM == 1 && SOCK_DGRAM == 2 && SOCK_RAW == 3, "socket types");
_Static_assert(SOCK_CLOEXEC == 02000000 && SOCK_NONBLOCK == 04000, "socket flags");
_Static_assert(MSG_DONTROUTE == 0x04 && MSG_DONTWAIT == 0x40 && MSG_NOSIGNAL == 0x4000, "message flags");
_Static_assert(IPPROTO_IP == 0 && IPPROTO_UDP == 17 && IPPROTO_IPV6 == 41, "protocols");
_Static_assert(SHUT_RDWR == 2, "shutdown");
